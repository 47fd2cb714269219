# SPDX-License-Identifier: Apache-2.0
"""Pulling images: names, platforms, forms of images, what is printed, and when run and create pull."""
import json
import os
import pty
import re
import select

import pytest

import faults
import lib
import ocimage
from faults import FaultProxy
from pulls import (STATES, configure, diff_ids, events, layers_in_store, names, pull, references, refused,
                   refused_pull, visible)

HEX = re.compile(r"sha256:[0-9a-f]{64}")


# ---- names ---------------------------------------------------------------------------------------------------

def test_an_image_is_pulled_from_an_ipv6_address_and_runs(puller, proxy, published):
    """[::1]:port/name:tag, the name that it is called by afterwards, too."""
    published("gzip")
    ref = f"{proxy.host}/public/gzip:latest"
    assert ref.startswith("[::1]:")
    result = puller.ok("pull", ref)
    assert result.out == f"Pulled: {ref}\n"
    assert puller.ok("run", "--rm", "--pull", "never", ref).out == "which\n"


def test_a_name_without_tag_means_latest(puller, proxy, published):
    """In the request, in the list, and when it is run."""
    image = published("busybox")
    assert pull(puller, f"{proxy.host}/public/busybox") == image.digest
    assert [r.what for r in proxy.asked("manifest")] == ["latest"]
    assert references(puller) == {f"{proxy.host}/public/busybox:latest": image.digest}
    assert puller.ok("run", "--rm", "--pull", "never", f"{proxy.host}/public/busybox", "echo", "x").out == "x\n"


@pytest.mark.parametrize("address, host", [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"),
                                           ("::1", "localhost")])
def test_other_names_of_loopback_are_spoken_to_in_plain_http(puller, registry, published, address, host):
    """127.0.0.1 and localhost, by whatever address that is."""
    image = published("busybox")
    with FaultProxy(registry, address) as front:
        ref = f"{host}:{front.host.rpartition(':')[2]}/public/busybox:latest"
        assert pull(puller, ref) == image.digest
        assert references(puller) == {ref: image.digest}


def test_an_image_can_be_named_by_digest(puller, proxy, published):
    """It is asked for by it, and runs by the same name."""
    image = published("gzip")
    ref = f"{proxy.host}/public/gzip@{image.digest}"
    assert pull(puller, ref) == image.digest
    assert {r.what for r in proxy.asked("manifest")} == {image.digest}
    proxy.forget()
    assert puller.ok("run", "--rm", ref).out == "which\n"
    assert proxy.count() == 0


def test_of_tag_and_digest_the_digest_wins(puller, proxy, published, registry):
    """The tag may have moved on since, or never have been."""
    image = published("gzip")
    registry.push(published("busybox"), "moved/on", "stable")
    registry.push(image, "moved/on")
    for tag in ("stable", "never-was"):
        assert pull(puller, f"{proxy.host}/moved/on:{tag}@{image.digest}") == image.digest
    assert {r.what for r in proxy.asked("manifest")} == {image.digest}


def test_an_index_can_be_named_by_digest(puller, proxy, published):
    """Pulled is the image in it; it runs by the digest of the index."""
    image = published("multi")
    ref = f"{proxy.host}/public/multi@{image.digest}"
    assert pull(puller, ref) == image.children[3].digest
    assert puller.ok("run", "--rm", "--pull", "never", ref).out == ocimage.ARCH + "\n"


@pytest.mark.parametrize("name", ["", "/", ":tag", "name:", "name@", "UPPER/case", "a b", "a//b", "a/../b", "name:-tag",
                                  "name@sha256:12", "name@md5:" + "0" * 32, "x" * 600, "name:" + "t" * 129, "a" * 64,
                                  "\x1b[31mred"])
def test_a_malformed_name_is_refused_before_anything_is_asked(puller, proxy, name):
    """After a good host; one line, without control characters of the name."""
    ref = f"{proxy.host}/{name}" if name not in ("", "a" * 64) else name
    if name == "a" * 64:
        ref = "0123456789abcdef" * 4  # a digest without its algorithm, which is no name
    result = refused_pull(puller, ref)
    assert "\x1b" not in result.err
    assert proxy.count() == 0


