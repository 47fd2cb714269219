# SPDX-License-Identifier: Apache-2.0
"""Programs in the foreground: how they start, what they see, how they end."""
import base64
import json
import os
import resource
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import lib
from sessions import TREES, finish, leaves, newest, record, start, tree


@pytest.fixture(scope="module")
def box(sbrun, busybox_image):
    """One sandbox for the tests that leave it as it was."""
    sandbox = lib.Sandbox(sbrun, sbrun.ok("create", busybox_image).out.strip())
    yield sandbox
    sbrun.ok("rm", "-f", sandbox.id)


# ---- exit codes: field.md section 3 --------------------------------------------------------------------------

@pytest.mark.parametrize("code", [0, 1, 42, 125, 255])
def test_the_exit_code_of_the_program_is_the_exit_code(box, code):
    """Also those that mean something else when they come from sbrun: the record tells them apart."""
    assert box.exec("sh", "-c", f"exit {code}").rc == code
    assert newest(box)["reason"] == "exited"


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV", "HUP"])
def test_a_program_killed_by_a_signal_gives_128_and_its_number(box, name):
    """And the record names it."""
    assert box.exec("sh", "-c", f"kill -{name} $$").rc == 128 + signal.Signals[f"SIG{name}"]
    ended = newest(box)
    assert (ended["reason"], ended["signal"]) == ("signal", name)


@pytest.mark.parametrize("kind", TREES)
def test_a_timeout_kills_the_whole_tree_and_gives_124(sandbox, kind):
    """Whatever the processes did to escape; the sandbox itself goes on."""
    box = sandbox()
    client = start(box, f"echo ready; {TREES[kind]}", "--timeout", "1s")
    pids = tree(box, 1)
    assert pids
    assert finish(client) == 124
    for pid in pids:
        lib.await_end(pid)
    ended = record(box, 1)
    assert (ended["reason"], ended["exitCode"]) == ("timeout", 124)
    assert 1000 <= ended["durationMs"] < 5000
    assert box.sh("echo alive") == "alive"


def test_a_program_that_ends_in_time_is_not_touched_by_its_timeout(box):
    """The code is its own."""
    assert box.exec("sh", "-c", "exit 3", flags=["--timeout", "20s"]).rc == 3


REFUSED = {  # what is executed, exit code, words of the message
    "not there": ("/nosuch", 127, ["/nosuch", "No such file"]),
    "not in PATH": ("nosuch", 127, ["nosuch", "in no directory of PATH"]),
    "directory": ("/etc", 126, ["/etc", "it is a directory"]),
    "not executable": ("/etc/passwd", 126, ["/etc/passwd", "Permission denied", "executable"]),
    "below a file": ("/etc/passwd/x", 127, ["Not a directory"]),
    "no format": ("/t/text", 126, ["Exec format error", "neither a binary nor a script"]),
    "empty": ("/t/empty", 126, ["Exec format error"]),
    "other architecture": ("/t/foreign", 126, ["Exec format error", "another architecture"]),
    "no interpreter": ("/t/script", 127, ["/t/script", "'/usr/bin/nosuch'", "not in the image"]),
    "CRLF": ("/t/crlf", 127, ["/t/crlf", "CR LF"]),
    "no loader": ("/t/dynamic", 127, ["/t/dynamic", "dynamic loader"]),
    "found in PATH": ("crlf", 127, ["/t/crlf", "CR LF"]),
}


def dynamic_program():
    """Return a native program whose dynamic loader is in no image."""
    program = bytearray(open("/bin/true", "rb").read())
    at = program.index(b"/lib64/ld-linux" if b"/lib64/ld-linux" in program else b"/lib/ld-linux")
    program[at + 5] = ord("X")
    return bytes(program)


@pytest.fixture(scope="module")
def hopeless(box):
    """The sandbox with files in /t that cannot be executed."""
    foreign = bytearray(open("/bin/true", "rb").read())
    foreign[18:20] = (243).to_bytes(2, "little")  # e_machine = EM_RISCV, elf(5)
    files = {"text": b"hello\n", "empty": b"", "foreign": bytes(foreign), "dynamic": dynamic_program(),
             "script": b"#!/usr/bin/nosuch -x\necho\n", "crlf": b"#!/bin/sh\r\necho\r\n"}
    for name, data in files.items():
        box.write(f"/t/{name}", data)
    box.sh("chmod 755 /t/*")
    return box


