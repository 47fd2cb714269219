# SPDX-License-Identifier: Apache-2.0
"""Loading images: every form gives the same tree, and what is broken leaves nothing behind."""
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile

import pytest

import lib

# ---- a second opinion: the tree that a layout means, by layer.md ---------------------------------------------


def blob(layout, digest):
    """Return the bytes of a blob."""
    return (layout / "blobs/sha256" / digest.partition(":")[2]).read_bytes()


def manifest_of(layout):
    """Return the manifest of a layout's only image."""
    index = json.loads((layout / "index.json").read_text())
    return json.loads(blob(layout, index["manifests"][0]["digest"]))


def remove(tree, path, itself=True):
    """Remove everything below @path from @tree, and @path too if @itself."""
    for name in [n for n in tree if n.startswith(path + "/") or (itself and n == path)]:
        del tree[name]


def describe(tar, member):
    """Return what we compare of a tar member: kind, mode, owner, group, content or target."""
    content = None
    if member.isreg() or member.islnk():
        content = hashlib.sha256(tar.extractfile(member).read()).hexdigest()
    elif member.issym():
        content = member.linkname
    elif member.ischr():
        content = (member.devmajor, member.devminor)
    kind = "file" if member.islnk() or member.isreg() else member.type
    mode = None if member.issym() else member.mode
    return (kind, mode, member.uid, member.gid, content)


