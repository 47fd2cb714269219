# SPDX-License-Identifier: Apache-2.0
"""sbrun files: a sandbox's files from the host, whatever the sandbox does to its paths."""
import base64
import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
from pathlib import Path

import pytest

import lib
from sessions import background

CANARY = b"only the host may read and write this\n"


@pytest.fixture(scope="module")
def box(sbrun, busybox_image):
    """One sandbox for all tests; each uses paths of its own."""
    sandbox = lib.Sandbox(sbrun, sbrun.ok("create", busybox_image).out.strip())
    yield sandbox
    sbrun.ok("rm", "-f", sandbox.id)


@pytest.fixture
def canary(tmp_path):
    """A file of the host that nothing may touch, at a path that leads nowhere in a sandbox."""
    file = tmp_path / "canary"
    file.write_bytes(CANARY)
    before = file.stat()
    yield file
    after = file.stat()
    assert file.read_bytes() == CANARY
    assert (before.st_ino, before.st_mtime_ns, before.st_uid) == (after.st_ino, after.st_mtime_ns, after.st_uid)
    assert os.listdir(tmp_path) == ["canary"]


def read(sandbox, path, **options):
    """Run files read."""
    return sandbox.sbrun("files", "read", sandbox.id, path, **options)


def write(sandbox, path, data, **options):
    """Run files write."""
    return sandbox.sbrun("files", "write", sandbox.id, path, stdin=data, **options)


def assert_refused(result, *words):
    """A refusal is exit code 125, one line with @words, and no output."""
    assert result.rc == 125 and result.out == ""
    assert result.err.count("\n") == 1 and all(word in result.err for word in words), result.err


# ---- content -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("data", [b"", b"x", b"text\n", bytes(range(256)), b"\0" * 70000], ids=len)
def test_what_was_written_is_read(box, data):
    """Byte for byte, from the host and from inside."""
    assert write(box, "/tmp/data", data).rc == 0
    assert read(box, "/tmp/data").raw == data
    assert box.exec("cat", "/tmp/data").raw == data


def test_ten_megabytes_are_exact_both_ways(box):
    """Random bytes."""
    data = os.urandom(10 << 20)
    assert write(box, "/tmp/big", data).rc == 0
    assert read(box, "/tmp/big").raw == data


def test_the_content_may_come_through_a_slow_pipe(box):
    """The file is there when all of it has come, and not before."""
    client = box.sbrun.start("files", "write", box.id, "/tmp/slow", stdin=subprocess.PIPE)
    client.stdin.write(b"first ")
    client.stdin.flush()
    assert read(box, "/tmp/slow").rc == 125
    client.stdin.write(b"second")
    client.stdin.close()
    assert client.wait(lib.TIMEOUT_S) == 0
    assert read(box, "/tmp/slow").raw == b"first second"


@pytest.mark.parametrize("path", ["/tmp/with space", "/tmp/grüße-日本", "/tmp/-dash", "/tmp/a\nb", "/tmp/..x",
                                  "/tmp/./dot/../plain", "//tmp//slashes", "/tmp/" + "n" * 255])
def test_any_name_is_a_name(box, path):
    """Nothing is interpreted."""
    assert write(box, path, b"named").rc == 0
    assert read(box, path).raw == b"named"
    assert box.exec("cat", path).raw == b"named"


# ---- place ---------------------------------------------------------------------------------------------------

def test_missing_directories_are_made(box):
    """Of the sandbox's root, open to its users."""
    assert write(box, "/new/deep/er/file", b"x").rc == 0
    assert box.sh("stat -c '%u:%g %a' /new /new/deep /new/deep/er") == "0:0 755\n0:0 755\n0:0 755"


def test_a_relative_path_starts_where_commands_do(sandbox):
    """In the sandbox's working directory."""
    box = sandbox("-w", "/home/app")
    assert write(box, "here/file", b"relative").rc == 0
    assert box.exec("cat", "here/file").raw == b"relative"
    assert read(box, "here/file").raw == read(box, "/home/app/here/file").raw == b"relative"
    assert read(box, "../app/here/file").raw == b"relative"