@pytest.mark.parametrize("kind", REFUSED)
def test_a_program_that_cannot_be_executed_is_explained_in_one_line(hopeless, kind):
    """126 and 127 as in a shell, the reason, and a hint where the errno misleads."""
    program, code, words = REFUSED[kind]
    result = hopeless.exec(program, flags=["-e", "PATH=/bin:/t"])
    assert result.rc == code
    assert result.err.count("\n") == 1 and all(word in result.err for word in words), result.err
    assert result.out == ""
    ended = newest(hopeless)
    assert (ended["reason"], ended["exitCode"]) == ("runtime_error", code)


def test_a_missing_program_as_json_is_an_error_object(box):
    """On standard output, with the same exit code."""
    result = box.exec("/nosuch", flags=["--json"])
    error = result.json()["error"]
    assert (result.rc, error["exitCode"], error["code"]) == (127, 127, "ENOENT")
    assert "/nosuch" in error["message"]


# ---- working directory ---------------------------------------------------------------------------------------

def test_the_working_directory_is_the_one_asked_for(box):
    """Absolute, or relative to the sandbox's own."""
    assert box.exec("pwd").out == "/\n"
    assert box.exec("pwd", flags=["-w", "/var"]).out == "/var\n"
    assert box.exec("pwd", flags=["-w", "home/app"]).out == "/home/app\n"
    assert box.exec("pwd", flags=["--workdir=/home/../tmp"]).out == "/tmp\n"


@pytest.mark.parametrize("directory", ["/nosuch", "/etc/passwd", "nosuch/deeper"])
def test_a_working_directory_that_is_none_gives_126(box, directory):
    """Named in the message."""
    result = box.exec("pwd", flags=["-w", directory])
    assert result.rc == 126 and directory in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize("how", ["exec", "run", "image path"])
def test_a_working_directory_by_a_magic_link_is_refused(sbrun, box, busybox_image, how):
    """CVE-2024-21626: a leaked descriptor would lead out of the sandbox (T9)."""
    box.sh("ln -sfn /proc/self/fd /tmp/fds")
    pattern = "/tmp/fds/{}" if how == "image path" else "/proc/self/fd/{}"
    for fd in (*range(3, 16), 64):
        directory = pattern.format(fd)
        if how == "run":
            result = sbrun("run", "--rm", "-w", directory, busybox_image, "ls", "-a")
        else:
            result = box.exec("ls", "-a", flags=["-w", directory])
        assert result.rc in (125, 126) and result.out == "", f"{directory}: {result.out}"


# ---- environment ---------------------------------------------------------------------------------------------

def environment(result):
    """Return the environment that a run of `env` has printed."""
    assert result.rc == 0, result.err
    return dict(line.split("=", 1) for line in result.out.splitlines())


def test_variables_are_set_and_the_last_assignment_wins(box):
    """Values may be empty and hold spaces, equal signs and any language."""
    flags = ["-e", "A=1", "-e", "A=2", "--env=B=x=y z", "-eC=", "-e", "D=grüße 日本", "-e", "PATH=/bin:/x"]
    seen = environment(box.exec("env", flags=flags))
    assert [seen[k] for k in "ABCD"] == ["2", "x=y z", "", "grüße 日本"]
    assert seen["PATH"] == "/bin:/x"


def test_a_variable_without_a_value_is_taken_from_the_caller(box):
    """And left out if the caller has none; nothing else of the caller is passed on."""
    caller = {"TAKEN": "from here", "SECRET": "not asked for"}
    seen = environment(box.exec("env", flags=["-e", "TAKEN", "-e", "NOT_SET_ANYWHERE"], env=caller))
    assert seen["TAKEN"] == "from here"
    assert "NOT_SET_ANYWHERE" not in seen
    assert not [k for k in seen if k in os.environ and k not in ("PATH", "HOME", "PWD", "SHLVL", "HOSTNAME")]
    assert "SECRET" not in seen and "SBRUN_ROOT" not in seen


def test_variables_of_the_sandbox_are_there_and_exec_wins_over_them(sandbox):
    """In the order image, create, exec."""
    box = sandbox("-e", "A=create", "-e", "B=create", "-e", "PATH=/bin:/create")
    seen = environment(box.exec("env", flags=["-e", "B=exec"]))
    assert (seen["A"], seen["B"], seen["PATH"]) == ("create", "exec", "/bin:/create")