def apply_layer(tree, data):
    """Apply one layer to @tree, {path: description}."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = [(m.name.rstrip("/"), m) for m in tar]
        for name, _ in members:
            head, _, tail = name.rpartition("/")
            if tail == ".wh..wh..opq":
                remove(tree, head, itself=False)
            elif tail.startswith(".wh."):
                remove(tree, f"{head}/{tail[4:]}")
        for name, member in members:
            if name.rpartition("/")[2].startswith(".wh."):
                continue
            if not member.isdir():
                remove(tree, name)
            tree[name] = describe(tar, member)


def expected_tree(layout, below):
    """Return {path: description} of what lies below the directory @below in the image."""
    tree = {}
    for layer in manifest_of(layout)["layers"]:
        data = blob(layout, layer["digest"])
        apply_layer(tree, gzip.decompress(data) if layer["mediaType"].endswith("gzip") else data)
    return {name: what for name, what in tree.items() if name.startswith(below + "/")}


def tree_in(sandbox, below):
    """Return the same of a running sandbox, as its root sees it."""
    result = sandbox.exec("tar", "-c", "-f", "-", "-C", "/", below, flags=["-u", "0"])
    assert result.rc == 0, result.err
    with tarfile.open(fileobj=io.BytesIO(result.raw)) as tar:
        tree = {m.name.rstrip("/"): describe(tar, m) for m in tar}
    return {name: what for name, what in tree.items() if name != below}


# ---- forms ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def archives(image_dir, tmp_path_factory):
    """The layers image as {form: path}."""
    top, layout = tmp_path_factory.mktemp("archives"), image_dir("layers")
    oci, docker = top / "oci.tar", top / "docker.tar"
    with tarfile.open(oci, "w") as tar:
        tar.add(layout, arcname=".")
    subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", f"oci:{layout}:latest",
                    f"docker-archive:{docker}:localhost/layers:latest"], check=True)
    return {"layout": layout, "oci-archive": oci, "docker-archive": docker}


@pytest.mark.parametrize("form", ["layout", "oci-archive", "docker-archive"])
def test_every_form_gives_the_tree_that_its_layers_mean(sbrun, sandbox, archives, form):
    """Whiteouts, opaque directories, swaps of kind, links, devices, owners, modes, long and UTF-8 names."""
    sbrun.ok("load", "--name", f"form-{form}", archives[form], timeout=120)
    seen = tree_in(sandbox(image=f"form-{form}"), "data")
    wanted = expected_tree(archives["layout"], "data")
    assert {n: (seen.get(n), what) for n, what in wanted.items() if seen.get(n) != what} == {}
    assert set(seen) - set(wanted) == set()


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_an_archive_may_come_on_standard_input(sbrun, archives, form):
    """As from a pipe, which cannot be rewound."""
    with subprocess.Popen(["cat", archives[form]], stdout=subprocess.PIPE) as cat:
        result = sbrun("load", "--name", f"stdin-{form}", "-", stdin=cat.stdout, timeout=120)
    assert result.rc == 0, result.err
    assert f"stdin-{form}" in sbrun.ok("images").out


def test_an_archive_may_be_a_descriptor_of_the_caller(sbrun, archives):
    """As from <(zcat …) of a shell."""
    with open(archives["oci-archive"], "rb") as source:
        sbrun.ok("load", "--name", "by-descriptor", f"/dev/fd/{source.fileno()}", pass_fds=[source.fileno()])
    assert "by-descriptor" in sbrun.ok("images").out


def test_a_second_load_is_the_same_image(sbrun, archives):
    """Nothing is stored twice."""
    sbrun.ok("load", "--name", "again", archives["layout"])
    before = sorted(p.name for p in (sbrun.root / "layers").iterdir())
    sbrun.ok("load", "--name", "again", archives["layout"])
    assert sorted(p.name for p in (sbrun.root / "layers").iterdir()) == before


def test_attributes_and_capabilities_of_files_are_kept(sbrun, layers_image):
    """As they lie in the store: capabilities(7) revision 2, user attributes."""
    assert layers_image
    stored = {path.name: path for name in ("cap", "owned", "suid")
              for path in sbrun.root.glob(f"layers/**/data/**/{name}")}
    assert os.getxattr(stored["cap"], "security.capability").hex().startswith("0100000200200000")
    assert os.getxattr(stored["owned"], "user.note") == b"layer 14"
    assert stat.S_IMODE(stored["suid"].stat().st_mode) == 0o4755


def test_the_store_is_closed_to_others(sbrun, busybox_image):
    """Set-user-id files of images must not be reachable for users of the host."""
    assert busybox_image
    assert stat.S_IMODE(sbrun.root.stat().st_mode) == 0o700


# ---- whiteouts -----------------------------------------------------------------------------------------------

def make_tar(files, base=b""):
    """Return a tar of @files, {name: content}, appended to the tar @base."""
    data = io.BytesIO(base)
    with tarfile.open(fileobj=data, mode="a" if base else "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def test_an_opaque_root_hides_all_layers_below(sbrun, sandbox, image_dir, tmp_path):
    """And no layer above."""
    layout = tmp_path / "layout"
    shutil.copytree(image_dir("busybox"), layout)
    busybox = gzip.decompress(layer_file(layout).read_bytes())
    use_layers(layout, make_tar({"data/lowest": b"", "lowest": b""}),
               make_tar({"data/below": b"", "below": b"", "etc/below": b""}),
               make_tar({"data/opaque": b"", ".wh..wh..opq": b""}, busybox),
               make_tar({"data/above": b"", "above": b""}))
    sbrun.ok("load", "--name", "opaque-root", layout)
    box = sandbox(image="opaque-root")
    assert box.sh("ls /data").split() == ["above", "opaque"]
    assert box.sh("ls -d /above /below /lowest /etc/below 2>/dev/null || true").split() == ["/above"]


# ---- sparse files --------------------------------------------------------------------------------------------

SPARSE_FORMATS = {
    "gnu": ["--format=gnu"],
    "pax-0.0": ["--format=posix", "--sparse-version=0.0"],
    "pax-0.1": ["--format=posix", "--sparse-version=0.1"],
    "pax-1.0": ["--format=posix", "--sparse-version=1.0"],
}


@pytest.fixture(scope="module")
def sparse_files(tmp_path_factory):
    """A directory of files with holes: at the front, at the end, many, nothing but a hole, and no hole."""
    top = tmp_path_factory.mktemp("sparse") / "data"
    long_name = "d" * 60 + "/" + "n" * 120
    (top / long_name).parent.mkdir(parents=True)
    for name, offsets, size in (("front", [1 << 20], (1 << 20) + 10), ("end", [0], 1 << 20),
                                ("many", range(0, 8 << 20, 128 << 10), 8 << 20), ("hole", [], 5_000_000),
                                (long_name, [4 << 20], 6 << 20), ("dense", [0], 10)):
        with open(top / name, "wb") as file:
            for offset in offsets:
                file.seek(offset)
                file.write(os.urandom(4096))
            file.truncate(size)
    return top


@pytest.mark.parametrize("form", SPARSE_FORMATS)
def test_sparse_files_keep_content_and_holes(sbrun, sandbox, image_dir, sparse_files, tmp_path, form):
    """As GNU tar writes them, in each of its formats."""
    archive, layout = tmp_path / "layer.tar", tmp_path / "layout"
    with gzip.open(layer_file(image_dir("busybox"))) as plain:
        archive.write_bytes(plain.read())
    made = tmp_path / "sparse.tar"
    subprocess.run(["tar", "-c", "-S", *SPARSE_FORMATS[form], "-f", made, "-C", sparse_files.parent, "data"],
                   check=True)
    subprocess.run(["tar", "-A", "-f", archive, made], check=True)
    shutil.copytree(image_dir("busybox"), layout)
    use_layers(layout, archive.read_bytes())
    name = f"sparse-{form}"
    sbrun.ok("load", "--name", name, layout)
    box = sandbox(image=name)
    for path in (p for p in sparse_files.rglob("*") if p.is_file()):
        inside = "/data/" + str(path.relative_to(sparse_files))
        size, blocks = map(int, box.sh(f"stat -c '%s %b' {inside}").split())
        assert size == path.stat().st_size
        assert box.sh(f"sha256sum < {inside}").split()[0] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.name == "dense" or blocks * 512 <= size // 2 and blocks <= path.stat().st_blocks + 16


def test_an_archive_with_sparse_members_is_refused(broken, tmp_path):
    """The outer tar of an image is read where it lies; what to do about it is said."""
    def pack(layout):
        with open(layout / "index.json", "ab") as file:
            file.truncate(1 << 20)
        subprocess.run(["tar", "-c", "-S", "-f", tmp_path / "sparse.tar", "-C", layout, "."], check=True)
        return tmp_path / "sparse.tar"
    broken(pack, ["'index.json' of the archive is a sparse file (make the archive without"])


# ---- configuration -------------------------------------------------------------------------------------------

def test_environment_directory_user_and_entrypoint_of_the_image_are_used(sbrun, layers_image):
    """Entrypoint is ["/bin/sh", "-c"], so the command is its script."""
    result = sbrun.ok("run", "--rm", layers_image, 'echo "$FOO $PATH $(pwd) $(id -u) $(id -g) $(id -G)"')
    assert result.out == "bar baz /bin /data 1000 1000 1000 2000\n"


def test_the_command_of_the_image_runs_if_none_is_given(sbrun, layers_image):
    """Cmd is ["ls -R /data"]."""
    assert sbrun.ok("run", "--rm", layers_image).out.startswith("/data:\ncap\n")


def test_options_win_over_the_image(sbrun, layers_image):
    """-e, -w and -u."""
    result = sbrun.ok("run", "--rm", "-e", "FOO=other", "-w", "/tmp", "-u", "0", layers_image,
                      'echo "$FOO $(pwd) $(id -u)"')
    assert result.out == "other /tmp 0\n"


def test_python_of_the_image_runs(sbrun, python_image):
    """From four layers with Debian's packages."""
    script = "import ssl, sqlite3, sys; print(sys.version_info.major)"
    assert sbrun.ok("run", "--rm", python_image, "python", "-c", script).out == "3\n"