def test_the_root_cannot_be_left_upwards(box, canary):
    """As everywhere, /.. is /."""
    box.write("/etc/marker", b"inside")
    assert read(box, "/../../../../etc/marker").raw == b"inside"
    assert read(box, f"/../../..{canary}").rc == 125


# ---- owner, mode, atomicity ----------------------------------------------------------------------------------

def test_a_new_file_belongs_to_root_inside(box):
    """And everybody may read it, whatever the umask of the caller."""
    old = os.umask(0o077)
    try:
        assert write(box, "/tmp/owned", b"x").rc == 0
    finally:
        os.umask(old)
    assert box.sh("stat -c '%u:%g %a' /tmp/owned") == "0:0 644"


def test_a_replaced_file_keeps_owner_and_mode(box):
    """So that a program that runs as a user can go on with its own file."""
    box.sh("echo old >/tmp/mine; chmod 4750 /tmp/mine; chown 1000:2000 /tmp/mine; chmod 4750 /tmp/mine")
    assert write(box, "/tmp/mine", b"new").rc == 0
    assert box.sh("stat -c '%u:%g %a' /tmp/mine; cat /tmp/mine") == "1000:2000 4750\nnew"


def test_a_reader_sees_the_old_content_or_the_new(box):
    """Never a part, however often it is rewritten."""
    contents = [letter * 300_000 for letter in (b"a", b"b")]
    box.write("/tmp/atomic", contents[0])
    script = "while test ! -e /tmp/enough; do cat /tmp/atomic | md5sum; done | sort -u"
    reader = box.sbrun.start("exec", box.id, "sh", "-c", script)
    stop = threading.Event()

    def rewrite():
        i = 0
        while not stop.is_set():
            i += 1
            assert write(box, "/tmp/atomic", contents[i % 2]).rc == 0

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(100):
            assert read(box, "/tmp/atomic").raw in contents
    finally:
        stop.set()
        writer.join()
    box.sh("touch /tmp/enough")
    sums, _ = reader.communicate(timeout=lib.TIMEOUT_S)
    assert 1 <= len(sums.splitlines()) <= 2


def test_a_program_that_has_the_old_file_open_keeps_it(box):
    """It is replaced, not overwritten: a running program does not change under its feet."""
    box.write("/tmp/open", b"old")
    client = box.sbrun.start("exec", "-i", box.id, "sh", "-c", "exec 3</tmp/open; echo ready; read line; cat <&3",
                             stdin=subprocess.PIPE)
    lib.read_until(client.stdout, b"ready\n")
    box.write("/tmp/open", b"new")
    assert client.communicate(b"go\n", timeout=lib.TIMEOUT_S)[0] == b"old"
    assert read(box, "/tmp/open").raw == b"new"


def test_a_failed_write_leaves_the_old_file(sandbox):
    """And nothing half-done beside it."""
    box = sandbox()
    box.sh("mkdir /tmp/d; echo old >/tmp/d/file")
    directory = os.open("/", os.O_RDONLY)  # read(2) gives EISDIR
    try:
        assert_refused(write(box, "/tmp/d/file", directory), "/tmp/d/file")
    finally:
        os.close(directory)
    assert box.sh("cat /tmp/d/file; ls -A /tmp/d") == "old\nfile"


