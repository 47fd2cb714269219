# SPDX-License-Identifier: Apache-2.0
"""Pulling from registries that break connections, answer nonsense, or lie."""
import json

import pytest

import faults
import ocimage
from faults import FaultProxy
from pulls import diff_ids, layers_in_store, names, pull, references, refused, refused_pull, visible

# More tries than anybody needs; a pull that goes on for ever fails here.
MANY = 12


@pytest.fixture
def noise(proxy, published):
    """(reference through the proxy, image): four layers of 2 MB."""
    return f"{proxy.host}/public/noise:latest", published("noise")


@pytest.fixture
def gzip(proxy, published):
    """(reference through the proxy, image): a small image that runs."""
    return f"{proxy.host}/public/gzip:latest", published("gzip")


def sent(proxy, layer):
    """Return the bytes of @layer that were sent in all requests."""
    return sum(request.sent for request in proxy.asked("blob", layer.digest))


# ---- connections ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("at", [1, 65536, 600_000])
@pytest.mark.parametrize("times", [1, 3])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(puller, proxy, noise, at, times):
    """No byte is sent twice, nothing is asked more often than it broke."""
    ref, image = noise
    layer = image.layers[1]
    proxy.on("blob", layer.digest, do=faults.cut(at), times=times)
    assert pull(puller, ref) == image.digest
    asked = proxy.asked("blob", layer.digest)
    assert [r.headers["Range"] for r in asked] == [None] + [f"bytes={at * n}-" for n in range(1, times + 1)]
    assert sent(proxy, layer) == len(layer.data)


def test_progress_renews_the_patience(puller, proxy, noise):
    """A line that always breaks after 200,000 bytes gets 2,000,000 through."""
    ref, image = noise
    layer = image.layers[1]
    proxy.on("blob", layer.digest, do=faults.cut(200_000))
    assert pull(puller, ref, timeout=120) == image.digest
    assert sent(proxy, layer) == len(layer.data)


@pytest.mark.parametrize("fault", [faults.cut(0), faults.refuse_connection, faults.reset(0), faults.reset(1_000_000)],
                         ids=["cut", "no answer", "reset at once", "reset later"])
@pytest.mark.parametrize("kind", ["manifest", "blob"])
def test_broken_connections_are_tried_again(puller, proxy, noise, kind, fault):
    """Once is nothing, for manifests and blobs."""
    ref, image = noise
    script = proxy.on(kind, do=fault, times=1)
    assert pull(puller, ref) == image.digest
    assert script.hits == 1
    assert layers_in_store(puller) == diff_ids(image)


def test_a_connection_that_never_works_is_given_up(puller, proxy, gzip):
    """After some tries; nothing is half there."""
    ref, image = gzip
    proxy.on("blob", image.layers[1].digest, do=faults.cut(0))
    refused_pull(puller, ref, proxy.host, timeout=120)
    assert 2 <= proxy.count("blob", image.layers[1].digest) <= MANY


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("kind", ["manifest", "blob"])
def test_servers_in_trouble_are_asked_again(puller, proxy, gzip, kind, status):
    """Twice is nothing."""
    ref, image = gzip
    script = proxy.on(kind, do=faults.error(status), times=2)
    assert pull(puller, ref) == image.digest
    assert script.hits == 2


@pytest.mark.parametrize("status", [400, 404, 405, 410, 451, 501])
def test_answers_that_mean_no_are_not_asked_again(puller, proxy, gzip, status):
    """The line tells what the registry says."""
    ref, _ = gzip
    proxy.on("manifest", do=faults.error(status, "SOME_CODE", "some words of the registry"))
    refused_pull(puller, ref, ("some words of the registry", "no image"))
    assert proxy.count("manifest") == 1


def test_retry_after_is_honoured(puller, proxy, gzip):
    """The next question does not come before."""
    ref, image = gzip
    proxy.on("manifest", do=faults.error(429, headers=[("Retry-After", "2")]), times=1)
    assert pull(puller, ref) == image.digest
    first, second = proxy.asked("manifest")
    assert second.at - first.at >= 2