def test_the_home_directory_is_that_of_the_user_in_passwd(box):
    """"/" for an id that is not there; the caller's choice wins."""
    assert environment(box.exec("env"))["HOME"] == "/root"
    assert environment(box.exec("env", flags=["-u", "app"]))["HOME"] == "/home/app"
    assert environment(box.exec("env", flags=["-u", "1000"]))["HOME"] == "/home/app"
    assert environment(box.exec("env", flags=["-u", "4321"]))["HOME"] == "/"
    assert environment(box.exec("env", flags=["-u", "app", "-e", "HOME=/x"]))["HOME"] == "/x"


def test_image_variables_without_a_value_take_nothing_from_the_host(sbrun, sandbox, image_dir, tmp_path):
    """CVE-2026-57231: "*" and a bare name copied the host's environment (T18)."""
    layout = tmp_path / "layout"
    subprocess.run(["cp", "-r", image_dir("busybox"), layout], check=True)
    replace_config(layout, lambda config: config["config"]["Env"].extend(["LEAK_ME", "*", "=x", "GOOD=1"]))
    sbrun.ok("load", "--name", "env-without-value", layout)
    caller = {"LEAK_ME": "host secret"}
    created = sbrun("create", "env-without-value", env=caller)
    if created.rc != 0:  # to refuse such an image is as good
        assert created.err.count("\n") == 1
        return
    box = lib.Sandbox(sbrun, created.out.strip())
    try:
        seen = environment(box.exec("env", env=caller))
    finally:
        sbrun.ok("rm", "-f", box.id)
    assert seen["GOOD"] == "1"
    assert "LEAK_ME" not in seen and "SBRUN_ROOT" not in seen and "*" not in seen


def replace_config(layout, change):
    """Let change(config) edit the configuration of a layout's image, with all digests right again."""
    def load(descriptor):
        return json.loads((layout / "blobs/sha256" / descriptor["digest"].partition(":")[2]).read_text())

    def store(descriptor, value):
        data = json.dumps(value).encode()
        name = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout[:64].decode()
        (layout / "blobs/sha256" / name).write_bytes(data)
        descriptor.update(digest=f"sha256:{name}", size=len(data))

    index = json.loads((layout / "index.json").read_text())
    manifest = load(index["manifests"][0])
    config = load(manifest["config"])
    change(config)
    store(manifest["config"], config)
    store(index["manifests"][0], manifest)
    (layout / "index.json").write_text(json.dumps(index))


# ---- user ----------------------------------------------------------------------------------------------------

USERS = {  # user string: uid, gid, all groups
    "root": (0, 0, [0]),
    "app": (1000, 1000, [1000, 2000]),
    "1000": (1000, 1000, [1000, 2000]),
    "1": (1, 0, [0]),
    "1:2": (1, 2, [2]),
    "app:extra": (1000, 2000, [2000]),
    "1:app": (1, 1000, [1000]),
    "app:7": (1000, 7, [7]),
    "65534": (65534, 65534, [65534]),
}


@pytest.mark.parametrize("user", USERS)
def test_the_user_is_the_one_asked_for_with_its_groups(box, user):
    """By name and number; supplementary groups of /etc/group unless a group is given (T14, T16)."""
    seen = box.exec("sh", "-c", "id -u; id -g; id -G", flags=["-u", user]).out.split("\n")
    uid, gid, groups = USERS[user]
    assert (int(seen[0]), int(seen[1])) == (uid, gid)
    assert sorted(set(map(int, seen[2].split()))) == groups


@pytest.mark.parametrize("user", ["0x1", " 1", "1 ", "+1", "-1", "4294967295", "4294967296", "18446744073709551616",
                                  "65535", "1:65535", "nosuch", "app:nosuch", "1:name:2", ":1", "1:", ":",
                                  "1:-1", "0x0:0", "a b", "root\n", "\udcff"])
def test_a_user_that_is_none_is_refused(box, user):
    """Above all never taken for root (CVE-2026-30892, CVE-2026-46680; T14)."""
    result = box.exec("id", flags=["-u", os.fsencode(user) if user == "\udcff" else user])
    assert result.rc in (125, 126) and result.out == "", result.out
    assert result.err.count("\n") == 1


