# SPDX-License-Identifier: Apache-2.0
"""Credentials: where they come from, how they are shown to registries and token servers, and to whom never."""
import base64
import json
import os
import re
import stat

import pytest

import faults
import lib
from faults import FaultProxy
from pulls import auth_of, configure, names, pull, refused, refused_pull, write_auth
from registry import IDENTITY_TOKEN, PASSWORD, SERVICE, USER, basic

HELPER = """#!/bin/sh
echo "$@" >>"{log}"
cat >>"{log}"
{answer}
"""


@pytest.fixture
def basic_proxy(plain_basic_registry, published):
    """A FaultProxy in front of a registry that wants USER and PASSWORD; it has the images "gzip" and "busybox"."""
    published("gzip")
    published("busybox")
    with FaultProxy(plain_basic_registry) as front:
        yield front


@pytest.fixture
def token_proxy(token_registry, token_server, published):
    """The same in front of the registry that wants tokens."""
    assert token_server
    published("gzip")
    published("busybox")
    with FaultProxy(token_registry) as front:
        yield front


def home(sbrun, *parts):
    """Return a path in the home of @sbrun's user."""
    return lib.Path(sbrun.env["HOME"]).joinpath(*parts)


def log_in(sbrun, host, **entry):
    """Give @sbrun the right credentials for @host, or another @entry."""
    write_auth(home(sbrun, ".docker/config.json"), {host: entry or auth_of()})


def authorizations(proxy, kind=None):
    """Return the Authorization headers that came."""
    return [r.headers["Authorization"] for r in proxy.asked(kind) if r.headers["Authorization"]]


# ---- where credentials come from -----------------------------------------------------------------------------

def in_docker_config(sbrun, _folder, host):
    """~/.docker/config.json"""
    write_auth(home(sbrun, ".docker/config.json"), {host: auth_of()})


def in_docker_config_variable(sbrun, folder, host):
    """$DOCKER_CONFIG/config.json"""
    write_auth(folder / "docker/config.json", {host: auth_of()})
    sbrun.env["DOCKER_CONFIG"] = str(folder / "docker")


def in_registry_auth_file(sbrun, folder, host):
    """$REGISTRY_AUTH_FILE"""
    write_auth(folder / "auth.json", {host: auth_of()})
    sbrun.env["REGISTRY_AUTH_FILE"] = str(folder / "auth.json")


def in_runtime_directory(sbrun, _folder, host):
    """$XDG_RUNTIME_DIR/containers/auth.json, where podman login puts them"""
    write_auth(lib.Path(sbrun.env["XDG_RUNTIME_DIR"]) / "containers/auth.json", {host: auth_of()})


def in_containers_config(sbrun, _folder, host):
    """~/.config/containers/auth.json"""
    write_auth(home(sbrun, ".config/containers/auth.json"), {host: auth_of()})


def as_address(sbrun, _folder, host):
    """An address as key, as old docker wrote it"""
    write_auth(home(sbrun, ".docker/config.json"), {f"https://{host}/v1/": auth_of()})


def as_fields(sbrun, _folder, host):
    """"username" and "password" instead of "auth\""""
    write_auth(home(sbrun, ".docker/config.json"), {host: {"username": USER, "password": PASSWORD}})


def for_a_repository(sbrun, folder, host):
    """A path after the host, as in containers-auth.json(5): the longest that fits counts"""
    write_auth(folder / "auth.json", {host: auth_of(password="other"), f"{host}/private": auth_of(),
                                      f"{host}/private/busybox": auth_of(password="other")})
    sbrun.env["REGISTRY_AUTH_FILE"] = str(folder / "auth.json")


@pytest.mark.parametrize("place", [in_docker_config, in_docker_config_variable, in_registry_auth_file,
                                   in_runtime_directory, in_containers_config, as_address, as_fields,
                                   for_a_repository])
def test_credentials_are_found(puller, basic_proxy, tmp_path, place):
    """In each place that docker and podman use."""
    place(puller, tmp_path, basic_proxy.host)
    pull(puller, f"{basic_proxy.host}/private/gzip:latest")
    assert set(authorizations(basic_proxy)) == {basic(USER, PASSWORD)}