@pytest.mark.parametrize("host", ["[::1", "::1]:5000", "[::g]:5000", "[]:5000", "[::1]:0", "[::1]:65536", "[::1]:x",
                                  "[::1]x", "[::1%lo]:5000"])
def test_a_malformed_host_is_refused(puller, host):
    """Brackets that do not match, addresses and ports that are none."""
    refused_pull(puller, f"{host}/busybox:latest")


def test_a_blocked_registry_is_refused_by_its_name(puller):
    """A short name is one of docker.io, which the configuration of these tests blocks."""
    refused_pull(puller, "busybox", "docker.io", "block")


# ---- output --------------------------------------------------------------------------------------------------

def test_without_a_terminal_progress_is_plain_lines_on_stderr(puller, proxy, published):
    """Every layer is named by the beginning of its digest; nothing moves the cursor."""
    image = published("noise")
    result = puller.ok("pull", f"{proxy.host}/public/noise:latest")
    assert result.out == f"Pulled: {proxy.host}/public/noise:latest\n"
    assert not set(result.err) & {"\r", "\x1b", "\b"}
    lines = result.err.splitlines()
    for layer in image.layers:
        short = layer.digest.partition(":")[2][:12]
        said = [line for line in lines if short in line]
        # Once a state: bytes that come are no news without a terminal.
        assert 1 <= len(said) <= len(STATES) and len(set(said)) == len(said), lines


def test_on_a_terminal_progress_is_drawn(puller, proxy, published):
    """In place, and the last line is ended."""
    published("noise")
    ours, theirs = pty.openpty()
    with puller.start("pull", f"{proxy.host}/public/noise:latest", stderr=theirs) as process:
        os.close(theirs)
        drawn = b""
        try:
            while data := os.read(ours, 65536):
                drawn += data
        except OSError:  # EIO: the other side is closed
            pass
        os.close(ours)
        assert process.stdout.read() == f"Pulled: {proxy.host}/public/noise:latest\n".encode()
        assert process.wait() == 0
    assert b"\r" in drawn.replace(b"\r\n", b"\n") or b"\x1b[" in drawn
    assert drawn.endswith((b"\n", b"\x1b[K", b"\x1b[?25h", b"\x1b[?7h", b"\x1b[0m")), drawn[-80:]


def test_quiet_prints_only_the_digest(puller, proxy, published):
    """With -q, too."""
    image = published("gzip")
    for flag in ("--quiet", "-q"):
        result = puller.ok("pull", flag, f"{proxy.host}/public/gzip:latest")
        assert (result.out, result.err) == (image.digest + "\n", "")


def test_json_tells_each_layer_and_the_image(puller, proxy, published):
    """Lines as documented; states only go forward, bytes never exceed the total."""
    image = published("noise")
    result = puller.ok("pull", "--json", f"{proxy.host}/public/noise:latest")
    assert result.err == ""
    *layers, last = result.json_lines()
    assert {frozenset(one) for one in layers} == {
        frozenset(("event", "digest", "state", "currentBytes", "totalBytes"))}
    assert {one["event"] for one in layers} == {"layer"}
    sizes = {layer.digest: len(layer.data) for layer in image.layers}
    for digest, size in sizes.items():
        mine = [one for one in layers if one["digest"] == digest]
        ranks = [STATES.index(one["state"]) for one in mine]
        assert ranks == sorted(ranks) and mine[-1]["state"] == "done", mine
        assert all(0 <= one["currentBytes"] <= one["totalBytes"] == size for one in mine), mine
        assert mine[-1]["currentBytes"] == size
    assert {one["digest"] for one in layers} == set(sizes)
    assert set(last) == {"event", "reference", "fullReference", "digest", "layers", "sizeBytes"}
    assert (last["event"], last["digest"], last["layers"]) == ("pulled", image.digest, 4)
    assert last["reference"] == last["fullReference"] == f"{proxy.host}/public/noise:latest"
    assert last["sizeBytes"] > 0