def status(result):
    """Return the fields of /proc/self/status that a program has printed."""
    assert result.rc == 0, result.err
    return {k: v.strip() for k, v in (line.split(":", 1) for line in result.out.splitlines())}


def test_a_user_that_is_not_root_has_no_capability(box):
    """Neither effective nor permitted, inheritable or ambient (T36, T10)."""
    seen = status(box.exec("cat", "/proc/self/status", flags=["-u", "app"]))
    assert {k: int(seen[k], 16) for k in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {
        "CapEff": 0, "CapPrm": 0, "CapInh": 0, "CapAmb": 0}
    root = status(box.exec("cat", "/proc/self/status"))
    assert int(root["CapEff"], 16) != 0 and int(root["CapInh"], 16) == int(root["CapAmb"], 16) == 0
    assert seen["NoNewPrivs"] == root["NoNewPrivs"] == "1"


# ---- arguments -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    ["a b", " lead", "trail ", "  "], ["", "x", ""], ["grüße", "日本語", "🐍"],
    ["-i", "--json", "--", "-"], ["'\"$(id)`\\", "*", "~", "line\nbreak", "tab\t"],
])
def test_arguments_arrive_as_they_were_given(box, arguments):
    """Nothing splits, expands or drops them; options after the ID belong to the program."""
    script = 'for word in "$@"; do printf "%s\\0" "$word"; done'
    result = box.exec("sh", "-c", script, "sh", *arguments)
    assert result.raw == b"".join(word.encode() + b"\0" for word in arguments)


@pytest.mark.parametrize("words", [2, 15])
def test_long_arguments_arrive_whole(box, words):
    """Up to what execve(2) takes: 128 KiB a word, some 2 MiB in all."""
    arguments = [str(i % 10) * 100_000 for i in range(words)]
    result = box.exec("sh", "-c", 'for w in "$@"; do echo ${#w}; done', "sh", *arguments)
    assert (result.rc, result.out) == (0, "100000\n" * words), result.err


def test_bytes_that_are_no_text_are_refused_not_dropped(box):
    """A command line goes as JSON, so it must be UTF-8: a flag that vanished could change the user."""
    for flags, words in ((["-e", b"K=\xff"], ["true"]), (["-w", b"/\xff"], ["true"]), ([], ["echo", b"\xff"])):
        result = subprocess.run([lib.BIN, "exec", *flags, box.id, *words], env=box.sbrun.env, check=False,
                                capture_output=True)
        assert result.returncode == 125, flags
        assert result.stderr.count(b"\n") == 1 and result.stdout == b""


# ---- streams -------------------------------------------------------------------------------------------------

def test_standard_input_is_passed_on_with_i_and_empty_without(box):
    """So a program in a script does not eat the script's input."""
    assert box.exec("cat", stdin="hello\n", flags=["-i"]).out == "hello\n"
    assert box.exec("cat", stdin="hello\n").out == ""
    assert box.exec("cat", stdin="hello\n", flags=["--json"]).json()["stdout"] == ""
    assert box.exec("cat", stdin="hello\n", flags=["--json", "-i"]).json()["stdout"] == "hello\n"