# ---- what is broken ------------------------------------------------------------------------------------------

def store_content(sbrun):
    """Return the names of all that a load may add to the store."""
    return {kind: sorted(p.name for p in (sbrun.root / kind).iterdir()) if (sbrun.root / kind).exists() else []
            for kind in ("refs", "blobs", "layers", "tmp", "partial")}


@pytest.fixture
def empty_store(tmp_path):
    """The command with a store of its own: what is there already is not read again."""
    return lib.Sbrun(tmp_path / "store", tmp_path / "run")


@pytest.fixture
def broken(empty_store, image_dir, tmp_path):
    """A function: damage(layout) changes a copy of the busybox layout, which must then be refused."""
    def check(damage, words):
        layout = tmp_path / "layout"
        shutil.copytree(image_dir("busybox"), layout)
        source = damage(layout) or layout
        result = empty_store("load", "--name", "broken", source)
        assert result.rc == 125, result.out
        assert result.err.count("\n") == 1 and any(word in result.err for word in words), result.err
        assert not any(store_content(empty_store).values())
    return check


def layer_file(layout):
    """Return the path of the only layer's blob."""
    return layout / "blobs/sha256" / manifest_of(layout)["layers"][0]["digest"].partition(":")[2]


def replace_json(layout, path, change):
    """Change a blob of JSON, and make every digest above it right again."""
    old = path.read_bytes()
    value = json.loads(old)
    change(value)
    new = json.dumps(value).encode()
    path.unlink()
    name = hashlib.sha256(new).hexdigest()
    (layout / "blobs/sha256" / name).write_bytes(new)
    for other in [layout / "index.json", *(layout / "blobs/sha256").iterdir()]:
        if other.name != name and path.name.encode() in other.read_bytes():
            def point(parent):
                for entry in [*parent.get("manifests", []), *parent.get("layers", []), parent.get("config", {})]:
                    if entry.get("digest") == "sha256:" + path.name:
                        entry.update(digest="sha256:" + name, size=len(new))
            if other.name == "index.json":
                parent = json.loads(other.read_text())
                point(parent)
                other.write_text(json.dumps(parent))
            else:
                replace_json(layout, other, point)