def unread(pipe):
    """Return the number of bytes in @pipe: FIONREAD, pipe(7)."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


@pytest.mark.parametrize("sig", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_an_interrupted_write_leaves_nothing(sandbox, sig):
    """Control-C in the middle of an upload."""
    box = sandbox()
    box.sh("mkdir /tmp/d")
    client = box.sbrun.start("files", "write", box.id, "/tmp/d/file", stdin=subprocess.PIPE)
    client.stdin.write(b"half")
    client.stdin.flush()
    lib.eventually(lambda: unread(client.stdin) == 0)
    client.send_signal(signal.Signals[sig])
    client.wait(lib.TIMEOUT_S)
    client.stdin.close()
    assert box.sh("ls -A /tmp/d") == ""


# ---- links and special files ---------------------------------------------------------------------------------

def links(canary):
    """Return {kind: (shell commands that make a trap, the path that is used then)}."""
    return {
        "absolute": (f"ln -s {canary} /t/link", "/t/link"),
        "upwards": (f"ln -s ../../../../../../../..{canary} /t/link", "/t/link"),
        "parent": (f"ln -s {canary.parent} /t/dir", "/t/dir/canary"),
        "parent upwards": (f"ln -s ../../../../../../..{canary.parent} /t/dir", "/t/dir/canary"),
        "root of process 1": ("true", f"/proc/1/root{canary}"),
        "own root": ("true", f"/proc/self/root{canary}"),
        "working directory": ("true", f"/proc/1/cwd{canary}"),
        "link to magic": (f"ln -s /proc/1/root{canary} /t/link", "/t/link"),
        "parent to magic": ("ln -s /proc/1/root /t/dir", f"/t/dir{canary}"),
        "descriptor": ("ln -s /proc/self/fd /t/fds", f"/t/fds/3{canary}"),
        "chain": (f"ln -s /t/b /t/a; ln -s /t/c /t/b; ln -s {canary} /t/c", "/t/a"),
        "loop": ("ln -s /t/loop /t/loop", "/t/loop/x"),
    }


@pytest.mark.parametrize("kind", links(Path("/x/canary")))
def test_no_link_leads_out_of_the_sandbox(sandbox, canary, kind):
    """Neither to read nor to write: links mean what they mean inside."""
    box = sandbox()
    commands, path = links(canary)[kind]
    box.sh(f"mkdir /t; {commands}")
    seen = read(box, path, timeout=10)
    assert seen.rc == 125 and CANARY.strip().decode() not in seen.out
    write(box, path, b"attack", timeout=10)
    missing = box.exec("sh", "-c", f"cat {canary} 2>/dev/null")
    assert CANARY not in missing.raw


def test_a_link_is_followed_inside_for_reading_and_replaced_for_writing(box):
    """Writing through it would change another file than the one that was named."""
    box.sh("mkdir -p /l/real; echo target >/l/real/file; ln -s real /l/dir; ln -s /l/real/file /l/link")
    assert read(box, "/l/link").out == read(box, "/l/dir/file").out == "target\n"
    assert write(box, "/l/dir/other", b"by the directory").rc == 0
    assert box.sh("cat /l/real/other") == "by the directory"
    assert write(box, "/l/link", b"replaced").rc == 0
    assert box.sh("cat /l/real/file; test -L /l/link || cat /l/link") == "target\nreplaced"


def test_a_link_that_changes_all_the_time_never_leads_out(sandbox, canary):
    """A thousand races of the parent directory with a link to the host's."""
    box = sandbox()
    box.sh(f"mkdir -p /t/dir{canary.parent}; mkdir /t/safe; echo inside >/t/safe/canary")
    swap = (f"cd /t; ln -s {canary.parent} evil; while test ! -e stop; do mv safe now; mv now safe 2>/dev/null; "
            "mv -T evil now 2>/dev/null; mv -T now evil 2>/dev/null; done")
    background(box, "sh", "-c", swap)
    for i in range(300):
        seen = read(box, "/t/now/canary", timeout=10)
        assert CANARY not in seen.raw
        if i % 3 == 0:
            write(box, "/t/now/canary", b"inside\n", timeout=10)
    box.sh("touch /t/stop")


SPECIAL = {"FIFO": "mkfifo /s", "directory": "mkdir /s", "device": "ln -s /dev/zero /s", "terminal": "ln -s /dev/ptmx /s",
           "random": "ln -s /dev/urandom /s"}


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_regular_file_is_not_read(sandbox, kind):
    """It could hang or never end."""
    box = sandbox()
    box.sh(SPECIAL[kind])
    assert_refused(read(box, "/s", timeout=10), "/s")
    assert_refused(read(box, "/s/", timeout=10), "/s")


def test_a_directory_is_not_written(box):
    """Nor a path that can only be one; nothing is left in it."""
    box.sh("mkdir /tmp/dir")
    for path in ("/tmp/dir", "/tmp/dir/", "/tmp/dir/.", "/", "/..", "/tmp/fresh/", "/tmp/new/fresh/"):
        result = write(box, path, b"x")
        assert_refused(result)
    assert box.sh("ls -A /tmp/dir; ls -d /tmp/fresh /tmp/new/fresh 2>/dev/null; true") == ""


