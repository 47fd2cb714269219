# SPDX-License-Identifier: Apache-2.0
"""The configuration of registries: TLS, authorities, insecure and blocked ones, mirrors.

All of it in a network of its own, where an address that is not loopback leads nowhere but here.
"""
import subprocess

import pytest

import faults
import ocimage
import registry as registries
from faults import FaultProxy
from pulls import configure, pull, references, refused, refused_pull, write_auth, auth_of

ADDRESS = "fd5b:7275:6e::1"

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture(scope="module")
def network(own_network):
    """A network with ADDRESS, which is not loopback by its name."""
    assert own_network is None
    subprocess.run(["ip", "addr", "add", ADDRESS + "/128", "dev", "lo", "nodad"], check=True)


@pytest.fixture(scope="module")
def start(network, tmp_path_factory):
    """A function that starts a Registry in that network; all of them share one storage."""
    assert network is None
    top, running = tmp_path_factory.mktemp("network"), []

    def run(name, address=ADDRESS, **options):
        if options.pop("password", False):
            options["auth"] = registries.basic_auth(top)
        running.append(registries.Registry(top / name, top / "storage", address, **options))
        return running[-1]

    yield run
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def image(plain, image_dir):
    """The image that all registries here have as library/busybox and mirror/library/busybox."""
    made = ocimage.from_layout(image_dir("busybox"))
    for name in ("library/busybox", "mirror/library/busybox"):
        plain.push(made, name, "latest")
    return made


@pytest.fixture(scope="module")
def plain(start):
    """A registry without TLS at ADDRESS."""
    return start("plain")


@pytest.fixture(scope="module")
def secure(start, authority):
    """A registry with TLS at ADDRESS."""
    return start("secure", tls=authority.server("secure", f"IP:{ADDRESS}"))


@pytest.fixture(scope="module")
def secure_basic(start, authority):
    """The same with a password."""
    return start("secure-basic", tls=authority.server("secure-basic", f"IP:{ADDRESS}"), password=True)


@pytest.fixture
def front(plain):
    """A FaultProxy on loopback in front of it."""
    with FaultProxy(plain) as proxy:
        yield proxy


def ref_of(server):
    """Return the reference of the image at @server."""
    return f"{server.host}/library/busybox:latest"


# ---- TLS -----------------------------------------------------------------------------------------------------

def test_an_authority_of_its_own_can_be_configured(puller, secure, authority, image, tmp_path):
    """The image comes."""
    configure(puller, tmp_path, registries={secure.host: {"ca": str(authority.cert)}})
    assert pull(puller, ref_of(secure)) == image.digest


def test_an_unknown_authority_is_refused(puller, secure):
    """In one line that says why."""
    refused_pull(puller, ref_of(secure), secure.host, "certificate", "registries.HOST.ca")


def test_an_authority_that_is_configured_is_not_asked_for_again(puller, start, secure, authority, tmp_path):
    """If it is the wrong one: here, the certificate of another server."""
    other, _ = authority.server("wrong-ca", f"IP:{ADDRESS}")
    assert start
    configure(puller, tmp_path, registries={secure.host: {"ca": str(other)}})
    result = refused_pull(puller, ref_of(secure), "is not trusted", "the 'ca' in the configuration file is another")
    assert "registries.HOST.ca" not in result.err


def test_an_authority_counts_for_its_registry_only(puller, secure, authority, tmp_path):
    """That of another host is no help."""
    configure(puller, tmp_path, registries={"other.example": {"ca": str(authority.cert)}})
    refused_pull(puller, ref_of(secure), "certificate")


@pytest.mark.parametrize("name, how", [("expired", {"start_s": -7200, "end_s": -3600}),
                                       ("early", {"start_s": 3600, "end_s": 7200}),
                                       ("other", {"alt": "IP:fd5b:7275:6e::2,DNS:localhost"})])
def test_a_bad_certificate_is_refused(puller, start, authority, tmp_path, name, how):
    """Expired, not valid yet, for somebody else: even with its authority known."""
    server = start(name, tls=authority.server(name, **{"alt": f"IP:{ADDRESS}", **how}))
    configure(puller, tmp_path, registries={server.host: {"ca": str(authority.cert)}})
    refused_pull(puller, ref_of(server), server.host, "certificate" if name != "other" else ("certificate", "match"))