def test_the_variable_for_the_file_wins(puller, basic_proxy, tmp_path):
    """Over the home directory."""
    write_auth(home(puller, ".docker/config.json"), {basic_proxy.host: auth_of(password="wrong")})
    in_registry_auth_file(puller, tmp_path, basic_proxy.host)
    pull(puller, f"{basic_proxy.host}/private/gzip")
    assert set(authorizations(basic_proxy)) == {basic(USER, PASSWORD)}


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": []}', '{"auths": {"HOST": {"auth": "%%%"}}}',
                                  '{"auths": {"HOST": {"auth": 5}}}', '{"auths": {"HOST": {"auth": "bm9jb2xvbg=="}}}'])
def test_a_broken_file_is_one_line_that_names_it(puller, basic_proxy, tmp_path, text):
    """JSON, types, base64, no colon; nothing secret in the line."""
    path = tmp_path / "auth.json"
    path.write_text(text.replace("HOST", basic_proxy.host))
    puller.env["REGISTRY_AUTH_FILE"] = str(path)
    result = refused_pull(puller, f"{basic_proxy.host}/private/gzip", "auth.json")
    assert "bm9jb2xvbg" not in result.err and "nocolon" not in result.err


# ---- helpers -------------------------------------------------------------------------------------------------

@pytest.fixture
def helper(puller, tmp_path):
    """A function: helper('echo ...') makes docker-credential-test, a script; returns what it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "helper.log"
    puller.env["PATH"] = f"{folder}:{os.environ['PATH']}"

    def make(answer):
        path = folder / "docker-credential-test"
        path.write_text(HELPER.format(log=log, answer=answer))
        path.chmod(0o755)
        return log

    return make


def said(user, secret):
    """Return the shell command by which a helper tells credentials."""
    return f"printf '%s' '{json.dumps({'ServerURL': 'x', 'Username': user, 'Secret': secret})}'"


@pytest.mark.parametrize("settings", [lambda host: {"credHelpers": {host: "test"}}, lambda _: {"credsStore": "test"}])
def test_helpers_are_asked(puller, basic_proxy, helper, settings):
    """docker-credential-<name> get, the host on standard input."""
    log = helper(said(USER, PASSWORD))
    write_auth(home(puller, ".docker/config.json"), **settings(basic_proxy.host))
    pull(puller, f"{basic_proxy.host}/private/gzip")
    asked = log.read_text().split()
    assert asked[0] == "get" and basic_proxy.host in asked[1]
    assert set(authorizations(basic_proxy)) == {basic(USER, PASSWORD)}


def test_a_helper_is_asked_for_its_registry_only(puller, proxy, published, helper):
    """Not for another, and the user's files win nothing."""
    published("gzip")
    log = helper(said(USER, PASSWORD))
    write_auth(home(puller, ".docker/config.json"), credHelpers={"other.example": "test"})
    pull(puller, f"{proxy.host}/public/gzip")
    assert not log.exists() and authorizations(proxy) == []


def test_a_helper_may_know_an_identity_token(puller, token_proxy, token_server, helper):
    """The user "<token>" says that the secret is one."""
    helper(said("<token>", IDENTITY_TOKEN))
    write_auth(home(puller, ".docker/config.json"), credHelpers={token_proxy.host: "test"})
    pull(puller, f"{token_proxy.host}/private/gzip")
    assert [r.fields["grant_type"] for r in token_server.requests] == [["refresh_token"]]


@pytest.mark.parametrize("answer", ["echo 'credentials not found in native keychain'; exit 1", "echo nonsense",
                                    "exit 3", "kill -9 $$", "echo '{}'", "head -c 10000000 /dev/zero"])
def test_a_helper_that_fails_is_one_line(puller, basic_proxy, helper, answer):
    """Without credentials there is no private image."""
    helper(answer)
    write_auth(home(puller, ".docker/config.json"), credHelpers={basic_proxy.host: "test"})
    refused_pull(puller, f"{basic_proxy.host}/private/gzip", ("login", "docker-credential-test", "credential"))


def test_a_helper_that_is_missing_is_one_line(puller, basic_proxy):
    """It names the program."""
    write_auth(home(puller, ".docker/config.json"), credHelpers={basic_proxy.host: "no-such"})
    refused_pull(puller, f"{basic_proxy.host}/private/gzip", "docker-credential-no-such")


@pytest.mark.parametrize("name", ["../x", "/bin/sh", "a b", "x;touch y", ""])
def test_the_name_of_a_helper_is_no_path_and_no_script(puller, basic_proxy, name, tmp_path):
    """Nothing is run."""
    write_auth(home(puller, ".docker/config.json"), credHelpers={basic_proxy.host: name})
    refused_pull(puller, f"{basic_proxy.host}/private/gzip", cwd=tmp_path)
    assert not (tmp_path / "y").exists()