def test_json_tells_the_index_if_there_is_one(puller, proxy, published):
    """The digest is that of the image, as for images and run."""
    image = published("multi")
    _, last = events(puller, f"{proxy.host}/public/multi:latest")
    assert (last["digest"], last["indexDigest"]) == (image.children[3].digest, image.digest)
    assert references(puller) == {f"{proxy.host}/public/multi:latest": last["digest"]}


def test_json_tells_which_layers_were_present(puller, proxy, registry, published):
    """Those that another image has brought."""
    first = published("noise")
    pull(puller, f"{proxy.host}/public/noise:latest")
    extra = ocimage.which("present")
    registry.push(ocimage.image([*first.layers, extra], Cmd=["true"]), "sharing/present", "latest")
    layers, last = events(puller, f"{proxy.host}/sharing/present:latest")
    states = {layer.digest: {one["state"] for one in layers if one["digest"] == layer.digest}
              for layer in [*first.layers, extra]}
    assert all("present" in states[layer.digest] and states[layer.digest] <= {"waiting", "present", "done"}
               for layer in first.layers), states
    assert "present" not in states[extra.digest] and "done" in states[extra.digest]
    assert last["layers"] == 5


def test_json_tells_errors(puller, proxy):
    """As every command: one object, nothing on stderr."""
    result = puller("pull", "--json", f"{proxy.host}/public/nothing:latest")
    assert result.rc == 125 and result.err == ""
    error = result.json_lines()[-1]["error"]
    assert set(error) == {"code", "errno", "message", "hint", "exitCode"} and error["exitCode"] == 125
    assert "public/nothing" in error["message"]


def test_json_and_quiet_are_one_line(puller, proxy, published):
    """--quiet leaves out the progress, --json says how the result looks."""
    published("gzip")
    lines = puller.ok("pull", "--json", "--quiet", f"{proxy.host}/public/gzip:latest").json_lines()
    assert [one["event"] for one in lines] == ["pulled"]


@pytest.mark.parametrize("args", [[], ["a", "b"], ["--platform"], ["--no-such", "a"], ["--json=x", "a"]])
def test_a_wrong_command_line_is_refused(puller, args):
    """One line; the store is not even made."""
    refused(puller("pull", *args))
    assert not puller.root.exists() or not any(visible(puller).values())


def test_help_names_the_options(puller):
    """And how a reference looks."""
    text = puller.ok("pull", "--help").out
    assert all(word in text for word in ("--platform", "--quiet", "--json", "REF", "SBRUN_CONFIG"))


# ---- platforms -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["multi", "nested"])
def test_of_an_index_the_image_for_this_host_is_taken(puller, proxy, published, kind):
    """Attestations before it and an index between do not matter; layers of others are not fetched."""
    published(kind)
    ref = f"{proxy.host}/public/{kind}:latest"
    pull(puller, ref)
    assert puller.ok("run", "--rm", "--pull", "never", ref).out == ocimage.ARCH + "\n"
    assert proxy.count("blob", ocimage.which(ocimage.OTHER_ARCH).digest) == 0


def test_another_platform_is_taken_if_it_is_asked_for(puller, proxy, published):
    """By name."""
    image = published("multi")
    ref = f"{proxy.host}/public/multi:latest"
    assert pull(puller, ref, "--platform", f"linux/{ocimage.OTHER_ARCH}") == image.children[2].digest
    assert references(puller) == {ref: image.children[2].digest}
    assert pull(puller, ref, f"--platform=linux/{ocimage.ARCH}") == image.children[3].digest
    assert references(puller) == {ref: image.children[3].digest}


@pytest.mark.parametrize("variant", ["v5", "v6", "v7"])
def test_a_variant_is_taken_if_it_is_asked_for(puller, proxy, published, variant):
    """linux/arm/v6 is not linux/arm/v7."""
    image = published("variants")
    wanted = image.children[("v5", "v6", "v7").index(variant)]
    assert pull(puller, f"{proxy.host}/public/variants", "--platform", f"linux/arm/{variant}") == wanted.digest