def test_tls_is_verified_on_loopback_too(puller, start, authority, image, tmp_path):
    """Plain HTTP may be spoken there; but who speaks TLS must be who he says."""
    server = start("loopback", "::1", tls=authority.server("loopback"))
    refused_pull(puller, ref_of(server), "certificate")
    configure(puller, tmp_path, registries={server.host: {"ca": str(authority.cert)}})
    assert pull(puller, ref_of(server)) == image.digest


def test_plain_http_is_refused_where_tls_is_expected(puller, plain):
    """Everywhere but on loopback; nothing is asked in the clear. The line says how to allow it."""
    with FaultProxy(plain, ADDRESS) as proxy:
        refused_pull(puller, f"{proxy.host}/library/busybox", proxy.host, ("tls", "ssl", "https"), "insecure")
        assert proxy.count() == 0


def test_plain_http_can_be_allowed(puller, plain, image, tmp_path):
    """By "insecure"."""
    configure(puller, tmp_path, registries={plain.host: {"insecure": True}})
    assert pull(puller, ref_of(plain)) == image.digest


def test_insecure_trusts_any_certificate(puller, secure, image, tmp_path):
    """As it says."""
    configure(puller, tmp_path, registries={secure.host: {"insecure": True}})
    assert pull(puller, ref_of(secure)) == image.digest


def test_a_redirect_from_tls_to_plain_http_is_refused(puller, start, authority, tmp_path):
    """What is asked in private is not fetched in the clear, outside of loopback."""
    cert = authority.server("downgrade", f"IP:{ADDRESS}")
    asked = []

    class Downgrader(registries.Handler):
        """Sends everybody to plain HTTP."""
        def do_GET(self):
            """Answer 307."""
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", f"http://[{ADDRESS}]:1{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

    assert start
    server = registries.serve(ADDRESS, Downgrader, cert)
    try:
        host = f"[{ADDRESS}]:{server.server_address[1]}"
        configure(puller, tmp_path, registries={host: {"ca": str(authority.cert)}})
        result = refused_pull(puller, f"{host}/library/busybox", timeout=60)
        assert asked and "Connection refused" not in result.err
    finally:
        server.shutdown()
        server.server_close()


def test_a_password_is_not_sent_to_a_token_server_in_the_clear(puller, start, authority, tmp_path):
    """The registry speaks TLS, the address of its token server does not."""
    tokens = registries.TokenServer(tmp_path / "tokens", ADDRESS)
    try:
        server = start("downgraded-tokens", tls=authority.server("downgraded", f"IP:{ADDRESS}"), auth=tokens.auth())
        configure(puller, tmp_path, registries={server.host: {"ca": str(authority.cert)}})
        puller.env["REGISTRY_AUTH_FILE"] = str(write_auth(tmp_path / "auth.json", {server.host: auth_of()}))
        refused_pull(puller, ref_of(server), timeout=60)
        assert not [r for r in tokens.requests if r.authorization or "password" in r.fields]
    finally:
        tokens.stop()


def test_a_token_server_with_tls_is_trusted_by_the_same_authority(puller, start, authority, image, tmp_path):
    """Configured for both, as they may be two hosts."""
    tokens = registries.TokenServer(tmp_path / "tokens", ADDRESS, authority.server("tokens", f"IP:{ADDRESS}"))
    try:
        server = start("tls-tokens", tls=authority.server("tls-tokens", f"IP:{ADDRESS}"), auth=tokens.auth())
        configure(puller, tmp_path, registries={host: {"ca": str(authority.cert)}
                                                for host in (server.host, tokens.host)})
        puller.env["REGISTRY_AUTH_FILE"] = str(write_auth(tmp_path / "auth.json", {server.host: auth_of()}))
        assert pull(puller, ref_of(server)) == image.digest
    finally:
        tokens.stop()


# ---- mirrors -------------------------------------------------------------------------------------------------

HUB_NAMES = ["busybox", "busybox:latest", "library/busybox", "docker.io/busybox", "docker.io/library/busybox:latest",
             "index.docker.io/library/busybox"]


@pytest.mark.parametrize("name", HUB_NAMES)
def test_names_of_docker_hub_are_made_complete(puller, front, image, tmp_path, name):
    """And asked for at its mirror."""
    configure(puller, tmp_path, registries={"docker.io": {"mirrors": [front.host]}})
    result = puller.ok("pull", name)
    assert result.out == "Pulled: busybox:latest\n"
    assert {r.name for r in front.requests if r.kind != "ping"} == {"library/busybox"}
    assert references(puller) == {"busybox:latest": image.digest}
    assert puller.ok("run", "--rm", "--pull", "never", "busybox", "echo", "x").out == "x\n"


