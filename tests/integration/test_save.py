# SPDX-License-Identifier: Apache-2.0
"""Saving images: what comes out is what came in, whole or not at all."""
import gzip
import hashlib
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import tarfile

import pytest

import lib

FORMATS = ["oci-archive", "docker-archive"]


class Archive:
    """A saved archive, as {name: bytes}."""

    def __init__(self, data):
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = tar.getmembers()
            self.files = {m.name: tar.extractfile(m).read() for m in members}
        assert len(self.files) == len(members), "a file is there twice"

    def json(self, name):
        """Return a file of JSON."""
        return json.loads(self.files[name])

    def blob(self, digest):
        """Return a blob of an oci-archive."""
        return self.files["blobs/sha256/" + digest.partition(":")[2]]


def layout_parts(layout):
    """Return the config digest and the uncompressed layers of a layout's only image."""
    def blob(digest):
        return (layout / "blobs/sha256" / digest.partition(":")[2]).read_bytes()
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]))
    layers = [(layer["mediaType"], blob(layer["digest"])) for layer in manifest["layers"]]
    return manifest["config"]["digest"], [gzip.decompress(data) if kind.endswith("gzip") else data
                                          for kind, data in layers]


def check_oci(archive, entry, layout):
    """The image at @entry of the index is that of @layout: same config, same layers bit by bit."""
    config, layers = layout_parts(layout)
    raw = archive.blob(entry["digest"])
    assert "sha256:" + hashlib.sha256(raw).hexdigest() == entry["digest"] and len(raw) == entry["size"]
    manifest = json.loads(raw)
    assert manifest["config"]["digest"] == config
    assert "sha256:" + hashlib.sha256(archive.blob(config)).hexdigest() == config
    assert [archive.blob(layer["digest"]) for layer in manifest["layers"]] == layers
    assert [layer["digest"] for layer in manifest["layers"]] == json.loads(archive.blob(config))["rootfs"]["diff_ids"]
    assert [layer["size"] for layer in manifest["layers"]] == [len(data) for data in layers]


@pytest.fixture
def own_store(tmp_path):
    """The command with a store of its own, in which things can be damaged."""
    return lib.Sbrun(tmp_path / "store", tmp_path / "run")


# ---- what comes out ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["busybox", "layers", "python"])
def test_an_oci_archive_has_the_layers_and_the_config_that_came_in(request, sbrun, image_dir, tmp_path, kind):
    """Whiteouts, links, devices, attributes, long names, padding and all."""
    name = request.getfixturevalue(f"{kind}_image")
    result = sbrun.ok("save", "-o", tmp_path / "saved.tar", name, timeout=120)
    assert result.out == f"Saved: {name}:latest\n" and result.err == ""
    archive = Archive((tmp_path / "saved.tar").read_bytes())
    assert archive.json("oci-layout") == {"imageLayoutVersion": "1.0.0"}
    entry, = archive.json("index.json")["manifests"]
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == f"docker.io/library/{name}:latest"
    check_oci(archive, entry, image_dir(kind))


def test_a_docker_archive_has_them_too(sbrun, image_dir, layers_image, tmp_path):
    """By the names that manifest.json gives."""
    sbrun.ok("save", "--format", "docker-archive", "--output", tmp_path / "saved.tar", layers_image)
    archive = Archive((tmp_path / "saved.tar").read_bytes())
    entry, = archive.json("manifest.json")
    config, layers = layout_parts(image_dir("layers"))
    assert entry["RepoTags"] == ["docker.io/library/layers:latest"]
    assert entry["Config"] == config.partition(":")[2] + ".json"
    assert hashlib.sha256(archive.files[entry["Config"]]).hexdigest() == config.partition(":")[2]
    assert [archive.files[name] for name in entry["Layers"]] == layers


@pytest.mark.parametrize("form", FORMATS)
def test_several_images_share_an_archive(sbrun, own_store, busybox_image, layers_image, tmp_path, form):
    """Each layer once; loaded again they have their names, and saved again they are the same bytes."""
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    sbrun.ok("save", "--format", form, "-o", first, busybox_image, layers_image)
    loaded = own_store.ok("load", first)
    assert sorted(loaded.out.splitlines()) == ["Loaded: busybox:latest", "Loaded: layers:latest"]
    own_store.ok("save", "--format", form, "-o", second, busybox_image, layers_image)
    assert first.read_bytes() == second.read_bytes()
    Archive(first.read_bytes())