def test_an_index_without_this_platform_is_refused(puller, proxy, published):
    """The line names what was looked for."""
    published("foreign")
    refused_pull(puller, f"{proxy.host}/public/foreign:latest", f"linux/{ocimage.ARCH}")
    ref = f"{proxy.host}/public/foreign:latest"
    refused_pull(puller, ref, f"'{ref}': there is no image for linux/riscv64", flags=["--platform=linux/riscv64"])
    assert proxy.count("blob") == 0


@pytest.fixture
def other_image(registry, published):
    """An image for another architecture, without an index."""
    image = ocimage.image([ocimage.base_of(published("busybox"))], arch=ocimage.OTHER_ARCH, Cmd=["true"])
    registry.push(image, "other/arch", "latest")
    return image


def test_an_image_for_another_platform_is_refused_without_index_too(puller, proxy, other_image):
    """Its configuration says what it is for; its layers are not fetched."""
    refused_pull(puller, f"{proxy.host}/other/arch", f"linux/{ocimage.OTHER_ARCH}")
    assert proxy.count("blob", other_image.layers[0].digest) == 0
    assert pull(puller, f"{proxy.host}/other/arch", "--platform", f"linux/{ocimage.OTHER_ARCH}") == other_image.digest


def test_an_index_that_lies_about_the_platform_is_refused(puller, proxy, registry, published, other_image):
    """The configuration counts."""
    assert published
    registry.push(ocimage.index([(other_image, f"linux/{ocimage.ARCH}")]), "other/lie", "latest")
    refused_pull(puller, f"{proxy.host}/other/lie", ocimage.OTHER_ARCH)


@pytest.mark.parametrize("platform", ["", "linux", "/amd64", "linux/", "linux//v8", "linux/arm/v7/x", "linux/a b",
                                      "../../etc", "x" * 300])
def test_a_malformed_platform_is_refused_before_anything_is_asked(puller, proxy, platform):
    """OS/ARCH[/VARIANT]."""
    refused_pull(puller, f"{proxy.host}/public/multi:latest", "platform", flags=[f"--platform={platform}"])
    assert proxy.count() == 0


def test_an_index_that_is_nested_without_end_is_refused(puller, proxy, registry, published):
    """Ten levels are nobody's image."""
    image = published("gzip")
    for _ in range(10):
        image = ocimage.index([(image, None)])
    registry.push(image, "deep/index", "latest")
    refused_pull(puller, f"{proxy.host}/deep/index", ("nest", "depth", "deep", "level"))


# ---- forms of images -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["gzip", "zstd", "uncompressed", "members", "docker", "docker-list", "embedded"])
def test_images_of_every_form_run(puller, proxy, published, kind):
    """Compressions, several members of gzip, Docker's media types, an embedded configuration."""
    image = published(kind)
    ref = f"{proxy.host}/public/{kind}:latest"
    pull(puller, ref)
    wanted = kind if kind in ("docker", "embedded") else "docker" if kind == "docker-list" else "which"
    assert puller.ok("run", "--rm", "--pull", "never", ref).out == wanted + "\n"
    assert layers_in_store(puller) == diff_ids(image.children[0] if image.children else image)


def test_every_member_of_gzip_counts(puller, proxy, published):
    """What comes after the first member is part of the layer."""
    published("members")
    ref = f"{proxy.host}/public/members:latest"
    assert puller.ok("run", "--rm", ref, "wc", "-c", "/zeros").out == "300000 /zeros\n"


def test_an_image_of_twenty_layers_runs(puller, proxy, published):
    """Whiteouts and all."""
    image = published("layers")
    ref = f"{proxy.host}/public/layers:latest"
    pull(puller, ref, timeout=120)
    assert layers_in_store(puller) == diff_ids(image)
    assert puller.ok("run", "--rm", ref, "cat /data/d6/x").out == "dir-again\n"


def test_embedded_content_is_not_fetched(puller, proxy, published):
    """It is in the manifest already."""
    image = published("embedded")
    pull(puller, f"{proxy.host}/public/embedded:latest")
    assert proxy.count("blob", image.config_digest) == 0


