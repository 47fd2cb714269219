# SPDX-License-Identifier: Apache-2.0
"""The registries, the token server and the fault proxy of the other tests do what those rely on."""
import http.client
import json
import ssl
import subprocess
import urllib.parse

import pytest

import faults
import lib
import ocimage
import registry as registries


def ask(host, path, context=None, method="GET", body=None, **headers):
    """Send one request. Return (status, headers, body)."""
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    connection = kind(host, timeout=30, **({"context": context} if context else {}))
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    try:
        return answer.status, answer.headers, answer.read()
    except http.client.IncompleteRead as error:
        return answer.status, answer.headers, error.partial
    finally:
        connection.close()


def trusting(authority):
    """A TLS context that trusts @authority only."""
    return ssl.create_default_context(cafile=str(authority.cert))


KINDS = ["busybox", *ocimage.KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_the_registry_gives_what_was_pushed(registry, published, kind):
    """Manifest and blobs, byte by byte."""
    image = published(kind)
    status, headers, body = ask(registry.host, f"/v2/public/{kind}/manifests/latest", Accept=image.media)
    assert (status, body) == (200, image.manifest)
    assert headers["Content-Type"] == image.media and headers["Docker-Content-Digest"] == image.digest
    for digest, data in image.blobs.items():
        assert ask(registry.host, f"/v2/public/{kind}/blobs/{digest}")[2] == data


@pytest.mark.parametrize("kind", ["busybox", "zstd", "members", "docker", "multi"])
def test_another_client_takes_the_images(registry, registry_dir, published, kind, tmp_path):
    """skopeo, which knows no brackets, through 127.0.0.1."""
    published(kind)
    second = registries.Registry(tmp_path / "second", registry.storage, "127.0.0.1")
    try:
        done = subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false",
                               f"docker://{second.host}/public/{kind}", f"oci:{tmp_path}/copy:x"],
                              capture_output=True, text=True, check=False)
    finally:
        second.stop()
    assert done.returncode == 0, done.stderr
    assert registry_dir


def test_tls_is_verified_against_the_authority(tls_registry, authority):
    """Without it the server is not trusted."""
    assert ask(tls_registry.host, "/v2/", trusting(authority))[0] == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(tls_registry.host, "/v2/", ssl.create_default_context())


@pytest.mark.parametrize("how, words", [({"start_s": -7200, "end_s": -3600}, "expired"),
                                        ({"alt": "DNS:other.example"}, "mismatch")])
def test_bad_certificates_are_bad(registry_dir, authority, tmp_path, how, words):
    """An expired one and one for somebody else."""
    server = registries.Registry(tmp_path / "bad", registry_dir / "storage", tls=authority.server("bad", **how))
    try:
        with pytest.raises(ssl.SSLCertVerificationError, match=words):
            ask(server.host, "/v2/", trusting(authority))
    finally:
        server.stop()


def test_basic_authentication_wants_the_password(basic_registry, authority):
    """401 with a challenge otherwise."""
    context = trusting(authority)
    good, bad = registries.basic(registries.USER, registries.PASSWORD), registries.basic(registries.USER, "x")
    assert ask(basic_registry.host, "/v2/", context, Authorization=good)[0] == 200
    for headers in ({}, {"Authorization": bad}):
        status, answer, _ = ask(basic_registry.host, "/v2/", context, **headers)
        assert status == 401 and answer["WWW-Authenticate"].startswith("Basic ")


def challenge(host, name):
    """Return the challenge of a token registry for @name."""
    status, headers, _ = ask(host, f"/v2/{name}/manifests/latest")
    assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer ")
    return dict(part.split("=", 1) for part in headers["WWW-Authenticate"][7:].replace('"', "").split(","))


def token(server, scope, method="GET", authorization=None, **fields):
    """Ask the token server; return (status, JSON)."""
    query = urllib.parse.urlencode({"service": registries.SERVICE, "scope": scope, **fields})
    headers = {"Authorization": authorization} if authorization else {}
    if method == "GET":
        status, _, body = ask(server.host, "/token?" + query, **headers)
    else:
        status, _, body = ask(server.host, "/token", None, method, query, **headers,
                              Content_Type="application/x-www-form-urlencoded")
    return status, json.loads(body)


def manifest_status(registry, name, bearer):
    """Return the status of a request for the manifest of @name with a token."""
    return ask(registry.host, f"/v2/{name}/manifests/latest", Accept=ocimage.OCI_MANIFEST,
               Authorization="Bearer " + bearer)[0]


def test_the_registry_takes_tokens_of_the_token_server(token_registry, token_server, published):
    """For a public repository without a password, for a private one with it."""
    published("busybox")
    said = challenge(token_registry.host, "private/busybox")
    assert said == {"realm": f"http://{token_server.host}/token", "service": registries.SERVICE,
                    "scope": "repository:private/busybox:pull"}
    basic = registries.basic(registries.USER, registries.PASSWORD)
    nobody = token(token_server, "repository:public/busybox:pull")[1]["token"]
    assert manifest_status(token_registry, "public/busybox", nobody) == 200
    nobody = token(token_server, said["scope"])[1]["token"]
    assert manifest_status(token_registry, "private/busybox", nobody) == 401
    user = token(token_server, said["scope"], authorization=basic)[1]["token"]
    assert manifest_status(token_registry, "private/busybox", user) == 200
    assert manifest_status(token_registry, "private/layers", user) == 401
    assert [r.user for r in token_server.requests] == [None, None, registries.USER]