@pytest.mark.parametrize("form", FORMATS)
def test_skopeo_reads_what_is_saved(sbrun, image_dir, layers_image, tmp_path, form):
    """And copies it, which compares all digests."""
    sbrun.ok("save", "--format", form, "-o", tmp_path / "saved.tar", layers_image)
    subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", f"{form}:{tmp_path}/saved.tar",
                    f"dir:{tmp_path}/copy"], check=True)
    copied = json.loads((tmp_path / "copy/manifest.json").read_text())
    assert copied["config"]["digest"] == layout_parts(image_dir("layers"))[0]
    shown = subprocess.run(["skopeo", "inspect", f"{form}:{tmp_path}/saved.tar"], check=True, capture_output=True)
    assert len(json.loads(shown.stdout)["Layers"]) == 20


@pytest.mark.parametrize("flags", [[], ["-o", "-"]])
def test_the_archive_can_go_through_a_pipe(sbrun, own_store, busybox_image, flags):
    """As in sbrun save X | sbrun load -; nothing but the archive is written."""
    with sbrun.start("save", *flags, busybox_image, stderr=None) as save:
        loaded = own_store("load", "-", stdin=save.stdout)
    assert (save.returncode, loaded.rc) == (0, 0), loaded.err
    assert loaded.out == "Loaded: busybox:latest\n"


def test_json_tells_names_and_digests(sbrun, busybox_image, tmp_path):
    """The digest is that of the manifest in the archive."""
    path = tmp_path / "saved.tar"
    told = sbrun.ok("save", "--json", "-o", path, busybox_image).json()
    entry, = Archive(path.read_bytes()).json("index.json")["manifests"]
    assert told == {"images": [{"reference": "busybox:latest", "digest": entry["digest"]}],
                    "sizeBytes": path.stat().st_size}


def test_an_image_called_by_its_digest_has_no_name_in_the_archive(sbrun, own_store, busybox_image, tmp_path):
    """Whoever loads it gives it one."""
    digest = next(i["digest"] for i in sbrun.ok("images", "--json").json() if i["reference"] == "busybox:latest")
    told = sbrun.ok("save", "--json", "-o", tmp_path / "saved.tar", digest).json()
    assert busybox_image and told["images"][0]["reference"] is None
    assert "annotations" not in Archive((tmp_path / "saved.tar").read_bytes()).json("index.json")["manifests"][0]
    own_store.ok("load", "--name", "mine", tmp_path / "saved.tar")


def test_a_manifest_of_uncompressed_layers_is_kept(sbrun, own_store, busybox_image, tmp_path):
    """So a saved image that is loaded and saved again keeps its digest."""
    first = sbrun.ok("save", "--json", "-o", tmp_path / "1.tar", busybox_image).json()
    own_store.ok("load", tmp_path / "1.tar")
    stored = own_store.ok("images", "--json").json()[0]["digest"]
    second = own_store.ok("save", "--json", "-o", tmp_path / "2.tar", busybox_image).json()
    assert first["images"] == second["images"] and stored == first["images"][0]["digest"]


# ---- refusals ------------------------------------------------------------------------------------------------

def assert_refused(result, *words):
    """One line with @words, exit code 125, nothing on standard output."""
    assert (result.rc, result.out) == (125, ""), result
    assert result.err.count("\n") == 1 and all(word in result.err for word in words), result.err


@pytest.fixture
def stored(own_store, image_dir, tmp_path):
    """A function: damage(layers directory, layer name) happens to a stored image, whose save is then refused."""
    def check(damage, *words):
        own_store.ok("load", "--name", "busybox", image_dir("busybox"))
        layer, = (p for p in (own_store.root / "layers").iterdir() if p.is_dir())
        damage(layer)
        out = tmp_path / "out"
        out.mkdir()
        (out / "saved.tar").write_text("old")
        for form in FORMATS:
            assert_refused(own_store("save", "--format", form, "-o", out / "saved.tar", "busybox"),
                           f"layer sha256:{layer.name[7:19]}", *words)
            assert [p.name for p in out.iterdir()] == ["saved.tar"] and (out / "saved.tar").read_text() == "old"
        assert own_store("save", "busybox").rc == 125
    return check


def test_a_changed_file_is_found(stored):
    """Same length, other content: by the digest."""
    def damage(layer):
        with open(layer / "etc/passwd", "r+b") as file:
            file.write(b"R")
    stored(damage, "its files give a tar with digest", "load or pull it again")


def test_a_missing_file_is_named(stored):
    """Nobody should remove files of a layer."""
    stored(lambda layer: (layer / "etc/passwd").unlink(), "'etc/passwd'")


def test_a_file_cut_short_is_found(stored):
    """By its length."""
    stored(lambda layer: os.truncate(layer / "etc/passwd", 5), "too early")


def test_a_layer_of_an_older_store_is_refused_with_advice(stored):
    """It has no record of its tar."""
    stored(lambda layer: layer.with_name(layer.name + ".split").unlink(), "no record", "load or pull it again")