def test_embedded_content_that_does_not_fit_its_digest_is_never_used(puller, proxy, registry, published):
    """Whether it is refused or the right one fetched: what is stored is what the digest says."""
    evil = json.dumps({"architecture": ocimage.ARCH, "os": "linux", "config": {"Cmd": ["echo", "evil"]},
                       "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    base = published("busybox").layers[0]
    image = ocimage.image([base], embed=evil, Env=["PATH=/bin"], Cmd=["echo", "good"])
    registry.push(image, "embedded/evil", "latest")
    result = puller("run", "--rm", f"{proxy.host}/embedded/evil")
    assert (result.rc, result.out) in ((0, "good\n"), (125, "")), result.err


def test_addresses_of_layers_in_the_manifest_are_ignored(puller, proxy, registry, published):
    """descriptor.md "urls": an image must not make us talk to hosts of its choice."""
    manifest = json.loads(published("gzip").manifest)
    with FaultProxy(registry) as elsewhere:
        for one in manifest["layers"]:
            one["urls"] = [f"http://{elsewhere.host}/v2/public/gzip/blobs/{one['digest']}"]
        data = json.dumps(manifest).encode()
        proxy.on("manifest", do=faults.answer(200, [("Content-Type", ocimage.OCI_MANIFEST)], data))
        assert pull(puller, f"{proxy.host}/public/gzip") == ocimage.digest_of(data)
        assert elsewhere.count() == 0
    assert [proxy.count("blob", one["digest"], "GET") for one in manifest["layers"]] == [1, 1]


def test_a_layer_that_occurs_twice_is_fetched_once(puller, proxy, registry, published):
    """And the image runs."""
    base, extra = ocimage.base_of(published("busybox")), ocimage.which("twice")
    image = ocimage.image([base, extra, base, extra], Env=["PATH=/bin"], Cmd=["cat", "/which"])
    registry.push(image, "twice/layer", "latest")
    assert puller.ok("run", "--rm", f"{proxy.host}/twice/layer").out == "twice\n"
    assert [proxy.count("blob", one.digest, "GET") for one in (base, extra)] == [1, 1]


def test_an_image_without_layers_is_pulled_or_refused_in_one_line(puller, proxy, registry):
    """As some artifacts are."""
    registry.push(ocimage.image([]), "no/layers", "latest")
    result = puller("pull", "--quiet", f"{proxy.host}/no/layers")
    assert result.rc in (0, 125) and result.err.count("\n") == (1 if result.rc else 0), result.err


# ---- pulling again -------------------------------------------------------------------------------------------

def test_a_second_pull_fetches_no_blob(puller, proxy, published):
    """Only the manifest is asked for."""
    image = published("layers")
    ref = f"{proxy.host}/public/layers:latest"
    pull(puller, ref, timeout=120)
    before = visible(puller)
    proxy.forget()
    assert pull(puller, ref) == image.digest
    assert proxy.count("blob") == 0 and proxy.count("manifest") == 1
    assert visible(puller) == before


def test_a_tag_that_has_moved_is_followed(puller, proxy, registry, published):
    """The name stands for the new image; its common layers are not fetched again."""
    base = ocimage.base_of(published("busybox"))
    old, new = (ocimage.image([base, ocimage.which(text)], Env=["PATH=/bin"], Cmd=["cat", "/which"])
                for text in ("old", "new"))
    ref = f"{proxy.host}/moving/tag:latest"
    for image, text in ((old, "old"), (new, "new")):
        registry.push(image, "moving/tag", "latest")
        assert pull(puller, ref) == image.digest
        assert references(puller) == {ref: image.digest}
        assert puller.ok("run", "--rm", "--pull", "never", ref).out == text + "\n"
    assert proxy.count("blob", base.digest, "GET") == 1


def test_layers_of_loaded_images_are_not_fetched(puller, proxy, published, image_dir):
    """A layer is known by what is in it, wherever it came from."""
    image = published("busybox")
    puller.ok("load", "--name", "loaded", image_dir("busybox"))
    pull(puller, f"{proxy.host}/public/busybox:latest")
    assert proxy.count("blob", image.layers[0].digest) == 0


# ---- run and create ------------------------------------------------------------------------------------------

def test_run_pulls_what_is_missing(puller, proxy, published):
    """Standard output is the command's alone; the second run asks nobody."""
    published("gzip")
    ref = f"{proxy.host}/public/gzip:latest"
    assert puller.ok("run", "--rm", ref).out == "which\n"
    proxy.forget()
    assert puller.ok("run", "--rm", ref).out == "which\n"
    assert puller.ok("run", "--rm", "--pull=missing", ref).out == "which\n"
    assert proxy.count() == 0


def test_create_pulls_what_is_missing(puller, proxy, published):
    """Standard output is the id of the sandbox alone."""
    published("gzip")
    sandbox = puller.ok("create", f"{proxy.host}/public/gzip:latest").out
    try:
        assert re.fullmatch(r"[0-9a-f]{16}\n", sandbox)
    finally:
        puller.ok("rm", "-f", sandbox.strip())


def test_never_asks_nobody(puller, proxy, published):
    """What is missing is refused, what is there runs."""
    published("gzip")
    ref = f"{proxy.host}/public/gzip:latest"
    for command in ("run", "create"):
        refused(puller(command, "--pull", "never", ref), "public/gzip")
    assert proxy.count() == 0
    pull(puller, ref)
    proxy.forget()
    assert puller.ok("run", "--rm", "--pull", "never", ref).out == "which\n"
    assert proxy.count() == 0


@pytest.fixture
def moving(registry, published):
    """A function: moving("text") makes "latest" of moving/policy an image whose command prints that text."""
    def move(text):
        image = ocimage.image([ocimage.base_of(published("busybox")), ocimage.which(text)],
                              Env=["PATH=/bin"], Cmd=["cat", "/which"])
        registry.push(image, "moving/policy", "latest")
        return image
    return move


@pytest.mark.parametrize("policy, seen", [("always", "new"), ("newer", "new"), ("missing", "old"), ("never", "old")])
def test_policies_differ_if_the_tag_has_moved(puller, proxy, moving, policy, seen):
    """The image is there already, the registry has a newer one."""
    ref = f"{proxy.host}/moving/policy:latest"
    moving("old")
    pull(puller, ref)
    moving("new")
    proxy.forget()
    assert puller.ok("run", "--rm", "--pull", policy, ref).out == seen + "\n"
    assert (proxy.count() == 0) == (seen == "old")


@pytest.mark.parametrize("policy", ["always", "newer"])
@pytest.mark.parametrize("kind", ["gzip", "multi"])
def test_only_the_manifest_is_asked_for_if_nothing_has_changed(puller, proxy, published, policy, kind):
    """Of an index the index alone: one question, by HEAD or GET."""
    published(kind)
    ref = f"{proxy.host}/public/{kind}:latest"
    pull(puller, ref)
    proxy.forget()
    puller.ok("run", "--rm", "--pull", policy, ref)
    assert proxy.count("blob") == 0
    wanted = 1 if policy == "newer" or kind == "gzip" else 2
    assert 1 <= proxy.count("manifest") <= wanted


def test_newer_is_content_with_what_is_there_if_the_registry_is_not(puller, registry, published):
    """always is not."""
    published("gzip")
    with FaultProxy(registry) as front:
        ref = f"{front.host}/public/gzip:latest"
        pull(puller, ref)
    assert puller.ok("run", "--rm", "--pull", "newer", ref).out == "which\n"
    refused(puller("run", "--rm", "--pull", "always", ref), front.host)


@pytest.mark.parametrize("policy", ["", "sometimes", "Always", "1"])
def test_an_unknown_policy_is_refused(puller, proxy, policy):
    """The line says what there is."""
    refused(puller("run", f"--pull={policy}", f"{proxy.host}/public/gzip"), "always", "missing", "never", "newer")
    assert proxy.count() == 0


def test_the_policy_can_be_configured(puller, proxy, published, tmp_path):
    """"pull" in the configuration file is the default; the option wins."""
    published("gzip")
    configure(puller, tmp_path, pull="never")
    ref = f"{proxy.host}/public/gzip:latest"
    refused(puller("run", "--rm", ref), "public/gzip")
    assert proxy.count() == 0
    assert puller.ok("run", "--rm", "--pull", "missing", ref).out == "which\n"


def test_a_run_whose_pull_fails_leaves_nothing(puller, proxy):
    """No sandbox, no name."""
    refused(puller("run", "--name", "x", f"{proxy.host}/public/nothing:latest"), "public/nothing")
    assert puller.ok("ps", "-a", "--json").json() == []
    assert not any(visible(puller).values())


def test_run_tells_progress_on_stderr(puller, proxy, published):
    """As pull does: the one who waits knows for what."""
    image = published("gzip")
    result = puller.ok("run", "--rm", f"{proxy.host}/public/gzip:latest")
    assert image.layers[0].digest.partition(":")[2][:12] in result.err


def test_what_was_pulled_is_owned_by_root_alone(puller, proxy, published):
    """Directories of the store are closed, whatever the umask."""
    published("gzip")
    pull(puller, f"{proxy.host}/public/gzip:latest", preexec_fn=lambda: os.umask(0))
    for kind in ("", "refs", "blobs", "layers", "partial", "tmp"):
        status = (puller.root / kind).stat()
        assert (status.st_mode & 0o777, status.st_uid) == (0o700, 0), kind
    assert names(puller, "tmp") == [] and names(puller, "partial") == []
    assert all((puller.root / "blobs" / name).stat().st_mode & 0o077 == 0 for name in names(puller, "blobs"))


def test_a_slow_line_is_fast_enough(puller, proxy, published):
    """Pieces of a few kilobytes."""
    image = published("gzip")
    proxy.on("blob", do=faults.drip(8192, 0.001))
    assert pull(puller, f"{proxy.host}/public/gzip:latest") == image.digest


# ---- processes -----------------------------------------------------------------------------------------------

def inet_sockets():
    """Return the inodes of all TCP and UDP sockets of this network namespace (proc(5))."""
    found = set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/net/{kind}", encoding="ascii") as file:
            found |= {line.split()[9] for line in list(file)[1:]}
    return found


def descriptors(pid):
    """Return what the descriptors of process @pid are."""
    return [os.readlink(path) for path in lib.Path(f"/proc/{pid}/fd").iterdir()]


def status(pid):
    """Return /proc/<pid>/status as {name: value}."""
    text = lib.Path(f"/proc/{pid}/status").read_text(errors="replace")
    return dict(line.split(":\t", 1) for line in text.splitlines())


@pytest.fixture
def roles(puller, proxy, published):
    """(pids that have the network, pids that do not) of a pull in the middle of a layer."""
    layer = published("noise").layers[0]
    fault = proxy.on("blob", layer.digest, do=faults.stall(1_000_000), times=1)
    with puller.start("pull", "--quiet", f"{proxy.host}/public/noise:latest") as process:
        fault.await_stall()
        pids = [pid for pid, name in lib.processes(puller) if name.startswith("sbrun-image")]
        inodes = {f"socket:[{inode}]" for inode in inet_sockets()}
        online = [pid for pid in pids if inodes & set(descriptors(pid))]
        yield online, [pid for pid in pids if pid not in online]
        proxy.release()
        assert process.wait(lib.TIMEOUT_S) == 0, process.stderr.read()


def test_who_has_the_network_is_not_root(roles):
    """No user id 0, no capabilities, and no way to get them back; nothing of the store is open but downloads."""
    online, _ = roles
    assert online
    for pid in online:
        said = status(pid)
        assert "0" not in said["Uid"].split() + said["Gid"].split() + said["Groups"].split(), said
        assert [int(said[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4
        assert said["NoNewPrivs"].strip() == "1" and (said["Seccomp"].strip() == "2" or lib.SANITIZED)
        # Links of descriptors are paths as seen from the root of the process that reads them.
        files = [path for path in descriptors(pid) if path.startswith("/") and "/store" in path]
        assert all("/partial/" in path for path in files), files


def test_who_unpacks_has_no_network(roles):
    """A root directory, a network and a mount namespace of its own, without the capabilities that make root."""
    _, offline = roles
    # The link of a root in another mount namespace says "/", so its inode is compared.
    confined = [pid for pid in offline if not os.path.samestat(os.stat(f"/proc/{pid}/root"), os.stat("/"))]
    assert confined
    for pid in confined:
        for kind in ("net", "mnt"):
            assert os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
        said = status(pid)
        sys_admin, sys_ptrace, net_admin = 21, 19, 12  # capabilities(7)
        assert not int(said["CapEff"], 16) & (1 << sys_admin | 1 << sys_ptrace | 1 << net_admin)
        assert said["NoNewPrivs"].strip() == "1" and (said["Seccomp"].strip() == "2" or lib.SANITIZED)


def test_neither_has_the_streams_or_the_session_of_the_user(roles):
    """A terminal could be made to type, a file be written to."""
    for pids in roles:
        for pid in pids:
            if status(pid)["NoNewPrivs"].strip() != "1":
                continue  # the publisher
            streams = (0, 1) if lib.SANITIZED else (0, 1, 2)
            assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in streams} == {"/dev/null"}
            assert os.getsid(pid) == pid


def test_a_stream_that_is_closed_leads_nowhere(puller, proxy, published):
    """What is opened next would take its number, and be passed on."""
    layer = published("noise").layers[0]
    fault = proxy.on("blob", layer.digest, do=faults.stall(1_000_000), times=1)
    script = 'exec "$0" "$@" <&- >&- 2>&-'
    with lib.Process(["sh", "-c", script, lib.BIN, "pull", f"{proxy.host}/public/noise:latest"],
                     env=puller.env) as process:
        fault.await_stall()
        for pid, name in lib.processes(puller):
            if name.startswith("sbrun-image"):
                assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}
        proxy.release()
        assert process.wait(lib.TIMEOUT_S) == 0


@pytest.mark.parametrize("policy", ["always", "newer", "missing"])
def test_an_id_or_a_digest_is_never_pulled(puller, proxy, published, policy):
    """It names no registry: to ask Docker Hub for it would be to ask for a stranger's image."""
    image = published("busybox")
    puller.ok("pull", f"{proxy.host}/public/busybox:latest")
    proxy.forget()
    for one in (image.digest, image.digest.partition(":")[2][:12]):
        assert puller.ok("run", "--rm", "--pull", policy, one, "echo", "fine").out == "fine\n"
    unknown = puller("run", "--rm", "--pull", policy, "sha256:" + 64 * "0", "true")
    assert unknown.rc == 125 and "no image" in unknown.err, unknown.err
    assert proxy.count() == 0 and puller("pull", image.digest).rc == 125


# ---- memory --------------------------------------------------------------------------------------------------

MAX_PROCESS_BYTES, MAX_ALL_BYTES = 40 << 20, 64 << 20


def peak_bytes(pid):
    """Return the most memory that process @pid has had at once (VmHWM, proc(5)), or 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def test_a_pull_needs_little_memory(puller, registry, published):
    """Whatever the image: of each process, and of all together."""
    published("python")
    peaks = {}
    with puller.start("pull", "--quiet", f"{registry.host}/public/python:latest") as process:
        end = lib.open_process(process.pid)
        # The peak only grows, so it is enough to look now and then; the last look counts.
        while not select.select([end], [], [], 0.01)[0]:
            for pid, name in lib.processes(puller):
                if name.startswith("sbrun-image"):
                    peaks[pid] = max(peaks.get(pid, 0), peak_bytes(pid))
        os.close(end)
        assert process.wait() == 0, process.stderr.read()
    assert len(peaks) >= 2, "the processes of the pull were not seen"
    assert max(peaks.values()) < MAX_PROCESS_BYTES and sum(peaks.values()) < MAX_ALL_BYTES, peaks
