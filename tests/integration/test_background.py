# SPDX-License-Identifier: Apache-2.0
"""Programs in the background: their ids, logs, exit records, and how they are ended."""
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

import lib
from sessions import TREES, background, finish, leaves, record, start, tree

KEPT = 16 << 20  # bytes of each stream


def wait(sandbox, number):
    """Wait for the end of a session and return its record."""
    sandbox.sbrun.ok("wait", f"{sandbox.id}/{number}")
    return record(sandbox, number)


# ---- life ----------------------------------------------------------------------------------------------------

def test_a_program_in_the_background_is_addressed_as_id_and_number(sandbox):
    """Printed at once, counted from 1; with --json as the record."""
    box = sandbox("--name", "numbers")
    assert background(box, "sleep", "1000") == f"{box.id}/1"
    assert box.sbrun.ok("exec", "--background", "numbers", "sleep", "1000").out == f"{box.id}/2\n"
    started = box.exec("sleep", "1000", flags=["-d", "--json"]).json()
    assert (started["id"], started["exec"], started["state"]) == (f"{box.id}/3", 3, "running")
    assert (started["background"], started["command"]) == (True, ["sleep", "1000"])
    assert box.sbrun.ok("inspect", "numbers/2").json()["id"] == f"{box.id}/2"


def test_a_program_in_the_background_outlives_its_client_and_terminal(sandbox):
    """The client has ended when its id is printed; a hangup of its terminal is none of the program's."""
    box = sandbox()
    background(box, "sh", "-c", "mkfifo /tmp/go; read line </tmp/go; echo $line; exit 9")
    box.sh("until test -p /tmp/go; do :; done; echo onwards >/tmp/go")
    assert wait(box, 1)["exitCode"] == 9
    assert box.sbrun.ok("logs", f"{box.id}/1").out == "onwards\n"


def test_a_program_in_the_background_reads_nothing(sandbox):
    """Its input is empty, not the caller's."""
    box = sandbox()
    background(box, "cat")
    assert wait(box, 1)["exitCode"] == 0


def test_a_program_in_the_background_that_cannot_start_is_refused_at_once(sandbox):
    """As in the foreground; the record says that it never ran."""
    box = sandbox()
    result = box.exec("/nosuch", flags=["-d"])
    assert result.rc == 127 and result.out == "" and "/nosuch" in result.err
    assert (record(box, 1)["reason"], record(box, 1)["exitCode"]) == ("runtime_error", 127)


def test_two_hundred_and_fifty_six_programs_run_at_once(sandbox):
    """The next is refused in one line, and as soon as one has ended there is room."""
    box = sandbox()
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: background(box, "sleep", "1000"), range(256)))
    assert len(set(names)) == 256
    assert [e["state"] for e in box.inspect()["execs"]] == ["running"] * 256
    refused = box.exec("true")
    assert refused.rc == 125 and refused.err.count("\n") == 1 and "256" in refused.err
    box.sbrun.ok("kill", names[100])
    wait(box, names[100].partition("/")[2])
    assert box.exec("true").rc == 0
    box.sbrun.ok("rm", "-f", box.id)


# ---- exit records --------------------------------------------------------------------------------------------