def test_a_rate_limit_is_explained(puller, proxy, gzip):
    """One line, with what can be done. Who is to wait an hour is not kept waiting."""
    ref, _ = gzip
    proxy.on("manifest", do=faults.error(429, "TOOMANYREQUESTS", "pull rate limit", [("Retry-After", "3600")]))
    refused_pull(puller, ref, proxy.host, ("rate limit", "too many requests"), ("login", "mirror"))
    assert proxy.count("manifest") <= MANY


def test_a_server_that_stays_in_trouble_is_given_up(puller, proxy, gzip):
    """One line that names it and its answer."""
    ref, _ = gzip
    proxy.on("manifest", do=faults.error(503))
    refused_pull(puller, ref, proxy.host, "503", timeout=120)
    assert 2 <= proxy.count("manifest") <= MANY


# ---- parts ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("answer", [faults.ignore_range, faults.wrong_part, faults.header("Content-Range", None),
                                    faults.header("Content-Range", "bytes 0-9/10"),
                                    faults.header("Content-Range", "nonsense"), faults.answer(416)],
                         ids=["whole", "another part", "no range", "range of another", "nonsense", "416"])
def test_a_server_that_gives_no_parts_starts_again(puller, proxy, noise, answer):
    """The whole instead, another part, a part of something else, none: the layer is right in the end."""
    ref, image = noise
    layer = image.layers[2]
    proxy.on("blob", layer.digest, do=faults.cut(1_000_000), times=1)
    script = proxy.on("blob", layer.digest, do=answer, times=1)
    assert pull(puller, ref) == image.digest
    assert script.hits == 1
    assert layers_in_store(puller) == diff_ids(image)


# ---- redirects -----------------------------------------------------------------------------------------------

@pytest.fixture
def elsewhere(registry):
    """Another server that has the same blobs."""
    with FaultProxy(registry) as other:
        yield other


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_blobs_are_fetched_where_the_registry_sends_us(puller, proxy, elsewhere, gzip, status):
    """Without the manifests."""
    ref, image = gzip
    proxy.on("blob", do=faults.redirect(lambda r: f"http://{elsewhere.host}{r.path}", status))
    assert pull(puller, ref) == image.digest
    assert all(elsewhere.count("blob", layer.digest) == 1 for layer in image.layers)
    assert elsewhere.count("manifest") == 0


def test_a_redirect_may_be_relative(puller, proxy, gzip):
    """To a path of the same server."""
    ref, image = gzip
    proxy.on("blob", do=faults.redirect(lambda r: r.path), times=1)
    assert pull(puller, ref) == image.digest


def test_what_breaks_after_a_redirect_is_taken_up_through_the_registry(puller, proxy, elsewhere, noise):
    """Addresses of storage servers are good for a while only: they are asked for again."""
    ref, image = noise
    layer = image.layers[0]
    proxy.on("blob", layer.digest, do=faults.redirect(lambda r: f"http://{elsewhere.host}{r.path}"))
    elsewhere.on("blob", layer.digest, do=faults.cut(1_000_000), times=1)
    assert pull(puller, ref) == image.digest
    assert [r.headers["Range"] for r in elsewhere.asked("blob", layer.digest)] == [None, "bytes=1000000-"]
    assert proxy.count("blob", layer.digest) == 2


def test_redirects_in_a_circle_are_given_up(puller, proxy, gzip):
    """After a few."""
    ref, image = gzip
    proxy.on("blob", image.layers[1].digest, do=faults.redirect(lambda r: f"http://{proxy.host}{r.path}"))
    refused_pull(puller, ref, "redirect", timeout=120)
    assert proxy.count("blob", image.layers[1].digest) <= 10 * MANY


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://[::1]:1/x", "gopher://[::1]:1/x", "http://", "",
                                   "http://user:password@[::1]:1/x"])
def test_redirects_to_what_is_no_web_server_are_refused(puller, proxy, gzip, place):
    """Other protocols, nonsense, a closed port."""
    ref, image = gzip
    proxy.on("blob", image.layers[1].digest, do=faults.redirect(place))
    result = refused_pull(puller, ref, timeout=120)
    assert "root:" not in result.err


# ---- lies about manifests ------------------------------------------------------------------------------------

