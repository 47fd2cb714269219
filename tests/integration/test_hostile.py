# SPDX-License-Identifier: Apache-2.0
"""Hostile archives (hostile.py) do no harm: nothing outside of the layer changes, memory and time are bounded.

Each archive is loaded into a store of its own, with files all around that attacks aim at or would hit by chance.
"""
import fcntl
import gzip
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import archive
import hostile
import lib
import tree

MEMORY_MAX_KIB = 64 << 10
STORE_DIRS = ("store", *(f"store/{name}" for name in ("blobs", "layers", "partial", "refs", "tmp")))
# Starts a command and tells exit code and peak memory (KiB, with all that it waited for). A small process of its
# own, since what starts a command counts as the command's peak.
MEASURE = ("import os, sys; pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ); "
           "_, status, usage = os.wait4(pid, 0); "
           "os.write(int(sys.argv[1]), b'%d %d' % (os.waitstatus_to_exitcode(status), usage.ru_maxrss))")


@pytest.fixture
def place(tmp_path):
    """A directory with a store and canaries: above it, in it, beside layers, and what links point to."""
    for name in ("canary", "canary/dir", *STORE_DIRS):
        (tmp_path / name).mkdir(mode=0o700)
    for folder in (".", "canary", "canary/dir", "store", "store/layers", "store/blobs"):
        file = tmp_path / folder / "file"
        file.write_text(f"canary of {folder}")
        file.chmod(0o640)
        os.setxattr(file, "user.canary", b"alive")
        (tmp_path / folder / "link").symlink_to("file")
    os.mkfifo(tmp_path / "canary/fifo")
    (tmp_path / "store/tmp/canary").mkdir()
    (tmp_path / "store/tmp/canary/file").write_text("beside the layer directories")
    return tmp_path