# ---- basic ---------------------------------------------------------------------------------------------------

def test_basic_authentication_over_tls(puller, basic_registry, authority, published, tmp_path):
    """With the authority of the registry in the configuration."""
    image = published("gzip")
    configure(puller, tmp_path, registries={basic_registry.host: {"ca": str(authority.cert)}})
    log_in(puller, basic_registry.host)
    assert pull(puller, f"{basic_registry.host}/private/gzip") == image.digest


def test_without_credentials_the_line_says_how_to_log_in(puller, basic_proxy):
    """And what for."""
    refused_pull(puller, f"{basic_proxy.host}/private/gzip", "private/gzip",
                 f"sbrun login {basic_proxy.host}")
    assert basic_proxy.count("manifest") == 1


def test_wrong_credentials_stay_wrong(puller, basic_proxy):
    """They are not tried again and again: accounts get locked by that."""
    log_in(puller, basic_proxy.host, **auth_of(password="n0t-this"))
    result = refused_pull(puller, f"{basic_proxy.host}/private/gzip", "sbrun login", "/config.json'")
    assert 1 <= len(authorizations(basic_proxy)) <= 2
    assert "n0t-this" not in result.err


def test_credentials_are_for_their_registry_only(puller, basic_proxy, registry):
    """Another one that asks for a password, on the same address, gets none."""
    log_in(puller, basic_proxy.host)
    with FaultProxy(registry) as other:
        other.on(None, do=faults.error(401, headers=[("WWW-Authenticate", 'Basic realm="give it to me"')]))
        refused_pull(puller, f"{other.host}/private/gzip", "sbrun login")
        assert authorizations(other) == []


def test_credentials_do_not_follow_a_redirect(puller, basic_proxy, registry):
    """Neither to another port nor to another name of this one."""
    log_in(puller, basic_proxy.host)
    with FaultProxy(registry) as other:
        basic_proxy.on("blob", do=faults.redirect(lambda r: f"http://{other.host}{r.path}"))
        pull(puller, f"{basic_proxy.host}/private/gzip")
        assert other.count("blob") >= 2 and authorizations(other) == []
        assert authorizations(basic_proxy) != []


def test_secrets_are_never_printed(puller, basic_proxy):
    """Not even with --debug, whether they are right or wrong."""
    for password in (PASSWORD, "wrong-but-secret"):
        log_in(puller, basic_proxy.host, **auth_of(password=password))
        result = puller("--debug", "pull", f"{basic_proxy.host}/private/gzip")
        encoded = base64.b64encode(f"{USER}:{password}".encode()).decode()
        assert password not in result.out + result.err and encoded not in result.out + result.err


def user_of(pid):
    """Return the real user id of process @pid."""
    text = lib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.search(r"^Uid:\s+(\d+)", text, re.MULTILINE).group(1))


def memory_of(pid):
    """Return all that process @pid has written to its memory."""
    data = bytearray()
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            begin, end = (int(number, 16) for number in line.split()[0].split("-"))
            if "rw" not in line.split()[1]:
                continue
            try:
                memory.seek(begin)
                data += memory.read(end - begin)
            except OSError:
                continue  # not memory: a guard, a device
    return bytes(data)


def test_only_who_talks_to_the_registry_has_credentials(puller, basic_proxy, published):
    """Not the unpacker, which meets hostile archives, and nobody in what others may read."""
    log_in(puller, basic_proxy.host)
    layer = published("gzip").layers[1]
    secrets = [PASSWORD.encode(), base64.b64encode(f"{USER}:{PASSWORD}".encode())]
    fault = basic_proxy.on("blob", layer.digest, do=faults.stall(10), times=1)
    with puller.start("pull", "--quiet", f"{basic_proxy.host}/private/gzip") as process:
        fault.await_stall()
        holders = set()
        for pid, _ in lib.processes(puller):
            for name in ("cmdline", "environ"):
                data = lib.Path(f"/proc/{pid}/{name}").read_bytes()
                assert not any(secret in data for secret in secrets)
            memory = memory_of(pid)
            if any(secret in memory for secret in secrets):
                holders.add(user_of(pid))
        assert holders == {65534}
        basic_proxy.release()
        assert process.wait(lib.TIMEOUT_S) == 0, process.stderr.read()


# ---- tokens --------------------------------------------------------------------------------------------------