def test_a_layer_with_a_file_twice_runs_but_is_not_saved(own_store, image_dir, tmp_path):
    """Its first content is gone; the file is named."""
    layout = tmp_path / "layout"
    shutil.copytree(image_dir("busybox"), layout)
    own_store.ok("load", "--name", "once", layout)
    archive = tmp_path / "docker.tar"
    own_store.ok("save", "--format", "docker-archive", "-o", archive, "once")
    files = Archive(archive.read_bytes()).files
    entry, = json.loads(files["manifest.json"])
    layer = io.BytesIO(files.pop(entry["Layers"][0]))
    with tarfile.open(fileobj=layer, mode="a") as tar:
        for text in (b"first", b"second"):
            member = tarfile.TarInfo("etc/twice")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    config = json.loads(files.pop(entry["Config"]))
    config["rootfs"]["diff_ids"] = ["sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()]
    files = {"config": json.dumps(config).encode(), "layer": layer.getvalue(), "manifest.json": json.dumps(
        [{"Config": "config", "RepoTags": ["twice:latest"], "Layers": ["layer"]}]).encode()}
    with tarfile.open(archive, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    own_store.ok("load", archive)
    assert_refused(own_store("save", "-o", tmp_path / "saved.tar", "twice"), "'etc/twice' more than once")
    assert not (tmp_path / "saved.tar").exists()


def test_all_images_are_found_before_anything_is_written(sbrun, busybox_image, tmp_path):
    """One that is not there spoils it for the others."""
    assert_refused(sbrun("save", "-o", tmp_path / "saved.tar", busybox_image, "nobody/knows:this"),
                   "nobody/knows:this", "sbrun images", "sbrun pull")
    assert_refused(sbrun("save", busybox_image, "nobody/knows:this"), "nobody/knows:this")
    assert not list(tmp_path.iterdir())


def test_a_terminal_gets_no_archive(sbrun, busybox_image):
    """But a hint."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "wb") as terminal:
        done = subprocess.run([lib.BIN, "save", busybox_image], stdout=terminal, stderr=subprocess.PIPE, text=True,
                              env=sbrun.env, check=False, timeout=lib.TIMEOUT_S)
    os.close(master)
    assert done.returncode == 125 and "--output FILE" in done.stderr and done.stderr.count("\n") == 1


def test_only_regular_files_are_replaced(sbrun, busybox_image, tmp_path):
    """A device or a directory under that name stays what it is; a link to a file stays a link."""
    os.mkfifo(tmp_path / "fifo")
    for path in ("/dev/null", tmp_path, tmp_path / "fifo", "", tmp_path / "missing/saved.tar"):
        assert_refused(sbrun("save", "-o", path, busybox_image), f"'{path}'")
    assert [p.name for p in tmp_path.iterdir()] == ["fifo"]
    (tmp_path / "real.tar").write_text("old")
    (tmp_path / "link.tar").symlink_to("real.tar")
    sbrun.ok("save", "-o", tmp_path / "link.tar", busybox_image)
    assert (tmp_path / "link.tar").is_symlink() and tarfile.is_tarfile(tmp_path / "real.tar")


def test_json_needs_a_file(sbrun, busybox_image):
    """Two things can't share standard output."""
    result = sbrun("save", "--json", busybox_image)
    assert result.rc == 125 and "--output FILE" in result.json()["error"]["hint"]


def test_a_full_disk_leaves_nothing(sbrun, busybox_image, tmp_path):
    """A file system of a quarter of a megabyte."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], check=True)
    try:
        assert_refused(sbrun("save", "-o", tmp_path / "saved.tar", busybox_image), "No space left on device")
        assert not list(tmp_path.iterdir())
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_reader_that_goes_is_an_error(sbrun, busybox_image):
    """Not a silent death."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run([lib.BIN, "save", busybox_image], stdout=pipe, stderr=subprocess.PIPE, text=True,
                              env=sbrun.env, check=False, timeout=lib.TIMEOUT_S)
    assert done.returncode == 125 and "Broken pipe" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_nothing(sbrun, python_image, tmp_path, number):
    """Ctrl-C, in the midst of writing."""
    with sbrun.start("save", "-o", tmp_path / "saved.tar", python_image) as save:
        lib.eventually(lambda: list(tmp_path.iterdir()))
        save.send_signal(signal.SIGSTOP)
        save.send_signal(number)
        save.send_signal(signal.SIGCONT)
    assert save.returncode == -number
    assert not list(tmp_path.iterdir())


def test_the_archive_is_for_its_owner_only(sbrun, busybox_image, tmp_path):
    """Images may hold secrets."""
    sbrun.ok("save", "-o", tmp_path / "saved.tar", busybox_image)
    assert (tmp_path / "saved.tar").stat().st_mode & 0o7777 == 0o600