@contextmanager
def locked(folder):
    """Hold the lock of @folder: what is in the store's tmp/ without one is removed."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def is_sanitized():
    """Whether the program was built with AddressSanitizer, which takes memory of its own."""
    return b"__asan_init" in lib.BIN.with_name("sbrun").read_bytes()


def load(place, source, *options):
    """Load @source into the store of @place. Return exit code, peak memory in KiB, stdout and stderr."""
    sbrun = lib.Sbrun(place / "store", place / "run")
    command = [str(lib.BIN), "load", *options, str(source)]
    r, w = os.pipe()
    with os.fdopen(r) as report:
        try:
            done = subprocess.run([sys.executable, "-ISc", MEASURE, str(w), *command], env=sbrun.env,
                                  capture_output=True, timeout=lib.TIMEOUT_S, pass_fds=[w], check=False)
        finally:
            os.close(w)
        rc, peak = map(int, report.read().split())
    return rc, peak, done.stdout.decode(), done.stderr.decode()


def state(place):
    """Return the tree of @place but for the source, the times of the store's directories, and every command's."""
    return {path: entry for path, entry in tree.without(tree.read(place), ".", *STORE_DIRS).items()
            if not path.startswith(("source", "run", "store/lock", "store/sandboxes-"))}


def check_refusal(rc, err, words):
    """One line, fit for a terminal, with one of @words; exit code 125."""
    assert rc == 125 and err.count("\n") == 1 and err.endswith("\n"), err
    assert err[:-1].isprintable() and err.isascii(), err
    assert any(word in err for word in words), err


def describe(path, entry):
    """An entry of a layer in words: kind, content, mode, owner, attributes."""
    xattrs = dict(entry.xattrs)
    opaque = " opaque" if xattrs.pop("trusted.overlay.opaque", None) else ""
    rest = "".join(f" {name}={value!r}" for name, value in xattrs.items())
    owner = f"{entry.uid}:{entry.gid}{rest}"
    if entry.kind == "char" and entry.data == (0, 0):
        return "whiteout"
    if entry.kind == "link":
        return f"link -> {entry.data} {owner}"
    if entry.kind in ("char", "block"):
        return f"{entry.kind} {entry.data[0]},{entry.data[1]} {entry.mode:o} {owner}"
    text = f" {Path(path).read_bytes()!r}" if entry.kind == "file" and entry.size < 100 else ""
    return f"{entry.kind}{opaque}{text} {entry.mode:o} {owner}"


def check_tree(place, expected):
    """The layer that was stored last is what @expected says, and nothing else."""
    layers = sorted((place / "store/layers").glob("sha256-" + "?" * 64))
    assert len(layers) == 1
    found = {path: describe(layers[0] / path, entry) for path, entry in tree.read(layers[0]).items()}
    for path, words in expected.items():
        words = words.replace("{canary}", str(place / "canary"))
        assert path in found, (path, found)
        rest = found[path].removeprefix(words)
        assert rest != found[path] and "=" not in rest and rest[:1] in ("", " "), (path, found[path], words)
    assert found.keys() - expected.keys() <= {"."}


@pytest.mark.parametrize("name", hostile.CASES)
def test_loading_is_harmless_or_refused(place, name):
    """Nothing outside changes; what is refused leaves nothing; what is loaded is what the specification says."""
    case, source = hostile.CASES[name], place / "source"
    case.make(source, place / "canary")
    before = state(place)
    with locked(place / "store/tmp/canary"):
        rc, peak, _, err = load(place, source, *(("--name", "hostile") if case.named else ()))
    after = state(place)
    if case.tree is None:
        check_refusal(rc, err, case.words)
    else:
        assert rc == 0 and not err, err
        check_tree(place, case.tree)
        after = {path: entry for path, entry in after.items() if path in before or not path.startswith(
            ("store/layers/sha256-", "store/blobs/sha256-", "store/refs/"))}
    assert tree.differences(before, after) == {}
    assert is_sanitized() or peak < MEMORY_MAX_KIB


@pytest.mark.parametrize("write", [hostile.named_docker, hostile.named_layout], ids=["docker", "layout"])
@pytest.mark.parametrize("name", hostile.HOSTILE_NAMES)
def test_a_name_that_an_archive_gives_is_checked_as_if_typed(place, write, name):
    """It becomes the name of a file in the store."""
    write(place / "source", hostile.HOSTILE_NAMES[name])
    before = state(place)
    with locked(place / "store/tmp/canary"):
        rc, _, _, err = load(place, place / "source")
    check_refusal(rc, err, ["reference", "name", "RepoTags", "NUL", "digest", "string"])
    assert tree.differences(before, state(place)) == {}


@pytest.mark.parametrize("name", ["platform-with-controls", "layer-dotdot", "docker-layer-name-controls"])
def test_with_json_a_refusal_is_an_object(place, name):
    """On standard output; strings of the archive cannot break out of it."""
    hostile.CASES[name].make(place / "source", place / "canary")
    rc, _, out, err = load(place, place / "source", "--name", "hostile", "--json")
    assert rc == 125 and not err
    assert json.loads(out)["error"]["message"].isprintable()


# ---- what an image asks to be run as -------------------------------------------------------------------------

@pytest.fixture
def odd_image(sbrun, image_dir, tmp_path):
    """A function that loads busybox with another config, and a layer more, and returns its name."""
    def make(config, fill=None):
        blob = archive.blob_path(image_dir("busybox"), "layer").read_bytes()
        layers = [(blob, gzip.decompress(blob))]
        if fill:
            tape = archive.Tape()
            fill(tape)
            layers.append(tape.end())
        archive.write_image(tmp_path / "odd", layers, config=lambda c: c.update(config=config))
        sbrun.ok("load", "--name", "odd", tmp_path / "odd")
        return "odd"
    return make


@pytest.mark.parametrize("user", ["4294967296:0", "4294967296", "4294967295", "0:4294967296", "-1", "0x0", "root ",
                                  "nobody-knows", "app:", ":", "../../etc/passwd", "1000:-1"])
def test_a_user_that_is_none_never_becomes_root(sbrun, odd_image, user):
    """CVE-2024-40635: a number that does not fit was taken for 0."""
    result = sbrun("run", "--rm", odd_image({"User": user}), "/bin/id", "-u")
    assert result.rc in (125, 126) and not result.out and result.err.count("\n") == 1, (result.out, result.err)


@pytest.mark.parametrize("fill", [lambda tape: tape.add("etc/passwd", archive.FIFO),
                                  lambda tape: tape.sym("etc/passwd", "/proc/1/root/etc/passwd"),
                                  lambda tape: tape.add("etc/passwd", archive.CHAR, dev=(1, 5)),
                                  lambda tape: tape.dir("etc/passwd")], ids=["fifo", "link", "device", "directory"])
def test_a_user_is_not_looked_up_in_what_is_no_file(sbrun, odd_image, fill):
    """CVE-2024-9676: it would block, or read without end, or read the host's."""
    result = sbrun("run", "--rm", odd_image({"User": "app"}, fill), "/bin/id", "-u")
    assert result.rc in (125, 126) and not result.out and result.err.count("\n") == 1, (result.out, result.err)


def test_the_environment_of_the_host_is_not_asked(sbrun, odd_image):
    """A variable without a value would be the caller's."""
    image = odd_image({"Env": ["SBRUN_SECRET", "=x", "A=1"]})
    result = sbrun.ok("run", "--rm", image, "/bin/env", env={"SBRUN_SECRET": "secret"})
    assert "secret" not in result.out and "A=1" in result.out.splitlines()


def test_a_directory_that_leads_out_stays_inside(sbrun, odd_image):
    """Dots above the root mean the root."""
    assert sbrun.ok("run", "--rm", odd_image({"WorkingDir": "/../../../../etc"}), "/bin/pwd").out == "/etc\n"