def test_parameters_of_a_content_type_do_not_matter(puller, proxy, gzip):
    """RFC 9110 section 8.3.1."""
    ref, image = gzip
    proxy.on("manifest", do=faults.header("Content-Type", image.media + "; charset=utf-8"))
    assert pull(puller, ref) == image.digest


@pytest.mark.parametrize("kind", ["text/html", ocimage.OCI_INDEX, ocimage.DOCKER_MANIFEST,
                                  "application/vnd.docker.distribution.manifest.v1+prettyjws"])
def test_a_manifest_under_another_type_is_refused(puller, proxy, gzip, kind):
    """What the head says and what the body says must be one (CVE-2021-41190)."""
    ref, _ = gzip
    proxy.on("manifest", do=faults.header("Content-Type", kind))
    refused_pull(puller, ref, ("type", "schema", "manifest", "index"))
    assert proxy.count("blob") == 0


def serve_manifest(proxy, body, media=ocimage.OCI_MANIFEST):
    """Let the proxy answer @body (bytes, or a value that becomes JSON) for every manifest, digest and all."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    proxy.on("manifest", do=faults.answer(200, [("Content-Type", media),
                                                ("Docker-Content-Digest", ocimage.digest_of(data))], data))


def changed(image, **fields):
    """Return the manifest of @image with other fields."""
    return {**json.loads(image.manifest), **fields}


def test_a_manifest_that_is_an_index_too_is_refused(puller, proxy, gzip):
    """CVE-2021-41190: others might see another image in it."""
    ref, image = gzip
    serve_manifest(proxy, changed(image, manifests=[]))
    refused_pull(puller, ref, ("manifest", "index"))


def test_a_key_that_occurs_twice_is_refused(puller, proxy, gzip):
    """Parsers do not agree about which of them counts."""
    ref, image = gzip
    serve_manifest(proxy, image.manifest[:-1] + b', "layers": []}')
    refused_pull(puller, ref)


BROKEN = {"empty": b"", "no JSON": b"<html>Please log in</html>", "cut": b'{"schemaVersion": 2, "conf', "a list": b"[]",
          "null": b"null", "no layers": b'{"schemaVersion": 2}', "deep": b"[" * 100_000, "NUL": b'{"a": "\0"}',
          "not UTF-8": b'{"schemaVersion": 2, "mediaType": "\xff"}'}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_manifest_that_is_none_is_refused(puller, proxy, gzip, body):
    """One line; nothing else is asked for."""
    ref, _ = gzip
    serve_manifest(proxy, body)
    refused_pull(puller, ref)
    assert proxy.count("blob") == 0


def test_a_manifest_cut_short_is_refused(puller, proxy, gzip):
    """Its length is that of what came, as from a broken cache."""
    ref, image = gzip
    proxy.on("manifest", do=faults.truncate(len(image.manifest) // 2))
    refused_pull(puller, ref)


def test_a_manifest_without_end_is_refused(puller, proxy, gzip):
    """More than 4 MiB."""
    ref, image = gzip
    serve_manifest(proxy, changed(image, annotations={"x": "y" * (5 << 20)}))
    refused_pull(puller, ref, ("large", "big", "long", "limit", "MiB", "bytes"))
    assert proxy.count("blob") == 0


def test_a_digest_in_a_header_is_not_believed(puller, proxy, gzip, published):
    """Refused, or what is stored is named by the digest of what came."""
    ref, image = gzip
    proxy.on("manifest", do=faults.header("Docker-Content-Digest", published("busybox").digest))
    result = puller("pull", "--quiet", ref)
    assert (result.rc, result.out) in ((0, image.digest + "\n"), (125, "")), result.err


@pytest.mark.parametrize("fault", [faults.flip(10), faults.truncate(100)], ids=["bit", "short"])
def test_a_manifest_that_is_not_what_was_named_is_refused(puller, proxy, published, fault):
    """By digest."""
    image = published("gzip")
    proxy.on("manifest", do=fault)
    refused_pull(puller, f"{proxy.host}/public/gzip@{image.digest}", "digest")


def test_another_image_under_the_digest_is_refused(puller, proxy, published):
    """A whole one, from a registry that would like to choose."""
    other = published("busybox")
    serve_manifest(proxy, other.manifest)
    refused_pull(puller, f"{proxy.host}/public/gzip@{published('gzip').digest}", "digest")


def layer_field(image, **fields):
    """Return the manifest of @image with other fields in its last layer."""
    parts = json.loads(image.manifest)
    parts["layers"][-1].update(fields)
    return parts


@pytest.mark.parametrize("fields", [{"digest": "sha256:../../../etc/passwd"}, {"digest": "sha256:" + "A" * 64},
                                    {"digest": "md5:" + "0" * 32}, {"digest": 5}, {"digest": ""}, {"size": -1},
                                    {"size": "12"}, {"size": 1 << 62}, {"size": 1.5}, {"mediaType": "text/plain"},
                                    {"mediaType": 1}])
def test_layers_that_cannot_be_are_refused(puller, proxy, gzip, fields):
    """Digests, sizes and types; nothing is asked for under such a name."""
    ref, image = gzip
    serve_manifest(proxy, layer_field(image, **fields))
    refused_pull(puller, ref)
    assert not [r for r in proxy.requests if ".." in r.path or "md5" in r.path]


@pytest.mark.parametrize("by", [-1, 1])
def test_a_layer_of_another_size_is_refused(puller, proxy, gzip, by):
    """One byte is enough."""
    ref, image = gzip
    serve_manifest(proxy, layer_field(image, size=len(image.layers[-1].data) + by))
    refused_pull(puller, ref, ("size", "bytes", "length", "long", "short", "end"), timeout=120)


# ---- lies about blobs ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault", [faults.flip(20), faults.flip(-1), faults.too_long(1), faults.too_long(10 << 20),
                                   faults.truncate(100), faults.truncate(0), faults.answer(200, body=b"<html>")],
                         ids=["first bit", "last bit", "a byte more", "much more", "short", "empty", "text"])
def test_a_layer_that_is_not_what_was_named_is_refused(puller, proxy, gzip, fault):
    """However often it is asked for; later the true one is taken."""
    ref, image = gzip
    digest = image.layers[1].digest
    proxy.on("blob", digest, do=fault)
    refused_pull(puller, ref, (digest.partition(":")[2][:12], "blob of "), timeout=120)
    assert proxy.count("blob", digest) <= MANY
    assert references(puller) == {}
    proxy.clear()
    assert pull(puller, ref) == image.digest
    assert puller.ok("run", "--rm", ref).out == "which\n"


@pytest.mark.parametrize("fault", [faults.flip(20), faults.too_long(1), faults.truncate(100)],
                         ids=["bit", "a byte more", "short"])
def test_a_configuration_that_is_not_what_was_named_is_refused(puller, proxy, gzip, fault):
    """As for layers."""
    ref, image = gzip
    proxy.on("blob", image.config_digest, do=fault)
    refused_pull(puller, ref, timeout=120)
    assert proxy.count("blob", image.config_digest) <= MANY
    proxy.clear()
    assert pull(puller, ref) == image.digest


def test_a_layer_that_is_missing_is_one_line(puller, proxy, gzip):
    """The registry has lost it: the line names the layer."""
    ref, image = gzip
    digest = image.layers[1].digest
    proxy.on("blob", digest, do=faults.error(404, "BLOB_UNKNOWN", "blob unknown to registry"))
    refused_pull(puller, ref, digest.partition(":")[2][:12])
    assert proxy.count("blob", digest) == 1


def with_config(registry, layers, name, **fields):
    """Push an image of @layers whose configuration has other fields. Return it."""
    image = ocimage.image(layers, Cmd=["true"])
    config = {**json.loads(image.blobs[image.config_digest]), **fields}
    body = json.dumps(config).encode()
    manifest = {**json.loads(image.manifest), "config": ocimage.descriptor(body, ocimage.OCI_CONFIG)}
    blobs = {one.digest: one.data for one in layers}
    made = ocimage.Image(json.dumps(manifest).encode(), image.media, layers,
                         {ocimage.digest_of(body): body, **blobs})
    registry.push(made, name, "latest")
    return made


WRONG_DIFF_IDS = {
    "another": lambda ids: [ids[0], "sha256:" + "0" * 64], "exchanged": lambda ids: [ids[1], ids[0]],
    "too few": lambda ids: ids[:1], "too many": lambda ids: [*ids, ids[0]], "none": lambda ids: [],
    "a path": lambda ids: ["sha256:../../x", ids[1]], "numbers": lambda ids: [1, 2], "null": lambda ids: None}


@pytest.mark.parametrize("diff_ids_of", WRONG_DIFF_IDS.values(), ids=WRONG_DIFF_IDS)
def test_content_that_is_not_what_the_configuration_says_is_refused(puller, proxy, registry, gzip, diff_ids_of):
    """The digests of the unpacked layers: another, exchanged, too few, too many, none."""
    layers = gzip[1].layers
    with_config(registry, layers, "lying/config",
                rootfs={"type": "layers", "diff_ids": diff_ids_of([one.diff_id for one in layers])})
    refused_pull(puller, f"{proxy.host}/lying/config")


NO_ARCHIVES = {"empty": b"", "text": b"no archive at all" * 100,
               "text in gzip": ocimage.gzip_members(b"not a tar" * 1000, 1),
               "cut": ocimage.layer({"a": b"x" * 5000}).data[:-20],
               "more after the end": ocimage.layer({"a": b"x" * 5000}).data + b"garbage after the end"}


@pytest.mark.parametrize("data", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_a_layer_that_is_no_archive_is_refused(puller, proxy, registry, data):
    """With all digests right."""
    layer = ocimage.Layer(data, ocimage.layer({"a": b"x" * 5000}).diff_id, ocimage.OCI_LAYER + "+gzip")
    registry.push(ocimage.image([layer], Cmd=["true"]), "no/archive", "latest")
    refused_pull(puller, f"{proxy.host}/no/archive", timeout=120)


# ---- what the registry says to people ------------------------------------------------------------------------

def test_an_unknown_repository_is_one_line(puller, proxy):
    """It names what was asked for."""
    refused_pull(puller, f"{proxy.host}/public/no-such-thing:latest", "public/no-such-thing", ("no image", "not found", "unknown"))


def test_an_unknown_tag_is_one_line(puller, proxy, gzip):
    """It names the tag."""
    refused_pull(puller, f"{proxy.host}/public/gzip:no-such-tag", "no-such-tag", ("no image", "not found", "unknown"))


def test_an_unknown_digest_is_one_line(puller, proxy, gzip):
    """It names the digest."""
    refused_pull(puller, f"{proxy.host}/public/gzip@sha256:{'0' * 64}", "0" * 12, ("no image", "not found", "unknown"))


def test_warnings_of_the_registry_are_shown_once(puller, proxy, gzip):
    """distribution-spec "Warnings": each text once, however many answers have it."""
    ref, _ = gzip
    proxy.on(None, do=faults.header("Warning", '299 - "this repository moves to another place"'))
    result = puller.ok("pull", ref)
    assert result.err.count("this repository moves to another place") == 1


@pytest.mark.parametrize("how", ["warning", "error"])
def test_words_of_the_registry_cannot_steer_the_terminal(puller, proxy, gzip, how):
    """Control characters in them are not printed."""
    ref, _ = gzip
    if how == "warning":
        proxy.on(None, do=faults.header("Warning", '299 - "\x1b[31mred\x1b]0;title\x07"'))
    else:
        proxy.on("manifest", do=faults.error(403, "DENIED", "\\u001b[31mred\\u009b0m\\nsecond line"))
    result = puller("pull", ref)
    assert result.rc == (0 if how == "warning" else 125)
    assert not set(result.err) & {"\x1b", "\x07", "\x9b"}
    if how == "error":
        refused(puller("pull", "--quiet", ref))


def test_a_registry_that_speaks_no_registry_is_one_line(puller, proxy):
    """A web server that says 200 to everything."""
    proxy.on(None, do=faults.answer(200, [("Content-Type", "text/html")], b"<html>hello</html>"))
    refused_pull(puller, f"{proxy.host}/public/gzip:latest")
    assert not any(visible(puller).values()) and names(puller, "partial") == []