def test_output_and_errors_are_kept_apart(box):
    """Each on the caller's own."""
    result = box.exec("sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err) == ("out\n", "err\n")


def test_big_output_and_input_are_exact(box):
    """64 MiB through pipes, each way."""
    data = os.urandom(1 << 20) * 64
    result = box.exec("cat", flags=["-i"], stdin=data)
    assert result.rc == 0 and result.raw == data


def test_a_program_whose_reader_has_gone_gets_sigpipe(box):
    """As `exec … | head -1` does."""
    client = box.sbrun.start("exec", box.id, "yes")
    lib.read_until(client.stdout, b"y\n")
    client.stdout.close()
    assert client.wait(lib.TIMEOUT_S) == 128 + signal.SIGPIPE


def test_a_program_has_three_descriptors(box):
    """Nothing of the monitor or the caller leaks (T9)."""
    fds = [entry["fd"] for entry in box.probe("fds") if "fd" in entry]
    assert sorted(fds) == [0, 1, 2]
    with open("/dev/null", "rb") as extra:
        os.set_inheritable(extra.fileno(), True)
        result = box.exec("sh", "-c", "ls /proc/$$/fd; true", pass_fds=[extra.fileno()])
    assert result.out.split() == ["0", "1", "2"]


def test_json_captures_output_with_how_it_ended(box):
    """The exit code stays that of the program."""
    result = box.exec("sh", "-c", "echo out; echo err >&2; exit 3", flags=["--json"])
    seen = result.json()
    assert result.rc == 3 and result.err == ""
    assert (seen["stdout"], seen["stderr"]) == ("out\n", "err\n")
    assert (seen["exitCode"], seen["success"], seen["reason"]) == (3, False, "exited")
    assert (seen["stdoutTruncated"], seen["stderrTruncated"]) == (False, False)
    assert seen["id"] == f"{box.id}/{seen['exec']}"
    assert box.exec("true", flags=["--format", "json"]).json()["success"] is True


@pytest.mark.parametrize("data", [b"\xff\x00\xfe", b"\xff", b"\xff\xfe", b"half \xe6\x97", bytes(range(256))])
def test_json_captures_bytes_that_are_no_text_as_base64(box, data):
    """Text stays text, also with zero bytes in it."""
    seen = box.exec("cat", flags=["--json", "-i"], stdin=data).json()
    assert seen["stdoutEncoding"] == "base64"
    assert base64.b64decode(seen["stdout"], validate=True) == data
    assert "stderrEncoding" not in seen
    text = box.exec("printf", "a\\0b", flags=["--json"]).json()
    assert text["stdout"] == "a\0b" and "stdoutEncoding" not in text


def test_json_says_when_it_kept_only_the_beginning(box):
    """10 MiB of each stream; the program is not stopped by it."""
    seen = box.exec("sh", "-c", "head -c 12000000 /dev/zero | tr '\\0' x; echo done >&2", flags=["--json"]).json()
    assert seen["stdout"] == "x" * (10 << 20)
    assert (seen["stdoutTruncated"], seen["stderrTruncated"]) == (True, False)
    assert (seen["stderr"], seen["exitCode"]) == ("done\n", 0)


# ---- clients -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("script", TREES.values(), ids=TREES)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["plain", "json"])
def test_a_foreground_program_dies_with_its_client(sandbox, script, flags):
    """All of it, however the client ended; nobody could stop it any more."""
    box = sandbox()
    box.sh("mkfifo /tmp/ready")
    client = box.sbrun.start("exec", *flags, box.id, "sh", "-c", f"echo ready >/tmp/ready; {script}")
    assert box.sh("cat /tmp/ready") == "ready"
    number = next(e["exec"] for e in box.inspect()["execs"] if e["state"] == "running")
    pids = tree(box, number)
    assert pids
    client.kill()
    finish(client)
    for pid in pids:
        lib.await_end(pid)
    lib.eventually(lambda: record(box, number)["state"] == "exited")
    assert record(box, number)["reason"] == "signal"


def test_run_rm_removes_the_sandbox_when_its_client_is_killed(sbrun, busybox_image, no_leaks):
    """Nothing is left of it."""
    client = sbrun.start("run", "--rm", "--name", "dies", busybox_image, "sh", "-c", "echo ready; sleep 1000")
    lib.read_until(client.stdout, b"ready\n")
    client.kill()
    finish(client)
    lib.eventually(lambda: "dies" not in sbrun.ok("ps", "-a").out)


def test_a_stopped_client_with_a_full_pipe_holds_nobody_up(sandbox):
    """Neither other programs, nor the end of the sandbox."""
    box = sandbox()
    client = start(box, "echo ready; exec yes")
    os.kill(client.pid, signal.SIGSTOP)
    assert box.exec("echo", "hello", timeout=10).out == "hello\n"
    assert box.sbrun("stop", "-t", "5s", box.id, timeout=10).rc == 0
    os.kill(client.pid, signal.SIGCONT)
    client.kill()
    finish(client)


def test_a_stopped_client_that_should_read_answers_holds_nobody_up(sandbox):
    """The monitor sends without blocking."""
    box = sandbox()
    client = start(box, "echo ready; exec sleep 1000")
    os.kill(client.pid, signal.SIGSTOP)
    for _ in range(20):
        assert box.exec("true", timeout=10).rc == 0
    assert box.sbrun("kill", f"{box.id}/1", timeout=10).rc == 0
    os.kill(client.pid, signal.SIGCONT)
    assert finish(client) == 137


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"])
@pytest.mark.parametrize("command", ["exec", "run"])
def test_signals_to_the_client_reach_the_program(sbrun, box, busybox_image, command, name):
    """Which may handle them and choose its exit code."""
    script = f"trap 'echo caught; exit 7' {name[3:]}; sleep 1000 >/dev/null 2>&1 & echo ready; wait"
    where = ["exec", box.id] if command == "exec" else ["run", "--rm", busybox_image]
    client = sbrun.start(*where, "sh", "-c", script)
    lib.read_until(client.stdout, b"ready\n")
    client.send_signal(signal.Signals[name])
    out, _ = client.communicate(timeout=lib.TIMEOUT_S)
    assert (out, client.returncode) == (b"caught\n", 7)


def test_a_signal_that_the_program_does_not_handle_ends_it(box):
    """And the client tells as a shell would."""
    client = start(box, "echo ready; exec sleep 1000")
    client.send_signal(signal.SIGTERM)
    assert finish(client) == 128 + signal.SIGTERM


def test_many_programs_at_once_get_their_own_output(box):
    """Forty clients on one monitor."""
    with ThreadPoolExecutor(40) as pool:
        results = list(pool.map(lambda i: box.exec("sh", "-c", f"echo {i}; exit {i}"), range(40)))
    assert [(r.out, r.rc) for r in results] == [(f"{i}\n", i) for i in range(40)]


# ---- what stays behind ---------------------------------------------------------------------------------------

def test_three_hundred_programs_leave_nothing_in_the_monitor(sandbox):
    """No descriptor and no cgroup, also of those that could not be started."""
    box = sandbox()
    fds = f"/proc/{box.inspect()['monitorPid']}/fd"
    box.exec("true")
    before = len(os.listdir(fds))
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda i: box.exec("/nosuch" if i % 10 == 0 else "true").rc, range(300)))
    assert sorted(set(codes)) == [0, 127]
    assert lib.eventually(lambda: not leaves(box))
    # At most: the connection of the first program may have been counted before the monitor closed it.
    assert lib.eventually(lambda: len(os.listdir(fds)) <= before)
    assert len(box.inspect()["execs"]) == 301


