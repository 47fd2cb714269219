# SPDX-License-Identifier: Apache-2.0
"""Images that are in the store: shown, named, measured, removed - and never from under a sandbox."""
import fcntl
import hashlib
import io
import json
import os
import tarfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import pytest

import lib

MIB = 1 << 20

# ---- images of a few files, made here ------------------------------------------------------------------------


def tar_of(files):
    """Return a tar with @files, {name: content}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def make_layout(folder, layers, **config):
    """Write an OCI layout of one image into @folder; @layers are {name: content}, bottom first."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data, kind):
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{name}", "size": len(data)}

    descriptors = [put(tar_of(files), "layer.v1.tar") for files in layers]
    document = {"architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": [d["digest"] for d in descriptors]}, **config}
    manifest = {"schemaVersion": 2, "config": put(json.dumps(document).encode(), "config.v1+json"),
                "layers": descriptors}
    index = {"schemaVersion": 2, "manifests": [put(json.dumps(manifest).encode(), "manifest.v1+json")]}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def home(tmp_path):
    """The command with a store of its own; its sandboxes are removed afterwards."""
    command = lib.Sbrun(tmp_path / "store", tmp_path / "run")
    yield command
    for sandbox_id in command.ok("ps", "-aq").out.split():
        command.ok("rm", "-f", sandbox_id)
    command.ok("gc")


@pytest.fixture
def load(home, tmp_path):
    """A function: load("name", {file: content}, …, **config) makes an image of these layers and loads it."""
    def make(name, *layers, **config):
        layout = make_layout(tmp_path / f"layout-{name.replace('/', '-')}-{time.monotonic_ns()}", layers, **config)
        home.ok("load", "--name", name, layout)
    return make


@pytest.fixture
def busybox(home, image_dir):
    """The name of an image in @home that runs."""
    home.ok("load", "--name", "busybox", image_dir("busybox"))
    return "busybox"


BASE, LEFT, RIGHT = {"base": b"b" * 3 * MIB}, {"left": b"l" * MIB}, {"right": b"r" * 2 * MIB}


@pytest.fixture
def two(load):
    """Two images that share a layer of 3 MiB: "left" has one more of 1 MiB, "right" one of 2 MiB."""
    load("left", BASE, LEFT)
    load("right", BASE, RIGHT)


def stored(home, kind):
    """Return the names in a directory of the store."""
    folder = home.root / kind
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def layers_of(home):
    """Return the names of the unpacked layers."""
    return [name for name in stored(home, "layers") if "." not in name]


def assert_refused(result, *words):
    """Exit code 125, no output, one line with @words."""
    assert (result.rc, result.out) == (125, ""), result
    assert result.err.count("\n") == 1 and result.err.startswith("sbrun: "), result.err
    assert all(word in result.err for word in words), result.err


# ---- showing -------------------------------------------------------------------------------------------------

def test_image_ls_is_images(home, two):
    """Also with what is shared and what the image is, in JSON; sorted by what is shown, columns as wide as needed."""
    assert two is None
    assert home.ok("image", "ls").out == home.ok("images").out
    seen = {i["reference"]: i for i in home.ok("image", "ls", "--json").json()}
    assert {n: (i["sizeBytes"], i["sharedBytes"], i["uniqueBytes"]) for n, i in seen.items()} == {
        "left:latest": (4 * MIB, 3 * MIB, MIB), "right:latest": (5 * MIB, 3 * MIB, 2 * MIB)}
    for image in seen.values():
        told = home.ok("image", "inspect", image["reference"]).json()
        assert {key: image[key] for key in ("id", "digest", "os", "architecture", "variant", "indexDigest")} == {
            key: told[key] for key in ("id", "digest", "os", "architecture", "variant", "indexDigest")}
        assert (image["sandboxes"], image["error"], told["os"]) == (0, None, "linux")
    home.ok("image", "tag", "left", "a.example/team/a-name-that-is-long-but-not-too-long/for-a-column:1.2.3")
    rows = home.ok("images").out.splitlines()
    assert [row.split()[0][:4] for row in rows] == ["REFE", "a.ex", "left", "righ"]
    ids = [row[rows[0].index("IMAGE ID"):].split()[0] for row in rows[1:]]
    assert ids == [seen[name]["id"][7:19] for name in ("left:latest", "left:latest", "right:latest")]
    assert home.ok("images", "-q").out.split() == home.ok("image", "ls", "--quiet").out.split() == ids[1:]