def test_a_public_image_needs_an_anonymous_token_only(puller, token_proxy, token_server):
    """One for manifest, configuration and layers; nothing of ours is told."""
    pull(puller, f"{token_proxy.host}/public/gzip")
    assert [(r.method, r.user, r.authorization, r.status) for r in token_server.requests] == [("GET", None, None, 200)]
    assert token_server.requests[0].scopes == ["repository:public/gzip:pull"]
    assert token_server.requests[0].fields["service"] == [SERVICE]
    assert all(one.startswith("Bearer ") for one in authorizations(token_proxy))


@pytest.mark.parametrize("oauth", [True, False])
def test_a_private_image_needs_a_token_of_the_user(puller, token_proxy, token_server, oauth):
    """From token servers that know OAuth2 and from those that do not; the registry never gets the password."""
    token_server.allow_post = oauth
    log_in(puller, token_proxy.host)
    pull(puller, f"{token_proxy.host}/private/gzip")
    good = [r for r in token_server.requests if r.status == 200]
    assert [r.user for r in good] == [USER] and good[0].scopes == ["repository:private/gzip:pull"]
    assert len(token_server.requests) <= 2
    assert all(one.startswith("Bearer ") for one in authorizations(token_proxy))


def test_a_token_may_be_called_access_token(puller, token_proxy, token_server):
    """For compatibility with OAuth2, in answers to GET, too."""
    token_server.token_field = "access_token"
    pull(puller, f"{token_proxy.host}/public/gzip")


def test_an_identity_token_is_exchanged(puller, token_proxy, token_server):
    """Without any password, by the form of OAuth2."""
    log_in(puller, token_proxy.host, auth=base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode(),
           identitytoken=IDENTITY_TOKEN)
    pull(puller, f"{token_proxy.host}/private/gzip")
    assert [(r.method, r.fields["grant_type"], r.fields["refresh_token"]) for r in token_server.requests] == [
        ("POST", ["refresh_token"], [IDENTITY_TOKEN])]
    request = token_server.requests[0]
    assert "password" not in request.fields and request.fields["client_id"] and request.authorization is None
    assert not any(IDENTITY_TOKEN in one for one in authorizations(token_proxy))


def test_each_repository_has_its_token(puller, token_proxy, token_server):
    """Asked for with its own scope."""
    for kind in ("gzip", "busybox"):
        pull(puller, f"{token_proxy.host}/public/{kind}")
    assert [r.scopes for r in token_server.requests] == [["repository:public/gzip:pull"],
                                                         ["repository:public/busybox:pull"]]


def test_a_token_that_is_not_taken_is_renewed(puller, token_proxy, token_server):
    """As one that has expired meanwhile."""
    token_server.stale = 1
    pull(puller, f"{token_proxy.host}/public/gzip")
    assert len(token_server.requests) == 2


def test_a_token_that_expires_between_two_layers_is_renewed(puller, token_proxy, token_server, token_registry,
                                                            published):
    """The registry refuses it in the middle of a pull."""
    said_401 = faults.error(401, "UNAUTHORIZED", "token expired", [(
        "WWW-Authenticate", f'Bearer realm="http://{token_server.host}/token",service="{SERVICE}",'
        'scope="repository:public/gzip:pull",error="invalid_token"')])
    script = token_proxy.on("blob", published("gzip").layers[1].digest, do=said_401, times=1)
    pull(puller, f"{token_proxy.host}/public/gzip")
    assert token_registry and script.hits == 1 and len(token_server.requests) == 2


def test_tokens_that_are_never_taken_are_given_up(puller, token_proxy, token_server):
    """After very few."""
    token_server.stale = 1000
    refused_pull(puller, f"{token_proxy.host}/public/gzip", timeout=60)
    assert len(token_server.requests) <= 4


def test_a_private_image_without_credentials_is_one_line(puller, token_proxy, token_server):
    """The anonymous token does not do; the line says how to log in."""
    refused_pull(puller, f"{token_proxy.host}/private/gzip", "private/gzip", f"sbrun login {token_proxy.host}")
    assert len(token_server.requests) <= 3


def test_wrong_credentials_at_the_token_server_are_one_line(puller, token_proxy, token_server):
    """Not tried again and again."""
    log_in(puller, token_proxy.host, **auth_of(password="wrong"))
    refused_pull(puller, f"{token_proxy.host}/private/gzip", "sbrun login")
    assert len(token_server.requests) <= 3


