# SPDX-License-Identifier: Apache-2.0
"""Terminals: what a person at a keyboard sees of sbrun exec -it and run -it."""
import os
import re
import signal
import subprocess
import termios
import tty

import pytest

import lib
from sessions import record
from terminal import Terminal


@pytest.fixture(scope="module")
def box(sbrun, busybox_image):
    """One sandbox for the tests that leave it as it was."""
    sandbox = lib.Sandbox(sbrun, sbrun.ok("create", busybox_image).out.strip())
    yield sandbox
    sbrun.ok("rm", "-f", sandbox.id)


@pytest.fixture
def terminal(sbrun):
    """A function: terminal("exec", "-it", …) starts sbrun in a Terminal."""
    made = []

    def make(*args, **options):
        made.append(Terminal(sbrun, *args, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("flags", [["-it"], ["-ti"], ["-i", "-t"], ["--interactive", "--tty"]], ids=" ".join)
def test_the_program_has_a_terminal_for_all_streams(terminal, box, flags):
    """Its controlling one, of the sandbox's own instance, with TERM set."""
    shown = terminal("exec", *flags, box.id, "sh", "-c",
                     'test -t 0 && test -t 1 && test -t 2 && tty && (: </dev/tty) && echo $TERM').rest()
    assert re.fullmatch("/dev/pts/[0-9]+\r\nxterm\r\n", shown)


def test_the_exit_code_is_the_program_s(terminal, box):
    """And the terminal is as it was before."""
    assert terminal("exec", "-it", box.id, "sh", "-c", "exit 42").end() == 42
    assert terminal("exec", "-it", box.id, "sh", "-c", "kill -9 $$").end() == 137
    assert terminal("exec", "-it", box.id, "/nosuch").end() == 127
    assert terminal("exec", "-it", "--timeout", "100ms", box.id, "sleep", "1000").end() == 124


def test_the_program_knows_the_size_from_the_start(terminal, box):
    """Already its first look is right."""
    for rows, columns in ((33, 77), (2, 300), (500, 20)):
        assert terminal("exec", "-it", box.id, "stty", "size", rows=rows, columns=columns).rest() == \
            f"{rows} {columns}\r\n"


def test_a_new_size_reaches_the_program(terminal, box):
    """With SIGWINCH."""
    t = terminal("exec", "-it", box.id, "sh", "-c",
                 "trap 'stty size; exit 3' WINCH; echo ready; while :; do read -t 1 line; done")
    t.until("ready\r\n")
    t.resize(44, 111)
    t.until("44 111\r\n")
    assert t.end() == 3


def test_keys_reach_the_program_unchanged(terminal, box):
    """The outer terminal is raw: echo and line editing are those of the inner one, and happen once."""
    t = terminal("exec", "-it", box.id, "sh", "-c", "echo ready; read line; echo got [$line]")
    t.until("ready\r\n")
    settings = termios.tcgetattr(t.slave)
    assert not settings[tty.LFLAG] & (termios.ICANON | termios.ECHO | termios.ISIG)
    t.type("heX\x7fllo\r")
    shown = t.until("]\r\n")
    assert shown.endswith("got [hello]\r\n") and shown.count("llo") == 2
    assert t.end() == 0


def test_all_bytes_pass_a_raw_terminal(terminal, box):
    """Both ways, when the program asks for it."""
    t = terminal("exec", "-it", box.id, "sh", "-c", "stty raw -echo; echo ready; head -c 256 | od -An -v -tx1")
    t.until("ready\n")
    os.write(t.master, bytes(range(256)))
    shown = t.rest().split()
    assert shown == [f"{i:02x}" for i in range(256)]


def test_control_c_interrupts_the_program_not_sbrun(terminal, box):
    """The program may catch it."""
    t = terminal("exec", "-it", box.id, "sh", "-c", "trap 'echo caught; exit 6' INT; echo ready; sleep 1000 & wait")
    t.until("ready\r\n")
    t.type("\x03")
    t.until("caught\r\n")
    assert t.end() == 6
    t = terminal("exec", "-it", box.id, "sh", "-c", "echo ready; exec sleep 1000")
    t.until("ready\r\n")
    t.type("\x03")
    assert t.end() == 130


def test_control_d_ends_the_input(terminal, box):
    """As on any terminal."""
    t = terminal("exec", "-it", box.id, "cat")
    t.type("x\r")
    t.until("x\r\nx\r\n")
    t.type("\x04")
    assert t.end() == 0


def start_sleeping(terminal, box, before=""):
    """Start a program that ends only by a signal, after the shell commands @before; (terminal, its pid)."""
    t = terminal("exec", "-it", box.id, "sh", "-c", before + "echo ready; exec sleep 1000")
    t.until("ready\r\n")
    return t, record(box, 1)["pid"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_the_terminal_is_restored_when_a_signal_ends_sbrun(terminal, sandbox, name):
    """The program dies with it."""
    box = sandbox()
    t, pid = start_sleeping(terminal, box)
    assert termios.tcgetattr(t.slave) != t.before
    t.client.send_signal(signal.Signals[name])
    assert t.end() == 128 + signal.Signals[name]
    lib.await_end(pid)


def test_the_program_dies_with_a_client_that_is_killed(terminal, sandbox):
    """SIGKILL leaves the outer terminal raw, but no process behind."""
    box = sandbox()
    t, pid = start_sleeping(terminal, box, "trap '' HUP; ")
    t.client.kill()
    lib.await_end(pid)


def test_a_terminal_that_is_closed_ends_the_program(terminal, sandbox):
    """As when the window or the connection goes."""
    box = sandbox()
    t, pid = start_sleeping(terminal, box)
    for fd in (t.master, t.slave):
        os.close(fd)
    t.master = t.slave = -1
    lib.await_end(pid)
    t.client.wait(lib.TIMEOUT_S)


def test_output_before_the_end_is_never_lost(terminal, box):
    """A hundred times, short and long."""
    for i in range(100):
        lines = 1 if i % 2 else 2000
        shown = terminal("exec", "-it", box.id, "seq", "1", str(lines)).rest()
        assert shown.split("\r\n") == [*map(str, range(1, lines + 1)), ""], i


def test_a_terminal_without_input(terminal, box):
    """-t alone: keys stay with sbrun, so Control-C ends it and the program."""
    t = terminal("exec", "-t", box.id, "sh", "-c", "tty; echo ready; exec sleep 1000")
    assert "/dev/pts/" in t.until("ready")
    assert termios.tcgetattr(t.slave) == t.before
    t.type("\x03")
    assert t.end() == 130


def test_input_from_a_pipe_to_a_terminal_ends(box):
    """-it in a script: the program sees a terminal, the text, and its end."""
    result = box.exec("sh", "-c", "tty; cat; echo code $?", flags=["-it"], stdin="hello\n")
    assert result.rc == 0
    lines = result.out.split("\r\n")
    assert lines.count("hello") == 2 and "/dev/pts/" in result.out  # typed, which may come first, and printed
    assert lines[-2:] == ["code 0", ""]


def test_a_terminal_when_nothing_of_the_caller_is_one(box):
    """-t with pipes everywhere: the size is 80x24, input is empty."""
    result = box.exec("sh", "-c", "stty size; tty", flags=["-t"])
    assert result.rc == 0 and result.out.startswith("24 80\r\n/dev/pts/")
    assert box.exec("true", flags=["-it"], stdin=subprocess.DEVNULL).rc == 0


def test_much_input_and_output_pass_at_once(box):
    """Through a terminal that echoes: no side may wait for the other for ever."""
    text = "".join(f"line {i}\n" for i in range(20000))
    result = box.exec("sh", "-c", "stty -echo; cat", flags=["-it"], stdin=text)
    assert result.rc == 0 and result.out.count("line 19999\r\n") >= 1


@pytest.mark.parametrize("user, uid", [("app", 1000), ("root", 0), ("4321", 4321)])
def test_the_terminal_belongs_to_the_user(terminal, box, user, uid):
    """So that programs such as screen, ssh or gpg may reopen it."""
    shown = terminal("exec", "-it", "-u", user, box.id, "sh", "-c",
                     "stat -c '%u %g %a' $(tty); echo reopened >$(tty)").rest()
    assert shown == f"{uid} 5 620\r\nreopened\r\n"


def test_an_interactive_shell_has_job_control(terminal, box):
    """No warning, and a job can be stopped and continued."""
    t = terminal("exec", "-it", box.id, "sh", "-i")
    shown = t.until("# ")
    t.type("sleep 1000\r")
    t.until("sleep 1000\r\n")
    lib.eventually(lambda: "sleep 1000" in box.sh("ps -o args"))
    t.type("\x1a")
    shown += t.until("Stopped") + t.until("# ")
    t.type("fg\r")
    shown += t.until("sleep 1000\r\n")
    # The shell names the job, makes it the foreground one, and only then continues it.
    lib.eventually(lambda: re.search("^S.*sleep 1000$", box.sh("ps -o stat,args"), re.MULTILINE))
    t.type("\x03")
    shown += t.until("# ")
    t.type("exit 5\r")
    assert t.end() == 5
    assert "can't" not in shown and "job control" not in shown


def test_run_gives_a_terminal_too(terminal, sbrun, busybox_image, no_leaks):
    """run --rm -it, the first thing people try."""
    t = terminal("run", "--rm", "-it", busybox_image)
    t.until("# ")
    t.type("stty size; exit 9\r")
    t.until("33 77\r\n")
    assert t.end() == 9
    assert not [e for e in sbrun.ok("ps", "-a", "--json").json() if e["mainExec"]]


def test_a_terminal_in_the_background_is_logged(sandbox):
    """What it shows is the program's output."""
    box = sandbox()
    name = box.sbrun.ok("exec", "-dt", box.id, "sh", "-c", "tty; echo done").out.strip()
    assert box.sbrun.ok("wait", name).out == "0\n"
    assert box.sbrun.ok("logs", name).out == "/dev/pts/0\r\ndone\r\n"


def test_terminals_are_given_back(sandbox):
    """Fifty in a row are all the first one, and the monitor keeps none."""
    box = sandbox()
    fds = f"/proc/{box.inspect()['monitorPid']}/fd"
    before = len(os.listdir(fds))
    for _ in range(50):
        assert box.exec("tty", flags=["-t"]).out == "/dev/pts/0\r\n"
    lib.eventually(lambda: len(os.listdir(fds)) <= before)