ENDS = {  # script, flags: exit code, signal, reason
    "own code": ("exit 42", [], 42, None, "exited"),
    "no error": ("true", [], 0, None, "exited"),
    "signal": ("kill -SEGV $$", [], 139, "SEGV", "signal"),
    "timeout": ("sleep 1000", ["--timeout", "100ms"], 124, "KILL", "timeout"),
    "timeout with a trap": ("trap '' TERM; sleep 1000 & wait", ["--timeout", "100ms"], 124, "KILL", "timeout"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_the_record_says_how_a_program_ended(sandbox, kind):
    """By one wait and one look, also long after."""
    script, flags, code, name, reason = ENDS[kind]
    box = sandbox()
    background(box, "sh", "-c", script, flags=flags)
    assert box.sbrun.ok("wait", f"{box.id}/1").out == f"{code}\n"
    ended = record(box, 1)
    assert (ended["exitCode"], ended["signal"], ended["reason"]) == (code, name, reason)
    assert (ended["state"], ended["pid"]) == ("exited", None)
    assert ended["startedAt"] <= ended["endedAt"] and ended["durationMs"] >= 0
    assert ended["maxRssBytes"] > 0 and ended["cpuMs"] >= 0
    assert box.sbrun.ok("wait", f"{box.id}/1").out == f"{code}\n"
    assert box.inspect()["execs"] == [ended]
    box.sbrun.ok("stop", "-t", "0", box.id)
    assert record(box, 1) == ended
    assert box.sbrun.ok("wait", f"{box.id}/1").out == f"{code}\n"


def test_the_record_says_that_memory_was_out(sandbox):
    """Killed by the kernel at the sandbox's limit, also when only a child was; others go on."""
    box = sandbox("-m", "32m")
    background(box, "sleep", "1000")
    background(box, "dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1")
    ended = wait(box, 2)
    assert (ended["reason"], ended["exitCode"], ended["signal"]) == ("oom", 137, "KILL")
    assert record(box, 1)["state"] == "running"


def test_a_kill_that_is_not_for_memory_is_not_called_so(sandbox):
    """The count of an earlier out-of-memory kill does not stick."""
    box = sandbox("-m", "32m")
    box.exec("dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1")
    background(box, "sleep", "1000")
    box.sbrun.ok("kill", f"{box.id}/2")
    assert wait(box, 2)["reason"] == "signal"


@pytest.mark.parametrize("grace", ["0", "10s"])
def test_the_record_says_that_the_sandbox_was_stopped(sandbox, grace):
    """Whether the program obeyed SIGTERM or had to be killed."""
    box = sandbox()
    background(box, "sleep", "1000")
    box.sbrun.ok("stop", "-t", grace, box.id)
    ended = record(box, 1)
    assert (ended["reason"], ended["signal"]) == ("stopped", "KILL" if grace == "0" else "TERM")


# ---- wait ----------------------------------------------------------------------------------------------------

def test_wait_returns_when_the_program_ends(sandbox):
    """All who wait are told; with --json they get the record."""
    box = sandbox()
    name = background(box, "sh", "-c", "trap 'exit 5' TERM; sleep 1000 >/dev/null & echo ready; wait")
    follower = box.sbrun.start("logs", "-f", name)
    lib.read_until(follower.stdout, b"ready\n")
    waiters = [box.sbrun.start("wait", name) for _ in range(5)] + [box.sbrun.start("wait", "--json", name)]
    box.sbrun.ok("kill", "-s", "TERM", name)
    outputs = [w.communicate(timeout=lib.TIMEOUT_S)[0] for w in waiters]
    assert outputs[:5] == [b"5\n"] * 5
    assert json.loads(outputs[5])["exitCode"] == 5
    assert [w.returncode for w in waiters] == [0] * 6
    assert finish(follower) == 0


def test_wait_gives_up_in_time_with_124(sandbox):
    """And the program goes on."""
    box = sandbox()
    name = background(box, "sleep", "1000")
    result = box.sbrun("wait", "--timeout", "100ms", name)
    assert result.rc == 124 and result.out == "" and result.err.count("\n") == 1
    assert record(box, 1)["state"] == "running"


@pytest.mark.parametrize("command", ["wait", "logs", "inspect", "kill"])
@pytest.mark.parametrize("number", ["99", "0", "-1", "x", "", "1x", "99999999999999999999", "1/1"])
def test_a_session_that_is_none_is_refused(sandbox, command, number):
    """In one line."""
    box = sandbox()
    result = box.sbrun(command, f"{box.id}/{number}")
    assert result.rc == 125 and result.out == "" and result.err.count("\n") == 1, result.err


# ---- kill ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", TREES)
def test_kill_ends_the_whole_tree(sandbox, kind):
    """And nothing else of the sandbox."""
    box = sandbox()
    other = background(box, "sleep", "1000")
    name = background(box, "sh", "-c", f"echo ready; {TREES[kind]}")
    follower = box.sbrun.start("logs", "-f", name)
    lib.read_until(follower.stdout, b"ready\n")
    pids = tree(box, 2)
    assert pids
    assert box.sbrun.ok("kill", name).out == f"{name}\n"
    for pid in pids:
        lib.await_end(pid)
    assert finish(follower) == 0
    assert (wait(box, 2)["reason"], record(box, 2)["exitCode"]) == ("signal", 137)
    assert record(box, 1)["state"] == "running" and other.endswith("/1")
    # Process 1 reaps some of them after the session has ended: the next session cleans up.
    lib.eventually(lambda: box.exec("true").rc == 0 and "exec-2" not in [leaf.name for leaf in leaves(box)])


@pytest.mark.parametrize("text", ["TERM", "SIGTERM", "term", "15"])
def test_kill_sends_the_signal_asked_for_to_the_program(sandbox, text):
    """By name in any form, or by number."""
    box = sandbox()
    name = background(box, "sleep", "1000")
    box.sbrun.ok("kill", "-s", text, name)
    ended = wait(box, 1)
    assert (ended["reason"], ended["signal"], ended["exitCode"]) == ("signal", "TERM", 143)


def test_kill_of_a_foreground_program_tells_its_client(sandbox):
    """A session is a session."""
    box = sandbox()
    client = start(box, "echo ready; exec sleep 1000")
    box.sbrun.ok("kill", f"{box.id}/1")
    assert finish(client) == 137


def test_kill_of_a_program_that_has_ended_is_refused(sandbox):
    """In one line, with the session in it; several are done in order, whatever happens to one."""
    box = sandbox()
    box.exec("true")
    result = box.sbrun("kill", f"{box.id}/1")
    assert result.rc == 125 and f"{box.id}/1" in result.err and result.err.count("\n") == 1
    background(box, "sleep", "1000")
    result = box.sbrun("kill", f"{box.id}/1", f"{box.id}/2")
    assert (result.rc, result.out) == (125, f"{box.id}/2\n")
    assert wait(box, 2)["signal"] == "KILL"


def test_kill_of_a_sandbox_with_a_signal_goes_to_all_programs(sandbox):
    """And leaves the sandbox running."""
    box = sandbox()
    names = [background(box, "sleep", "1000") for _ in range(3)]
    box.sbrun.ok("kill", "-s", "TERM", box.id)
    assert [box.sbrun.ok("wait", name).out for name in names] == ["143\n"] * 3
    assert box.exec("true").rc == 0


# ---- logs ----------------------------------------------------------------------------------------------------

def test_logs_keep_output_and_errors_apart(sandbox):
    """Byte exact, also without a newline at the end and with bytes that are no text."""
    box = sandbox()
    name = background(box, "sh", "-c", r"printf 'out\000\377end'; printf 'err' >&2")
    wait(box, 1)
    result = box.sbrun.ok("logs", name)
    assert (result.raw, result.err) == (b"out\0\xffend", "err")
    seen = box.sbrun.ok("logs", "--json", name).json()
    assert (seen["stdoutEncoding"], seen["stdout"], seen["stderr"]) == ("base64", "b3V0AP9lbmQ=", "err")
    assert (seen["stdoutFrom"], seen["stderrFrom"], seen["id"]) == (0, 0, name)


def test_everything_written_before_the_end_is_in_the_log_when_the_record_is(sandbox):
    """A hundred times, eight at once; the last line is the one that tells why."""
    box = sandbox()

    def last_words(_):
        name = background(box, "sh", "-c", "head -c 60000 /dev/zero; echo last; echo why >&2; exit 1")
        box.sbrun.ok("wait", name)
        result = box.sbrun.ok("logs", name)
        return len(result.raw), result.raw[-5:], result.err

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(last_words, range(100))) == {(60005, b"last\n", "why\n")}


def test_logs_follow_a_program_to_its_end(sandbox):
    """Each line as it comes; nothing is lost, nothing comes twice."""
    box = sandbox()
    box.sh("mkfifo /tmp/lines")
    name = background(box, "sh", "-c", "while read line; do echo got $line; done </tmp/lines; echo bye >&2")
    writer = box.sbrun.start("exec", "-i", box.id, "sh", "-c", "cat >/tmp/lines", stdin=-1)
    follower = box.sbrun.start("logs", "-f", name)
    for i in range(20):
        writer.stdin.write(f"{i}\n".encode())
        writer.stdin.flush()
        assert lib.read_until(follower.stdout, b"\n") == f"got {i}\n".encode()
    assert box.sbrun.ok("logs", name).out.count("\n") == 20
    assert finish(writer) == 0
    out, err = follower.communicate(timeout=lib.TIMEOUT_S)
    assert (out, err, follower.returncode) == (b"", b"bye\n", 0)
    assert box.sbrun.ok("logs", "-f", name).out.count("\n") == 20


def test_logs_follow_ends_when_the_sandbox_does(sandbox):
    """Not only when the program ends by itself."""
    box = sandbox()
    name = background(box, "sh", "-c", "echo ready; sleep 1000")
    follower = box.sbrun.start("logs", "-f", name)
    lib.read_until(follower.stdout, b"ready\n")
    box.sbrun.ok("stop", "-t", "0", box.id)
    assert finish(follower) == 0
    assert box.sbrun.ok("logs", name).out == "ready\n"


def test_logs_keep_the_last_sixteen_mebibytes(sandbox):
    """On disk as well; what is kept is the exact end of the output, and says where it begins."""
    box = sandbox()
    full = b"".join(b"%d\n" % i for i in range(1, 5_300_001))
    assert len(full) > 40_000_000
    name = background(box, "seq", "1", "5300000")
    wait(box, 1)
    kept = box.sbrun.ok("logs", name).raw
    assert KEPT <= len(kept) <= KEPT + (1 << 20) + 65536
    assert full.endswith(kept)
    seen = box.sbrun.ok("logs", "--json", name).json()
    assert seen["stdoutFrom"] == len(full) - len(kept) and seen["stdout"].encode() == kept
    (file,) = box.sbrun.root.glob(f"*/{box.id}/logs/1.out")
    assert file.stat().st_size == len(full)
    assert file.stat().st_blocks * 512 <= KEPT + (2 << 20)


def test_a_program_never_waits_for_somebody_to_read_its_log(sandbox):
    """Not even when a follower has stopped."""
    box = sandbox()
    box.sh("mkfifo /tmp/go")
    name = background(box, "sh", "-c", "echo ready; read line </tmp/go; seq 1 1000000; exit 4")
    follower = box.sbrun.start("logs", "-f", name)
    lib.read_until(follower.stdout, b"ready\n")
    os.kill(follower.pid, signal.SIGSTOP)
    box.sh("echo >/tmp/go")
    assert wait(box, 2)["exitCode"] == 4
    follower.kill()
    finish(follower)


def test_logs_of_an_id_alone_are_those_of_run_or_the_newest(sbrun, sandbox, busybox_image):
    """As a person would expect."""
    box = sandbox()
    for word in ("first", "second"):
        sbrun.ok("wait", background(box, "echo", word))
    assert sbrun.ok("logs", box.id).out == "second\n"
    main = sbrun.ok("run", "-d", busybox_image, "sh", "-c", "echo main; sleep 1000").out.strip()
    try:
        follower = sbrun.start("logs", "-f", main)
        lib.read_until(follower.stdout, b"main\n")
        sbrun.ok("wait", sbrun.ok("exec", "-d", main, "echo", "other").out.strip())
        assert sbrun.ok("logs", main).out == "main\n"
    finally:
        sbrun.ok("rm", "-f", main)
    assert finish(follower) == 0


def test_a_foreground_program_has_no_log(sandbox):
    """Its output went to its caller; the message says so."""
    box = sandbox()
    box.exec("echo", "hello")
    for target in (f"{box.id}/1", box.id):
        result = box.sbrun("logs", target)
        assert result.rc == 125 and "background" in result.err and result.err.count("\n") == 1
        error = box.sbrun("logs", "--json", target).json()["error"]
        assert (error["code"], error["exitCode"]) == ("ENOENT", 125)


def test_the_end_of_a_daemon_s_parent_is_the_end_of_its_session(sandbox):
    """What it left behind goes on, is still logged, and ends with the sandbox."""
    box = sandbox()
    box.sh("mkfifo /tmp/go")
    name = background(box, "sh", "-c", "(read line </tmp/go; echo $line; sleep 1000) & echo parent")
    assert wait(box, 2)["exitCode"] == 0
    pids = tree(box, 2)
    assert pids
    box.sh("echo daemon >/tmp/go")
    lib.eventually(lambda: box.sbrun.ok("logs", name).out == "parent\ndaemon\n")
    box.sbrun.ok("rm", "-f", box.id)
    for pid in pids:
        lib.await_end(pid)