def test_a_fifo_in_the_way_is_replaced_without_hanging(box):
    """Writing never opens what is there."""
    box.sh("mkfifo /tmp/pipe")
    assert write(box, "/tmp/pipe", b"file now", timeout=10).rc == 0
    assert box.sh("test -f /tmp/pipe && cat /tmp/pipe") == "file now"


def test_read_only_places_stay_read_only(box):
    """The kernel's reason is in the message."""
    for path in ("/proc/x", "/sys/x", "/proc/sys/kernel/core_pattern", "/proc/1/status"):
        assert_refused(write(box, path, b"x"), path)


# ---- refusals ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, words", [("/nosuch", ["/nosuch", "No such file"]), ("", ["empty"]),
                                         ("/etc/passwd/x", ["Not a directory"]),
                                         ("/tmp/" + "n" * 256, ["File name too long"]),
                                         ("/x" * 3000, ["File name too long"])], ids=["missing", "empty", "below a file",
                                                                                      "long name", "long path"])
def test_a_path_that_cannot_be_read_is_refused(box, path, words):
    """With the kernel's reason."""
    assert_refused(read(box, path), *words)


@pytest.mark.parametrize("path", ["", "/etc/passwd/x", "/tmp/" + "n" * 256, "/x" * 3000])
def test_a_path_that_cannot_be_written_is_refused(box, path):
    """And changes nothing."""
    before = box.sh("find / -xdev | sort")
    assert_refused(write(box, path, b"x"))
    assert box.sh("find / -xdev | sort") == before


def test_a_sandbox_that_does_not_run_has_no_files(sandbox):
    """In one line that names it."""
    box = sandbox()
    box.sbrun.ok("stop", "-t", "0", box.id)
    assert_refused(read(box, "/etc/passwd"), box.id, "not running")
    assert_refused(write(box, "/etc/passwd", b"x"), box.id, "not running")
    assert_refused(box.sbrun("files", "read", "nosuch", "/x"), "nosuch")


def test_words_that_are_no_verb_are_refused(box):
    """And so are missing and surplus ones."""
    for args in (["frobnicate", box.id, "/x"], ["read", box.id], ["read"], [], ["read", box.id, "/x", "/y"],
                 ["read", f"{box.id}/1", "/x"]):
        assert_refused(box.sbrun("files", *args))


def test_a_full_disk_of_the_reader_is_an_error(box):
    """A copy that is not whole must not look so."""
    box.write("/tmp/full", b"x" * 100_000)
    for flags in ([], ["--json"]):
        with open("/dev/full", "wb") as full:
            client = box.sbrun.start("files", "read", *flags, box.id, "/tmp/full", stdout=full)
            client.communicate(timeout=lib.TIMEOUT_S)
        assert client.returncode == 125


# ---- JSON ----------------------------------------------------------------------------------------------------

def test_json_tells_what_was_written(sandbox):
    """Where and how much."""
    box = sandbox("-w", "/tmp")
    result = box.sbrun.ok("files", "write", "--json", box.id, "j", stdin=b"12345")
    assert result.json() == {"path": "/tmp/j", "bytesWritten": 5}


def test_json_has_text_as_text_and_the_rest_as_base64(box):
    """As in captured output."""
    box.write("/tmp/text", "grüße\n")
    box.write("/tmp/bytes", b"\xff\0\xfe")
    text = box.sbrun.ok("files", "read", "--json", box.id, "/tmp/text").json()
    assert (text["content"], text["bytes"], "contentEncoding" in text) == ("grüße\n", len("grüße\n".encode()), False)
    data = box.sbrun.ok("files", "read", "--json", box.id, "/tmp/bytes").json()
    assert (data["contentEncoding"], base64.b64decode(data["content"]), data["bytes"]) == ("base64", b"\xff\0\xfe", 3)


def test_json_errors_are_objects(box):
    """On standard output, with the errno's name."""
    result = box.sbrun("files", "read", "--json", box.id, "/nosuch")
    error = result.json()["error"]
    assert (result.rc, error["code"], error["exitCode"]) == (125, "ENOENT", 125) and "/nosuch" in error["message"]