def test_a_token_does_not_follow_a_redirect(puller, token_proxy, registry):
    """To the server where the blobs are."""
    with FaultProxy(registry) as other:
        token_proxy.on("blob", do=faults.redirect(lambda r: f"http://{other.host}{r.path}"))
        pull(puller, f"{token_proxy.host}/public/gzip")
        assert other.count("blob") >= 2 and authorizations(other) == []


CHALLENGES = {"file": 'Bearer realm="file:///etc/passwd",service="x"', "empty realm": 'Bearer realm="",service="x"',
              "no realm": 'Bearer service="x"', "bare": "Bearer", "closed port": 'Bearer realm="http://[::1]:1/token"',
              "other scheme": "Negotiate", "empty": "", "quote": 'Bearer realm="unterminated',
              "long": "Bearer " + "a=b," * 5000, "gopher": 'Bearer realm="gopher://[::1]:1/"'}


@pytest.mark.parametrize("value", CHALLENGES.values(), ids=CHALLENGES)
def test_challenges_that_lead_nowhere_are_one_line(puller, proxy, value):
    """Addresses that are none, schemes nobody knows, nonsense."""
    log_in(puller, proxy.host)
    proxy.on(None, do=faults.error(401, headers=[("WWW-Authenticate", value)]))
    result = refused_pull(puller, f"{proxy.host}/private/gzip", timeout=60)
    assert "root:" not in result.err


NO_TOKENS = {"empty": b"", "no field": b"{}", "list": b"[]", "number": b'{"token": 5}', "empty token": b'{"token": ""}',
             "two lines": b'{"token": "a\\r\\nX: y"}', "huge": b'{"token": "' + b"t" * (2 << 20) + b'"}',
             "no JSON": b"<html>"}


@pytest.mark.parametrize("body", NO_TOKENS.values(), ids=NO_TOKENS)
def test_answers_of_a_token_server_that_are_no_token_are_one_line(puller, token_proxy, token_registry, body):
    """Nothing of them becomes a header."""
    with FaultProxy(token_registry) as liar:
        liar.on(None, do=faults.answer(200, [("Content-Type", "application/json")], body))
        token_proxy.on(None, do=faults.error(401, headers=[(
            "WWW-Authenticate", f'Bearer realm="http://{liar.host}/token",service="x",scope="y"')]))
        refused_pull(puller, f"{token_proxy.host}/public/gzip", timeout=60)
    assert not [r for r in token_proxy.requests if r.headers["X"]]


# ---- login and logout ----------------------------------------------------------------------------------------

@pytest.fixture
def auth_file(puller, tmp_path):
    """The file that login writes: $REGISTRY_AUTH_FILE, which does not exist yet."""
    puller.env["REGISTRY_AUTH_FILE"] = str(tmp_path / "own/auth.json")
    (tmp_path / "own").mkdir()
    return tmp_path / "own/auth.json"


def login(sbrun, host, password=PASSWORD, user=USER, **options):
    """Log in with the password on standard input."""
    return sbrun("login", "-u", user, "--password-stdin", host, stdin=password + "\n", **options)


def test_after_login_private_images_can_be_pulled(puller, basic_proxy, auth_file):
    """Until logout."""
    ref = f"{basic_proxy.host}/private/gzip"
    refused_pull(puller, ref)
    assert login(puller, basic_proxy.host).rc == 0
    assert json.loads(auth_file.read_text())["auths"] == {basic_proxy.host: auth_of()}
    pull(puller, ref)
    puller.ok("logout", basic_proxy.host)
    assert basic_proxy.host not in auth_file.read_text()
    refused(puller("run", "--rm", "--pull", "always", ref), "sbrun login")


def test_login_works_without_any_file_or_variable(puller, basic_proxy):
    """Somewhere below the home or runtime directory, readable for the user alone."""
    assert login(puller, basic_proxy.host).rc == 0
    pull(puller, f"{basic_proxy.host}/private/gzip")
    tops = [puller.env[name] for name in ("HOME", "XDG_RUNTIME_DIR")]
    written = [path for top in tops for path in lib.Path(top).rglob("*.json")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in written] == [0o600]
    assert all(stat.S_IMODE(path.parent.stat().st_mode) == 0o700 for path in written)


def test_login_writes_for_the_user_alone(puller, basic_proxy, auth_file):
    """Whatever the umask and the mode before; complete or not at all, without leftovers."""
    auth_file.write_text("{}")
    auth_file.chmod(0o644)
    assert login(puller, basic_proxy.host, preexec_fn=lambda: os.umask(0)).rc == 0
    assert stat.S_IMODE(auth_file.stat().st_mode) == 0o600
    assert os.listdir(auth_file.parent) == [auth_file.name]