def test_an_image_known_by_a_digest_of_its_name_is_listed_and_found(home, load):
    """As a pull by digest stores it, with the registry's digest in the second line."""
    load("a", LEFT)
    manifest, index = home.ok("image", "inspect", "a").json()["digest"], "sha256:" + "5" * 64
    (home.root / f"refs/docker.io%2Flibrary%2Fb@{index}").write_text(f"{manifest}\n{index}\n")
    assert f"b@{index}" in home.ok("images").out
    seen = home.ok("image", "inspect", f"b@{index}").json()
    assert (seen["digest"], seen["indexDigest"], seen["reference"]) == (manifest, index, f"b@{index}")
    assert seen["references"] == ["a:latest", f"b@{index}"]
    assert home.ok("image", "rm", f"b@{index}").out == f"Untagged: b@{index}\n"
    assert "b@" not in home.ok("images").out


CONFIG = {"created": "2024-05-06T07:08:09Z", "author": "A. U. Thor", "variant": "v8", "config": {
    "Env": ["A=1", "PATH=/bin"], "Entrypoint": ["/e"], "Cmd": ["c"], "WorkingDir": "/w", "User": "app:1",
    "StopSignal": "SIGINT", "ExposedPorts": {"80/tcp": {}}, "Labels": {"k": "\x1b[31mv"}, "Volumes": {"/data": {}}},
    "history": [{"created": "2024-05-06T07:08:09Z", "created_by": "ADD\tbase\x1b[2J " + "x" * 100},
                {"created_by": "ENV A=1", "empty_layer": True, "comment": "said"},
                {"created_by": "COPY left"}]}


def test_inspect_shows_all_that_is_known(home, load):
    """Labels, author and volumes too, which nothing else uses; one image is an object, several are a list."""
    load("full", BASE, LEFT, **CONFIG)
    seen = home.ok("image", "inspect", "full").json()
    assert seen["config"] == {
        "env": ["A=1", "PATH=/bin"], "entrypoint": ["/e"], "cmd": ["c"], "workingDir": "/w", "user": "app:1",
        "stopSignal": "SIGINT", "exposedPorts": ["80/tcp"], "labels": {"k": "\x1b[31mv"}, "volumes": ["/data"]}
    assert (seen["author"], seen["variant"], seen["os"], seen["historyCount"]) == ("A. U. Thor", "v8", "linux", 3)
    assert seen["createdAt"].startswith("2024-05-06T07:08:09") and seen["sizeBytes"] == 4 * MIB
    assert seen["reference"] == "full:latest" and seen["fullReference"] == "docker.io/library/full:latest"
    assert seen["indexDigest"] is None and seen["sandboxes"] == []
    assert [(la["sizeBytes"], la["mediaType"], la["diffId"] == la["digest"]) for la in seen["layers"]] == [
        (size, "application/vnd.oci.image.layer.v1.tar", True) for size in (3 * MIB, MIB)]
    assert all(la["compressedBytes"] > la["sizeBytes"] for la in seen["layers"])
    both = home.ok("image", "inspect", "full", seen["id"]).json()
    assert [i["digest"] for i in both] == [seen["digest"]] * 2
    assert "\x1b" not in home.ok("image", "inspect", "full").out


def test_an_image_is_found_by_every_digest_of_it(home, load):
    """Manifest and configuration, whole or abbreviated, with a name in front or not."""
    load("full", LEFT)
    seen = home.ok("image", "inspect", "full").json()
    for word in (seen["digest"], seen["digest"][7:], seen["digest"][7:19], seen["id"], seen["id"][7:19],
                 seen["id"][:11], seen["digest"][:19], seen["id"][:70], "full@" + seen["digest"],
                 "other:1@" + seen["digest"]):
        assert home.ok("image", "inspect", word).json()["digest"] == seen["digest"], word
    box = home.ok("create", "--pull", "never", "--json", seen["id"][:19]).json()["id"]
    assert home.ok("image", "inspect", "full").json()["sandboxes"] == [box]
    assert home.ok("images", "--json").json()[0]["sandboxes"] == 1
    home.ok("rm", "-f", box)
    for word in ("sha256:0000", "sha256:" + "0" * 64, "0" * 64, "0" * 12):
        assert_refused(home("image", "inspect", word), f"no image '{word}'")
    assert_refused(home("image", "tag", "full", "sha256:" + "0" * 12), "is an id, not a name")
    assert home.ok("image", "rm", seen["digest"][:19]).out.startswith("Untagged: full:latest\nDeleted: ")