def test_a_mirror_may_have_a_prefix(puller, front, image, tmp_path):
    """Before the name."""
    configure(puller, tmp_path, registries={"docker.io": {"mirrors": [f"{front.host}/mirror"]}})
    assert pull(puller, "busybox") == image.digest
    assert {r.name for r in front.requests if r.kind != "ping"} == {"mirror/library/busybox"}


def closed_port():
    """Return a host where nobody listens."""
    return f"[::1]:{registries.free_port('::1')}"


def test_the_next_mirror_is_asked_if_the_first_is_down(puller, front, image, tmp_path):
    """In their order."""
    configure(puller, tmp_path, registries={"docker.io": {"mirrors": [closed_port(), front.host]}})
    assert pull(puller, "busybox") == image.digest


def test_the_registry_itself_is_asked_if_no_mirror_has_it(puller, plain, front, image, tmp_path):
    """Down, unknown there, or in trouble; each is asked before."""
    with FaultProxy(plain) as empty, FaultProxy(plain) as troubled:
        empty.on("manifest", do=faults.error(404, "MANIFEST_UNKNOWN", "manifest unknown"))
        troubled.on(None, do=faults.error(503))
        configure(puller, tmp_path, registries={front.host: {"mirrors": [closed_port(), empty.host, troubled.host]}})
        assert pull(puller, ref_of(front), timeout=120) == image.digest
        assert empty.count("manifest") == 1 and troubled.count() >= 1 and front.count("manifest") >= 1


def test_the_registry_itself_is_not_asked_if_a_mirror_has_it(puller, plain, front, image, tmp_path):
    """For nothing."""
    with FaultProxy(plain) as mirror:
        configure(puller, tmp_path, registries={front.host: {"mirrors": [mirror.host]}})
        assert pull(puller, ref_of(front)) == image.digest
        assert front.count() == 0 and mirror.count("blob") >= 2
    assert references(puller) == {ref_of(front): image.digest}


def test_a_mirror_gets_no_credentials_of_the_registry(puller, plain, start, image, tmp_path):
    """Not even if it asks for a password; the registry gets them."""
    server = start("plain-basic", "::1", password=True)
    puller.env["REGISTRY_AUTH_FILE"] = str(tmp_path / "auth.json")
    with FaultProxy(plain) as mirror, FaultProxy(server) as upstream:
        write_auth(tmp_path / "auth.json", {upstream.host: auth_of()})
        configure(puller, tmp_path, registries={upstream.host: {"mirrors": [mirror.host]}})
        mirror.on(None, do=faults.error(401, headers=[("WWW-Authenticate", 'Basic realm="give it to me"')]))
        assert pull(puller, ref_of(upstream)) == image.digest
        assert mirror.count() >= 1 and not [r for r in mirror.requests if r.headers["Authorization"]]
        assert [r for r in upstream.requests if r.headers["Authorization"]]


def test_a_mirror_gets_credentials_of_its_own(puller, start, front, image, tmp_path):
    """Under its name."""
    server = start("mirror-basic", "::1", password=True)
    puller.env["REGISTRY_AUTH_FILE"] = str(write_auth(tmp_path / "auth.json", {server.host: auth_of()}))
    configure(puller, tmp_path, registries={front.host: {"mirrors": [server.host]}})
    assert pull(puller, ref_of(front)) == image.digest
    assert front.count() == 0


def test_a_mirror_that_breaks_down_is_left_in_the_middle(puller, plain, front, image, tmp_path):
    """The layers come from where they can be had."""
    with FaultProxy(plain) as mirror:
        mirror.on("blob", do=faults.error(503))
        configure(puller, tmp_path, registries={front.host: {"mirrors": [mirror.host]}})
        assert pull(puller, ref_of(front), timeout=120) == image.digest
        assert front.count("blob") >= 1


def test_a_mirror_cannot_give_another_layer(puller, plain, front, image, tmp_path):
    """Digests are verified whoever sends."""
    with FaultProxy(plain) as mirror:
        mirror.on("blob", do=faults.flip(50))
        configure(puller, tmp_path, registries={front.host: {"mirrors": [mirror.host]}})
        result = puller("pull", "--quiet", ref_of(front), timeout=120)
        assert (result.rc, result.out) in ((0, image.digest + "\n"), (125, "")), result.err
        if result.rc:
            refused(result)


# ---- the configuration file ----------------------------------------------------------------------------------