def test_a_layer_with_a_flipped_byte_is_refused(broken):
    """By its digest."""
    def damage(layout):
        data = bytearray(layer_file(layout).read_bytes())
        data[len(data) // 2] ^= 1
        layer_file(layout).write_bytes(data)
    broken(damage, ["digest", "corrupt", "broken"])


def test_a_layer_cut_short_is_refused(broken):
    """By its size."""
    def damage(layout):
        os.truncate(layer_file(layout), layer_file(layout).stat().st_size // 2)
    broken(damage, ["size", "digest", "short", "end", "bytes"])


def test_a_missing_layer_is_refused(broken):
    """By its name."""
    broken(lambda layout: layer_file(layout).unlink(), ["sha256:", "No such file"])


def test_a_layer_that_is_not_the_one_of_the_configuration_is_refused(broken):
    """The digest of the archive is right, the diff_id is not."""
    def damage(layout):
        config = layout / "blobs/sha256" / manifest_of(layout)["config"]["digest"].partition(":")[2]
        replace_json(layout, config, lambda c: c["rootfs"].update(diff_ids=["sha256:" + "0" * 64]))
    broken(damage, ["diff_id", "diff id", "digest"])


def test_an_index_that_is_not_json_is_refused(broken):
    """With the file's name."""
    broken(lambda layout: (layout / "index.json").write_text("{") and None, ["index"])


def test_what_is_no_image_is_refused(broken, tmp_path):
    """Neither an archive nor a layout."""
    def text(_layout):
        (tmp_path / "text").write_text("hello\n" * 1000)
        return tmp_path / "text"
    broken(text, ["archive", "image", "layout"])


def test_a_layer_compressed_by_zstd_loads_and_a_cut_one_does_not(sbrun, empty_store, image_dir, tmp_path):
    """As several frames, one of them skippable, as zstd:chunked writes them; and cut, with digests that are right."""
    layout, tar = tmp_path / "layout", gzip.decompress(layer_file(image_dir("busybox")).read_bytes())
    shutil.copytree(image_dir("busybox"), layout)
    frames = [subprocess.run(["zstd", "-q"], input=part, capture_output=True, check=True).stdout
              for part in (tar[:1 << 20], tar[1 << 20:])]
    skippable = bytes.fromhex("5f2a4d1803000000") + b"toc"
    media_type = "application/vnd.oci.image.layer.v1.tar+zstd"
    use_blob(layout, frames[0] + skippable + frames[1] + skippable, media_type)
    sbrun.ok("load", "--name", "by-zstd", layout)
    assert sbrun.ok("run", "--rm", "by-zstd", "echo", "hello").out == "hello\n"
    use_blob(layout, frames[0] + frames[1][:-9], media_type)
    result = empty_store("load", "--name", "by-zstd", layout)
    assert result.rc == 125 and "ends too early" in result.err, result.err
    assert not any(store_content(empty_store).values())


@pytest.mark.parametrize("command", ["gzip", "zstd"])
def test_an_archive_may_be_compressed_as_a_whole(sbrun, archives, tmp_path, command):
    """As a file, and from standard input."""
    path = tmp_path / "archive"
    with open(archives["oci-archive"], "rb") as source, open(path, "wb") as target:
        subprocess.run([command, "-c"], stdin=source, stdout=target, check=True)
    sbrun.ok("load", "--name", f"whole-{command}", path)
    with open(path, "rb") as source:
        sbrun.ok("load", "--name", f"whole-stdin-{command}", "-", stdin=source)


def test_an_archive_cut_short_is_refused(broken, archives, tmp_path):
    """In the middle of a layer."""
    def cut(_layout):
        data = archives["oci-archive"].read_bytes()
        (tmp_path / "cut.tar").write_bytes(data[:len(data) // 2])
        return tmp_path / "cut.tar"
    broken(cut, ["end", "short", "truncated", "missing", "No such file", "cut"])


def test_a_layer_that_writes_through_a_link_stays_inside(sbrun, image_dir, tmp_path):
    """A link to a directory of the host, and a file below it: nothing outside the layer changes."""
    layout, target = tmp_path / "layout", tmp_path / "outside"
    shutil.copytree(image_dir("busybox"), layout)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer_file(layout).read_bytes()))) as tar:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as evil:
            for member in tar:
                evil.addfile(member, tar.extractfile(member) if member.isreg() else None)
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
            evil.addfile(link)
            evil.addfile(tarfile.TarInfo("link/outside"), io.BytesIO())
    use_layers(layout, data.getvalue())
    result = sbrun("load", "--name", "evil", layout)
    assert not target.exists()
    assert result.rc in (0, 125) and result.err.count("\n") <= 1


def use_blob(layout, data, media_type):
    """Make @data the blob of the only layer; what it holds is the same as before."""
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    index = json.loads((layout / "index.json").read_text())
    manifest = layout / "blobs/sha256" / index["manifests"][0]["digest"].partition(":")[2]
    replace_json(layout, manifest, lambda m: m["layers"][0].update(
        digest="sha256:" + digest, size=len(data), mediaType=media_type))


def use_layers(layout, *layers):
    """Make @layers, tar files, lowest first, those of the layout, with all digests right."""
    digests = ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]
    old = layer_file(layout)
    for digest, data in zip(digests, layers):
        (layout / "blobs/sha256" / digest.partition(":")[2]).write_bytes(data)
    config = layout / "blobs/sha256" / manifest_of(layout)["config"]["digest"].partition(":")[2]
    replace_json(layout, config, lambda c: c["rootfs"].update(diff_ids=digests))
    index = json.loads((layout / "index.json").read_text())
    manifest = layout / "blobs/sha256" / index["manifests"][0]["digest"].partition(":")[2]
    replace_json(layout, manifest, lambda m: m.update(layers=[
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": len(data)}
        for digest, data in zip(digests, layers)]))
    old.unlink()


@pytest.mark.parametrize("name", ["", "UPPER:case:tag", "a b", "-x", "a@sha256:1", "a@sha256:" + "0" * 64, "x" * 600])
def test_a_malformed_name_is_refused_before_anything_is_stored(empty_store, image_dir, name):
    """One line, exit code 125."""
    result = empty_store("load", f"--name={name}", image_dir("busybox"))
    assert result.rc == 125 and result.err.count("\n") == 1, result.err
    assert not any(store_content(empty_store).values())