def test_the_token_server_knows_the_form_of_oauth2(token_registry, token_server, published):
    """Password and refresh token; 404 if a test wants that."""
    published("busybox")
    scope = "repository:private/busybox:pull"
    status, body = token(token_server, scope, "POST", grant_type="password", username=registries.USER,
                         password=registries.PASSWORD, access_type="offline", client_id="x")
    assert status == 200 and manifest_status(token_registry, "private/busybox", body["access_token"]) == 200
    status, body = token(token_server, scope, "POST", grant_type="refresh_token", client_id="x",
                         refresh_token=body["refresh_token"])
    assert status == 200 and manifest_status(token_registry, "private/busybox", body["access_token"]) == 200
    assert token(token_server, scope, "POST", grant_type="refresh_token", refresh_token="no")[0] == 401
    assert token(token_server, scope, authorization=registries.basic("user", "no"))[0] == 401
    token_server.allow_post = False
    assert token(token_server, scope, "POST", grant_type="refresh_token", refresh_token="no")[0] == 404


def test_a_stale_token_is_not_taken(token_registry, token_server, published):
    """The registry says that it is invalid."""
    published("busybox")
    token_server.stale = 1
    bearers = [token(token_server, "repository:public/busybox:pull")[1]["token"] for _ in range(2)]
    assert [manifest_status(token_registry, "public/busybox", one) for one in bearers] == [401, 200]


# ---- the proxy -----------------------------------------------------------------------------------------------

@pytest.fixture
def blob(published):
    """(path, bytes, digest) of a layer."""
    layer = published("noise").layers[0]
    return f"/v2/public/noise/blobs/{layer.digest}", layer.data, layer.digest


def test_the_proxy_forwards_and_records(proxy, blob):
    """Parts, too."""
    path, data, digest = blob
    assert ask(proxy.host, path)[2] == data
    status, headers, body = ask(proxy.host, path, Range="bytes=1000-")
    assert (status, body) == (206, data[1000:])
    assert headers["Content-Range"] == f"bytes 1000-{len(data) - 1}/{len(data)}"
    assert ask(proxy.host, path, method="HEAD")[1]["Content-Length"] == str(len(data))
    asked = proxy.asked("blob", digest)
    assert [(r.method, r.name, r.headers["Range"], r.status, r.sent) for r in asked] == [
        ("GET", "public/noise", None, 200, len(data)), ("GET", "public/noise", "bytes=1000-", 206, len(data) - 1000),
        ("HEAD", "public/noise", None, 200, 0)]


def test_faults_come_as_often_as_asked(proxy, blob):
    """Then the proxy forwards."""
    path, data, digest = blob
    fault = proxy.on("blob", digest, do=faults.cut(1000), times=2)
    assert [len(ask(proxy.host, path)[2]) for _ in range(3)] == [1000, 1000, len(data)]
    assert fault.hits == 2


def test_tls_is_not_understood(proxy):
    """The client learns it at once, and nothing counts as a request."""
    with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
        ask(proxy.host, "/v2/", ssl.create_default_context())
    assert proxy.count() == 0


def test_a_reset_is_a_reset(proxy, blob):
    """Not the end of the stream."""
    proxy.on("blob", do=faults.reset(0))
    with pytest.raises(ConnectionResetError):
        ask(proxy.host, blob[0])


def test_a_stall_lasts_until_it_is_released(proxy, blob):
    """And the test learns when it has begun."""
    fault = proxy.on("blob", do=faults.stall(1000))
    with lib.Process(["curl", "-sgN", f"http://{proxy.host}{blob[0]}"], stdout=subprocess.PIPE) as curl:
        fault.await_stall()
        assert curl.stdout.read(1000) == blob[1][:1000]
        proxy.release()
        assert curl.stdout.read() == b"" and curl.wait() == 18  # curl(1): partial file


@pytest.mark.parametrize("fault, wanted", [
    (faults.ignore_range, lambda data: (200, None, data)),
    (faults.wrong_part, lambda data: (206, f"bytes 11-{len(data) - 1}/{len(data)}", data[11:])),
    (faults.flip(5), lambda data: (206, f"bytes 10-{len(data) - 1}/{len(data)}",
                                   data[10:15] + bytes([data[15] ^ 1]) + data[16:])),
    (faults.too_long(3), lambda data: (206, f"bytes 10-{len(data) - 1}/{len(data)}", data[10:] + bytes(3))),
    (faults.truncate(7), lambda data: (206, f"bytes 10-{len(data) - 1}/{len(data)}", data[10:17])),
    (faults.drip(1 << 20, 0), lambda data: (206, f"bytes 10-{len(data) - 1}/{len(data)}", data[10:])),
    (faults.error(429, headers=[("Retry-After", "1")]), lambda data: (429, None, None)),
    (faults.redirect("http://other.example/"), lambda data: (307, None, b"")),
])
def test_what_a_fault_says(proxy, blob, fault, wanted):
    """As an answer to a request for a part."""
    path, data, _ = blob
    proxy.on("blob", do=fault)
    status, headers, body = ask(proxy.host, path, Range="bytes=10-")
    good_status, good_range, good_body = wanted(data)
    assert (status, headers["Content-Range"]) == (good_status, good_range)
    assert good_body is None or body == good_body


def test_headers_can_be_changed(proxy, published):
    """One instead of another, one more, one less."""
    published("busybox")
    path = "/v2/public/busybox/manifests/latest"
    for name, value in (("Content-Type", "text/html; charset=utf-8"), ("Warning", '299 - "soon gone"'),
                        ("Docker-Content-Digest", None)):
        proxy.clear()
        proxy.on("manifest", do=faults.header(name, value))
        status, headers, _ = ask(proxy.host, path, Accept=ocimage.OCI_MANIFEST)
        assert status == 200 and headers.get_all(name) == ([value] if value else None)


def test_a_registry_dies_with_the_test(registry_dir, tmp_path):
    """And its port is free again."""
    server = registries.Registry(tmp_path / "short", registry_dir / "storage")
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(server.host, "/v2/")