@pytest.mark.parametrize("days, shown", [(1, "24h"), (100, "100d"), (729, "729d"), (904, "2y"), (4000, "10y")])
def test_ages_are_in_a_unit_that_people_can_picture(home, load, days, shown):
    """Years from two on."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    load("old", LEFT, created=created)
    assert f" {shown} ago " in home.ok("images").out


def test_history_gives_each_layer_to_the_step_that_made_it(home, load):
    """The newest first; steps without a layer have no size; nothing steers the terminal."""
    load("full", BASE, LEFT, **CONFIG)
    seen = home.ok("image", "history", "--json", "full").json()
    assert [(e["createdBy"][:9], e["sizeBytes"], e["emptyLayer"], e["comment"]) for e in seen] == [
        ("COPY left", MIB, False, None), ("ENV A=1", 0, True, "said"), ("ADD\tbase\x1b", 3 * MIB, False, None)]
    text = home.ok("image", "history", "full").out
    assert text.split("\n")[0].split() == ["CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert "3.0 MiB" in text and "ADD base?[2J" in text and "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    load("bare", BASE, LEFT)
    assert [e["sizeBytes"] for e in home.ok("image", "history", "--json", "bare").json()] == [MIB, 3 * MIB]


# ---- names ---------------------------------------------------------------------------------------------------

def test_tag_gives_one_more_name(home, two):
    """For the same image; a name in use moves."""
    assert two is None
    home.ok("image", "tag", "left", "localhost:5000/x/y:z")
    left = home.ok("image", "inspect", "left").json()
    assert home.ok("image", "tag", "--json", "left", "right").json() == {
        "reference": "right:latest", "fullReference": "docker.io/library/right:latest", "digest": left["digest"],
        "id": left["id"]}
    seen = {i["reference"]: i["digest"] for i in home.ok("images", "--json").json()}
    assert set(seen) == {"left:latest", "right:latest", "localhost:5000/x/y:z"} and len(set(seen.values())) == 1


def test_rm_of_one_name_of_several_removes_the_name(home, two):
    """The image goes with its last one, but for what another image has, too."""
    assert two is None
    digest = home.ok("image", "inspect", "left").json()["digest"]
    home.ok("image", "tag", "left", "again")
    assert home.ok("image", "rm", "left").out == "Untagged: left:latest\n"
    assert len(layers_of(home)) == 3
    assert home.ok("image", "rm", "again").out == f"Untagged: again:latest\nDeleted: {digest}\n"
    assert len(layers_of(home)) == 2 and len(stored(home, "blobs")) == 2 and stored(home, "tmp") == []
    assert sum(la["sizeBytes"] for la in home.ok("image", "inspect", "right").json()["layers"]) == 5 * MIB


def test_rm_by_digest_removes_all_names_only_if_forced(home, two):
    """They may be more than the caller knows."""
    assert two is None
    home.ok("image", "tag", "left", "again")
    digest = home.ok("image", "inspect", "left").json()["digest"]
    assert_refused(home("image", "rm", digest[7:19]), "2 names", "-f")
    done = home.ok("image", "rm", "--json", "-f", digest[7:19]).json()
    assert sorted(done["untagged"]) == ["again:latest", "left:latest"] and done["deleted"] == [digest]
    assert (done["layersRemoved"], done["blobsRemoved"]) == (1, 2)
    assert done["freedBytes"] >= MIB


def test_rm_goes_on_after_a_failure(home, two):
    """As rm does: one line for each that failed, and exit code 125."""
    assert two is None
    result = home("image", "rm", "nosuch", "left", "missing")
    assert result.rc == 125 and result.out.startswith("Untagged: left:latest\nDeleted: sha256:")
    assert result.err.count("\n") == 2 and "'nosuch'" in result.err and "'missing'" in result.err
    digest = home.ok("image", "inspect", "right").json()["digest"]
    result = home("image", "rm", "--json", "right", "nosuch")
    told = result.json()
    assert result.rc == 125 and "nosuch" in told["error"]["message"] and result.err == ""
    assert (told["untagged"], told["deleted"], told["layersRemoved"]) == (["right:latest"], [digest], 2)
    assert stored(home, "refs") == [] and layers_of(home) == []


BAD = [["inspect", "nosuch"], ["inspect", "busybox", "nosuch"], ["history", "nosuch"], ["rm", "nosuch"], ["rm", ""],
       ["rm", "UPPER"], ["rm", "../x"], ["rm", "sha256:" + "0" * 64], ["rm", "busybox@sha256:" + "0" * 64],
       ["tag", "nosuch", "x"], ["tag", "busybox", ""], ["tag", "busybox", "UPPER"], ["tag", "busybox", "a b"],
       ["tag", "busybox", "x@sha256:" + "0" * 64], ["tag", "busybox", "0" * 64], ["tag", "busybox", "x:" + "y" * 129],
       ["tag", "busybox", "x" * 260], ["tag", "busybox"], ["rm"], ["inspect"], ["history"], ["history", "a", "b"],
       ["ls", "x"], ["df", "x"], ["prune", "x"], ["ls", "-f"], ["rm", "-a", "busybox"], ["prune", "-f"], [], ["frob"],
       ["-f"], ["rmm"]]


def test_bad_input_is_one_clear_line_and_changes_nothing(home, busybox):
    """Exit code 125."""
    assert busybox
    before = lib.below(home.root)
    for args in BAD:
        assert_refused(home("image", *args))
    assert lib.below(home.root) - before <= {str(home.root / "lock")}
    assert before - lib.below(home.root) == set()


# ---- sandboxes keep their image ------------------------------------------------------------------------------

def test_an_image_in_use_stays_whatever_happens_to_its_name(home, busybox):
    """The sandbox can read what it has not read yet; with it goes the image."""
    box = lib.Sandbox(home, home.ok("create", busybox).out.strip())
    assert_refused(home("image", "rm", busybox), "is used by sandbox " + box.id, f"sbrun rm -f {box.id}")
    digest = home.ok("image", "inspect", busybox).json()["digest"]
    assert_refused(home("image", "rm", digest), box.id)
    assert home.ok("image", "inspect", busybox).json()["sandboxes"] == [box.id]
    assert home.ok("image", "rm", "-f", busybox).out == "Untagged: busybox:latest\n"
    for command in (["image", "prune", "-a"], ["image", "prune"], ["gc"]):
        home.ok(*command)
    assert_refused(home("create", "--pull", "never", busybox), "no image")
    files = [p for p in (home.root / "layers").glob("*/etc/*") if p.is_file()]
    for path in files:
        assert box.exec("cat", f"/etc/{path.name}").raw == path.read_bytes()
    assert files
    # It is still there for who knows its digest.
    other = home.ok("create", digest).out.strip()
    assert_refused(home("image", "rm", "-f", digest), "used by sandbox", "and 1 more")
    home.ok("rm", "-f", box.id, other)
    freed = home.ok("gc", "--json").json()["images"]
    assert (freed["layersRemoved"], freed["blobsRemoved"], layers_of(home)) == (1, 2, [])


def test_a_stopped_sandbox_keeps_its_image_too(home, busybox):
    """Its files are there until it is removed."""
    sandbox_id = home.ok("create", busybox).out.strip()
    home.ok("stop", "-t", "0", sandbox_id)
    assert_refused(home("image", "rm", busybox), sandbox_id)
    assert home.ok("image", "prune", "-a").out.startswith("freed 0 B")
    home.ok("rm", sandbox_id)
    assert "Deleted: " in home.ok("image", "rm", busybox).out


@contextmanager
def locked(path, operation):
    """Hold a lock of the store or of the home."""
    with open(path, "wb") as file:
        fcntl.flock(file, operation)
        yield


def sleeps_in(pid, function):
    """Return whether process @pid waits in a function of the kernel."""
    return function in Path(f"/proc/{pid}/wchan").read_text() + Path(f"/proc/{pid}/stack").read_text()


def children(pid):
    """Return the pids of the children of process @pid."""
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_an_image_is_kept_from_the_moment_it_is_found(home, busybox):
    """A create that is held up before the sandbox names its image: rm waits for it."""
    with locked(home.run / "lock", fcntl.LOCK_EX):
        creator = home.start("create", busybox)
        monitor, = lib.eventually(lambda: children(creator.pid))
        lib.eventually(lambda: sleeps_in(monitor, "flock"))
        remover = home.start("image", "rm", busybox)
        lib.eventually(lambda: remover.poll() is not None or sleeps_in(remover.pid, "nanosleep"))
    made, failure = creator.communicate(timeout=lib.TIMEOUT_S)
    assert creator.returncode == 0, failure
    said = remover.communicate(timeout=lib.TIMEOUT_S)[1].decode()
    assert remover.returncode == 125 and "is used by sandbox " + made.decode().strip() in said


def test_a_living_sandbox_does_not_hold_the_store(home, busybox):
    """Neither its monitor nor the client of a command that runs."""
    home.ok("create", busybox)
    with home.start("run", "--rm", "-i", busybox, "sh", "-c", "echo up; exec cat", stdin=PIPE) as client:
        lib.read_until(client.stdout, b"up")
        with locked(home.root / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            pass
        client.communicate(timeout=lib.TIMEOUT_S)


def test_a_killed_create_does_not_hold_the_store(home, busybox):
    """Killed while it waits for the lock, or at any time after."""
    with locked(home.root / "lock", fcntl.LOCK_EX):
        client = home.start("create", busybox)
        lib.eventually(lambda: sleeps_in(client.pid, "flock"))
        client.kill()
        client.communicate()
    for _ in range(20):
        client = home.start("create", busybox)
        lib.eventually(lambda: stored(home, home.data.name) or client.poll() is not None)
        client.kill()
        client.communicate()
        home.ok("image", "prune")
    lib.eventually(lambda: home.ok("gc") and all(i in home.ok("ps", "-aq").out for i in stored(home, home.data.name)))


# ---- beside each other ---------------------------------------------------------------------------------------

def test_prune_beside_creates_harms_none(home, busybox, load):
    """No create ever fails, and what it made works."""
    done, failures = threading.Event(), []

    def prune():
        number = 0
        while not done.is_set():
            result = home("image", "prune") if number % 2 else home("gc")
            failures.extend([result.err] if result.rc else [])
            number += 1

    pruners = [threading.Thread(target=prune) for _ in range(2)]
    for thread in pruners:
        thread.start()
    try:
        for number in range(30):
            if number % 10 == 0:
                load("waste", {"file": str(number).encode()})
            box = home.ok("create", busybox).out.strip()
            home.ok("exec", box, "true")
            home.ok("rm", "-f", box)
    finally:
        done.set()
        for thread in pruners:
            thread.join()
    assert failures == []


def test_a_create_gets_an_image_whole_or_not_at_all(home, busybox, image_dir):
    """While its only name comes and goes: "no image", or a sandbox that can read every file."""
    done, seen = threading.Event(), []

    def create():
        while not done.is_set():
            result = home("create", "--pull", "never", busybox)
            if result.rc == 0:
                box = result.out.strip()
                seen.append("works" if home("exec", box, "cat", "/bin/busybox").rc == 0 else "broken")
                home("rm", "-f", box)
            else:
                seen.append("none" if "no image" in result.err else result.err)

    creator = threading.Thread(target=create)
    creator.start()
    try:
        for _ in range(15):
            home.ok("image", "rm", "-f", busybox)
            home.ok("image", "prune")
            home.ok("load", "--name", busybox, image_dir("busybox"))
    finally:
        done.set()
        creator.join()
    assert set(seen) <= {"works", "none"} and "works" in seen, set(seen)


def test_a_store_in_use_for_long_is_said(home, two):
    """By one that loads, which creating does not wait for; gc does the rest of its work."""
    assert two is None
    home.ok("image", "prune")
    with locked(home.root / "lock", fcntl.LOCK_SH):
        collector = home.start("gc", "--json")
        result = home("image", "rm", "left")
        out, err = collector.communicate(timeout=lib.TIMEOUT_S)
    assert_refused(result, "in use", "load")
    assert collector.returncode == 0 and json.loads(out)["storeBusy"] is True and err == b""
    assert len(layers_of(home)) == 3 and "left" in home.ok("images").out


# ---- killed, full of rubbish, broken -------------------------------------------------------------------------

def test_a_killed_prune_leaves_a_store_that_works(home, busybox, load):
    """And gc finishes its work; wherever it was killed."""
    rounds = 0
    for moment in ("tmp", "layers", "blobs", "end"):
        load("big", {f"dir/file-{i}": b"x" for i in range(600)}, LEFT)
        home.ok("image", "tag", busybox, "big")
        before = {kind: stored(home, kind) for kind in ("tmp", "layers", "blobs")}
        process = home.start("image", "prune")
        while process.poll() is None and (moment == "end" or stored(home, moment) == before[moment]):
            pass
        process.kill()
        process.communicate()
        rounds += process.returncode == -9
        assert home.ok("run", "--rm", busybox, "echo", "fine").out == "fine\n"
        home.ok("image", "inspect", busybox)
        home.ok("gc")
        assert stored(home, "tmp") == [] and len(layers_of(home)) == 1 and len(stored(home, "blobs")) == 2
        assert len(stored(home, "layers")) == 3, "records without a layer"
    assert rounds > 0, "prune was always done before it was killed"


def test_prune_removes_every_partial_download_and_gc_old_ones(home, two):
    """But those that somebody works on."""
    assert two is None
    folder = home.root / "partial"
    for name in ("old", "new", "held"):
        (folder / name).write_bytes(b"x" * 8192)
    for name in ("old", "held"):
        os.utime(folder / name, (0, 0))
    with open(folder / "held", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert home.ok("gc", "--json").json()["images"]["partialDownloadsRemoved"] == 1
        assert stored(home, "partial") == ["held", "new"]
        totals = home.ok("image", "df", "--json").json()["totals"]["partialDownloads"]
        assert (totals["count"], totals["sizeBytes"], totals["reclaimableBytes"]) == (2, 16384, 8192)
        assert "1 partial download" in home.ok("image", "prune").out
        assert stored(home, "partial") == ["held"]
    assert home.ok("image", "prune", "--json").json()["partialDownloadsRemoved"] == 1


def test_an_image_that_cannot_be_read_stops_prune(home, two, load):
    """Its layers are unknown; its own name can be removed, then it can be loaded again, and all is well."""
    assert two is None
    load("third", {"third": b"3"})
    home.ok("image", "tag", "left", "third")
    digest = home.ok("image", "inspect", "right").json()["digest"]
    (home.root / "blobs" / digest.replace(":", "-")).write_text("{")
    assert_refused(home("image", "prune"), "right:latest", "nothing is removed", "image rm")
    result = home("gc")
    assert result.rc == 125 and result.out.startswith("removed 0 dead sandboxes") and "freed" not in result.out
    assert "nothing is removed from the store" in result.err and "right:latest" in result.err
    told = home("gc", "--json").json()
    assert told["sandboxesRemoved"] == 0 and "right:latest" in told["error"]["message"]
    assert len(layers_of(home)) == 4
    assert home.ok("image", "rm", "right").out.startswith("Untagged: right:latest\n")
    assert len(layers_of(home)) == 2 and home.ok("images").out.count("\n") == 3
    load("right", BASE, RIGHT)
    assert home.ok("image", "inspect", "right").json()["digest"] == digest
    home.ok("image", "prune")


@pytest.mark.parametrize("damage", ["manifest", "no manifest", "config", "no config"])
def test_listings_show_what_cannot_be_read_beside_all_else(home, two, damage):
    """One broken file hides no other image."""
    assert two is None
    healthy = home.ok("images", "--json").json()[0]
    right = home.ok("image", "inspect", "right").json()
    path = home.root / "blobs" / right["id" if "config" in damage else "digest"].replace(":", "-")
    path.unlink()
    if "no" not in damage:
        path.write_text("{")
    left, broken = home.ok("images", "--json").json()
    assert left == {**healthy, "sharedBytes": 0, "uniqueBytes": 4 * MIB}
    assert "right:latest" in broken["error"] and "cannot be read" in broken["error"]
    assert {key for key, value in broken.items() if value is not None} == {
        "reference", "fullReference", "digest", "sandboxes", "error"}
    assert home.ok("images").out.splitlines()[2].split() == ["right:latest", "-", "-", "unreadable"]
    assert home.ok("images", "-q").out.split() == [left["id"][7:19]]
    left, broken = home.ok("image", "df", "--json").json()["images"]
    assert (left["error"], left["sizeBytes"], broken["sizeBytes"], broken["id"]) == (None, 4 * MIB, None, None)
    assert "unreadable" in home.ok("image", "df").out
    assert "images        2" in home.ok("info").out
    # The layer that only the unreadable image has is freed, too: its name goes with the others.
    promised = home.ok("image", "df", "--json").json()["reclaimableBytes"]
    assert home.ok("image", "prune", "-a", "--json").json()["freedBytes"] == promised > 6 * MIB
    assert layers_of(home) == stored(home, "blobs") == stored(home, "refs") == []


def test_prune_all_removes_no_name_if_it_could_remove_no_file(home, two, busybox):
    """Because the image of a sandbox, which stays, cannot be read."""
    assert two is None
    box = home.ok("create", busybox).out.strip()
    path = home.root / "blobs" / home.ok("image", "inspect", busybox).json()["digest"].replace(":", "-")
    whole = path.read_bytes()
    path.write_text("{")
    assert home.ok("image", "df", "--json").json()["reclaimableBytes"] == 0
    assert_refused(home("image", "prune", "-a"), "nothing is removed", "busybox:latest")
    assert len(stored(home, "refs")) == 3 and len(layers_of(home)) == 4
    # A name can go all the same, and what that means is said.
    home.ok("image", "tag", "left", "again")
    assert home.ok("image", "rm", "again").out == "Untagged: again:latest\n"
    result = home("image", "rm", "left")
    assert (result.rc, result.out) == (125, "Untagged: left:latest\n")
    assert "the name is gone, but files stay" in result.err and "busybox:latest" in result.err
    told = home("image", "rm", "--json", "right").json()
    assert told["untagged"] == ["right:latest"] and told["deleted"] == [] and "files stay" in told["error"]["message"]
    assert len(layers_of(home)) == 4
    path.write_bytes(whole)
    home.ok("image", "prune")
    assert len(layers_of(home)) == 1
    home.ok("rm", "-f", box)


# ---- space ---------------------------------------------------------------------------------------------------

def test_df_accounts_what_is_shared_once(home, two, load, busybox):
    """Per image and in total; what is reclaimable is what prune -a frees."""
    assert two is None
    load("waste", {"waste": b"w" * MIB})
    home.ok("image", "tag", "left", "waste")
    box = lib.Sandbox(home, home.ok("create", busybox).out.strip())
    box.sh("dd if=/dev/zero of=/big bs=1048576 count=2")
    seen = home.ok("image", "df", "--json").json()
    images = {i["references"][0]: i for i in seen["images"]}
    assert images["left:latest"]["references"] == ["left:latest", "waste:latest"]
    assert {n: (i["sizeBytes"], i["sharedBytes"], i["uniqueBytes"], i["sandboxes"]) for n, i in images.items()
            if n != "busybox:latest"} == {"left:latest": (4 * MIB, 3 * MIB, MIB, 0),
                                          "right:latest": (5 * MIB, 3 * MIB, 2 * MIB, 0)}
    busy, totals = images["busybox:latest"]["sizeBytes"], seen["totals"]
    assert images["busybox:latest"]["sandboxes"] == 1
    assert (totals["images"]["count"], totals["images"]["sizeBytes"]) == (3, 9 * MIB + busy)
    assert totals["layers"] == {"count": 4, "sizeBytes": 6 * MIB + busy, "reclaimableBytes": 6 * MIB}
    assert totals["manifests"]["count"] == 6 and totals["images"]["reclaimableBytes"] is None
    assert totals["unreferenced"]["count"] == 3 and MIB < totals["unreferenced"]["sizeBytes"] < 2 * MIB
    assert totals["writableLayers"]["count"] == 1
    assert 2 * MIB <= totals["writableLayers"]["sizeBytes"] < 3 * MIB
    text = home.ok("image", "df").out
    assert "RECLAIMABLE" in text and "writable layers" in text and max(map(len, text.splitlines())) <= 100
    freed = home.ok("image", "prune", "-a", "--json").json()
    assert freed["freedBytes"] == seen["reclaimableBytes"] == sum(
        t["reclaimableBytes"] or 0 for t in totals.values())
    assert home.ok("image", "df", "--json").json()["reclaimableBytes"] == 0
    assert sorted(freed["untagged"]) == ["left:latest", "right:latest", "waste:latest"]
    assert len(layers_of(home)) == 1 and box.sh("wc -c < /big") == str(2 * MIB)