def test_login_keeps_what_others_have_written(puller, basic_proxy, auth_file):
    """Other registries, and settings it does not know; so does logout."""
    old = {"auths": {"other.example": auth_of()}, "credHelpers": {"x.example": "y"}, "psFormat": "table"}
    auth_file.write_text(json.dumps(old))
    assert login(puller, basic_proxy.host).rc == 0
    assert json.loads(auth_file.read_text()) == {
        **old, "auths": {"other.example": auth_of(), basic_proxy.host: auth_of()}}
    puller.ok("logout", basic_proxy.host)
    assert json.loads(auth_file.read_text()) == old


def test_login_verifies_the_password(puller, basic_proxy, auth_file):
    """A wrong one is refused in one line, and not kept; the password is not in the line."""
    result = login(puller, basic_proxy.host, "not-this-one")
    refused(result, basic_proxy.host)
    assert "not-this-one" not in result.err and not auth_file.exists()


def test_login_verifies_at_the_token_server(puller, token_proxy, token_server, auth_file):
    """If the registry has one."""
    refused(login(puller, token_proxy.host, "not-this-one"), token_proxy.host)
    assert not auth_file.exists()
    assert login(puller, token_proxy.host).rc == 0
    assert token_server.requests[-1].status == 200
    pull(puller, f"{token_proxy.host}/private/gzip")


def test_login_over_tls(puller, basic_registry, authority, tmp_path, auth_file):
    """An authority that nobody trusts gets no password; with it in the configuration it works."""
    refused(login(puller, basic_registry.host), "certificate")
    assert not auth_file.exists()
    configure(puller, tmp_path, registries={basic_registry.host: {"ca": str(authority.cert)}})
    assert login(puller, basic_registry.host).rc == 0


@pytest.mark.parametrize("args, stdin", [
    (["-u", USER], b""), (["--password-stdin"], PASSWORD.encode()), ([], PASSWORD.encode()),
    (["-u", USER, "--password-stdin"], b""), (["-u", USER, "--password-stdin"], b"\n"),
    (["-u", "", "--password-stdin"], b"x"), (["-u", "a:b", "--password-stdin"], b"x"),
    (["-u", USER, "--password-stdin"], b"a\nb\n"), (["-u", USER, "--password-stdin"], b"a\0b"),
    (["-u", USER, "--password-stdin"], b"x" * 100_000), (["-u", USER, "--password", PASSWORD], b"")])
def test_login_refuses_what_cannot_be(puller, basic_proxy, auth_file, args, stdin):
    """No terminal to ask on, an empty name or password, a colon in the name, several lines, a password as argument."""
    refused(puller("login", *args, basic_proxy.host, stdin=stdin))
    assert not auth_file.exists() and authorizations(basic_proxy) == []


@pytest.mark.parametrize("host", ["", "a b", "host/path", "http://host", "[::1", "host:port", "host:99999"])
@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_registry_is_a_host_and_perhaps_a_port(puller, auth_file, command, host):
    """Everything else is refused before anything is asked or written."""
    args = ["-u", USER, "--password-stdin"] if command == "login" else []
    refused(puller(command, *args, host, stdin=PASSWORD))
    assert not auth_file.exists()


def test_login_does_not_overwrite_a_file_that_is_broken(puller, basic_proxy, auth_file):
    """It names it."""
    auth_file.write_text("{ broken")
    refused(login(puller, basic_proxy.host), "auth.json")
    assert auth_file.read_text() == "{ broken"


def test_logout_of_where_one_is_not_logged_in_changes_nothing(puller, auth_file):
    """Whatever it says about that."""
    auth_file.write_text('{"auths": {}}')
    result = puller("logout", "other.example")
    assert result.rc in (0, 125) and (result.out + result.err).count("\n") <= 1
    assert auth_file.read_text() == '{"auths": {}}'


def test_pulls_do_not_write_credentials_into_the_store(puller, basic_proxy):
    """Not in any file of it."""
    log_in(puller, basic_proxy.host)
    pull(puller, f"{basic_proxy.host}/private/gzip")
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    for kind in ("refs", "blobs", "tmp", "partial"):
        for name in names(puller, kind):
            data = (puller.root / kind / name).read_bytes()
            assert PASSWORD.encode() not in data and secret not in data