def test_a_blocked_registry_is_not_asked(puller, front, tmp_path):
    """Nor are its mirrors."""
    with FaultProxy(type("Nobody", (), {"address": "::1", "port": 1})()) as mirror:
        configure(puller, tmp_path, registries={front.host: {"blocked": True, "mirrors": [mirror.host]}})
        refused_pull(puller, ref_of(front), front.host, "block")
        assert front.count() == 0 and mirror.count() == 0


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_a_blocked_registry_is_not_asked_in_any_spelling(puller, image, tmp_path, spelling):
    """Of the name, or of the key in the configuration."""
    assert image
    name = f"localhost:{registries.free_port('::1')}"
    configure(puller, tmp_path, registries={spelling(name): {"blocked": True}})
    for host in (name, name.upper(), name.capitalize()):
        refused_pull(puller, f"{host}/library/busybox", f"'{name}' is blocked")


def test_a_mirror_that_is_blocked_is_refused(puller, front, tmp_path):
    """The configuration contradicts itself."""
    configure(puller, tmp_path, registries={"a.example": {"mirrors": [front.host]}, front.host: {"blocked": True}})
    refused_pull(puller, "a.example/library/busybox", "config.json", "a.example", f"mirror '{front.host}' is blocked")
    assert front.count() == 0


def test_a_registry_with_an_authority_is_not_asked_in_the_clear(puller, front, authority, tmp_path):
    """Not even on this machine."""
    configure(puller, tmp_path, registries={front.host: {"ca": str(authority.cert)}})
    refused_pull(puller, ref_of(front), front.host, "does not speak TLS")
    assert front.count() == 0


def test_a_missing_authority_is_one_line_that_names_it(puller, secure, tmp_path):
    """The path."""
    for content in (None, "no certificate\n"):
        if content:
            (tmp_path / "ca.pem").write_text(content)
        configure(puller, tmp_path, registries={secure.host: {"ca": str(tmp_path / "ca.pem")}})
        refused_pull(puller, ref_of(secure), "ca.pem")


@pytest.mark.parametrize("text, words", [
    ("", []), ("{", []), ("[]", []), ('{"registrys": {}}', ["registrys"]), ('{"registries": []}', ["registries"]),
    ('{"registries": {"a.example": {"mirror": []}}}', ["mirror"]),
    ('{"registries": {"a.example": {"mirrors": "b"}}}', ["mirrors"]),
    ('{"registries": {"a.example": {"mirrors": [5]}}}', ["mirrors"]),
    ('{"registries": {"a.example": {"mirrors": ["http://b"]}}}', ["http://b"]),
    ('{"registries": {"a.example": {"mirrors": ["b c"]}}}', ["b c"]),
    ('{"registries": {"a.example": {"insecure": "yes"}}}', ["insecure"]),
    ('{"registries": {"a.example": {"blocked": 1}}}', ["blocked"]),
    ('{"registries": {"a.example": {"ca": true}}}', ["ca"]),
    ('{"registries": {"a.example": {"ca": "relative.pem"}}}', ["relative.pem"]),
    ('{"registries": {"a.example": true}}', ["a.example"]), ('{"registries": {"a b": {}}}', ["a b"]),
    ('{"pull": "sometimes"}', ["pull"]), ('{"pull": 1}', ["pull"]), ('{"limits": []}', ["limits"]),
    ('{"limits": {"no-such-limit": 1}}', ["no-such-limit"]), ('{"pull": "never", "pull": "always"}', []),
])
def test_a_wrong_configuration_is_one_line_that_names_the_file(puller, front, tmp_path, text, words):
    """And what is wrong in it; nothing is asked."""
    path = tmp_path / "own-settings.json"
    path.write_text(text)
    puller.env["SBRUN_CONFIG"] = str(path)
    refused_pull(puller, ref_of(front), "own-settings.json", *words)
    assert front.count() == 0


def test_a_configuration_that_is_named_must_be_there(puller, front, tmp_path):
    """Otherwise what it forbids would be allowed."""
    puller.env["SBRUN_CONFIG"] = str(tmp_path / "no-such.json")
    refused_pull(puller, ref_of(front), "no-such.json")
    assert front.count() == 0


def test_a_host_without_address_is_one_line(puller):
    """There is no name server in this network."""
    refused_pull(puller, "no-such-host.invalid/x:latest", "no-such-host.invalid", timeout=60)


def test_a_host_that_cannot_be_reached_is_one_line(puller):
    """No route to it."""
    refused_pull(puller, "[2001:db8::1]:5000/x:latest", "[2001:db8::1]:5000", timeout=60)