def test_programs_may_open_as_many_files_as_the_creator_and_the_monitor_more(sbrun, busybox_image):
    """Debian's limit is 1024, which can be raised; hundreds of programs take the monitor more."""
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 3000))
    name = sbrun.ok("create", busybox_image, preexec_fn=lower).out.strip()
    try:
        assert sbrun.ok("exec", name, "sh", "-c", "ulimit -Sn; ulimit -Hn").out.split() == ["100", "3000"]
        pid = sbrun.ok("inspect", name).json()["monitorPid"]
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (3000, 3000)
        for _ in range(30):
            sbrun.ok("exec", "-d", name, "sleep", "1000")
    finally:
        sbrun.ok("rm", "-f", name)


def test_a_cgroup_goes_when_what_a_program_left_behind_ends(sandbox):
    """At the latest when the next program ends."""
    box = sandbox()
    box.exec("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
    pids = tree(box, 1)
    assert pids
    os.kill(pids[0], signal.SIGKILL)
    lib.await_end(pids[0])
    box.exec("true")
    lib.eventually(lambda: not leaves(box))


def zombies(sandbox):
    """Return the processes in @sandbox that have ended and were not waited for."""
    script = "for p in /proc/[0-9]*; do grep -s -q 'State:.*Z' $p/status && echo $p; done; true"
    return sandbox.sh(script)


def test_process_1_reaps_orphans(box):
    """Of double forks, fifty at once."""
    box.sh("for i in $(seq 50); do (sh -c 'exit 3' &); done")
    lib.eventually(lambda: not zombies(box))


@pytest.mark.parametrize("command", ["exec", "run"])
def test_a_signal_while_the_program_ends_does_not_spoil_its_exit_code(sbrun, box, busybox_image, command):
    """It is the program's, or that of a program killed by the signal."""
    where = ["exec", box.id] if command == "exec" else ["run", "--rm", busybox_image]
    for _ in range(20):
        client = sbrun.start(*where, "sh", "-c", "echo ready; exit 5")
        lib.read_until(client.stdout, b"ready\n")
        for _ in range(5):
            client.send_signal(signal.SIGUSR1)
        assert finish(client) in (5, 128 + signal.SIGUSR1)
