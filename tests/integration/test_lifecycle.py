# SPDX-License-Identifier: Apache-2.0
"""From birth to grave: states, lifetime, stopping, names; and that nothing stays, whoever is killed when."""
import datetime
import subprocess
import time
from pathlib import Path

import pytest

import lib

pytestmark = pytest.mark.usefixtures("own_network")


@pytest.fixture(autouse=True)
def tidy(sbrun):
    """What a failed test leaves must not fail the next ones."""
    yield
    left = sbrun.ok("ps", "-aq").out.split()
    if left:
        sbrun("rm", "-f", *left)


def status_of(sbrun, sandbox_id):
    """Return the status that ps -a shows, or None."""
    return {entry["id"]: entry["status"] for entry in sbrun.ok("ps", "-a", "--json").json()}.get(sandbox_id)


def moment(text):
    """Return an RFC 3339 time as seconds."""
    return datetime.datetime.fromisoformat(text).timestamp()


# ---- states --------------------------------------------------------------------------------------------------

def test_a_sandbox_goes_from_running_to_stopped_to_gone(no_leaks, sbrun, busybox_image):
    """create, exec, stop, rm."""
    sandbox_id = sbrun.ok("create", busybox_image).out.strip()
    assert len(sandbox_id) == 16 and int(sandbox_id, 16)
    assert status_of(sbrun, sandbox_id) == "running"
    assert sbrun.ok("exec", sandbox_id, "echo", "hello").out == "hello\n"
    sbrun.ok("stop", sandbox_id)
    assert status_of(sbrun, sandbox_id) == "stopped"
    assert sandbox_id not in sbrun.ok("ps", "-q").out and sandbox_id in sbrun.ok("ps", "-aq").out
    result = sbrun("exec", sandbox_id, "true")
    assert result.rc == 125 and "not running" in result.err and result.err.count("\n") == 1
    sbrun.ok("stop", sandbox_id)  # is what it was to be
    sbrun.ok("rm", sandbox_id)
    assert status_of(sbrun, sandbox_id) is None
    assert sbrun("inspect", sandbox_id).rc == 125


def test_a_stopped_sandbox_holds_only_its_record_and_files(sbrun, sandbox):
    """No process, cgroup, link, route, address."""
    box = sandbox()
    before = lib.host_state(sbrun)
    box.sh("echo kept > /tmp/kept")
    sbrun.ok("stop", box.id)
    lib.eventually(lambda: not any(box.id in str(entry) for kind in ("cgroups", "mounts")
                                   for entry in lib.SNAPSHOTS[kind](sbrun)))
    lib.eventually(lambda: not lib.processes(sbrun) and not lib.links(sbrun) and not lib.nft_elements(sbrun))
    assert (sbrun.data / box.id / "upper/tmp/kept").read_text() == "kept\n"
    assert lib.leaks(before, lib.host_state(sbrun)).keys() <= {"state files"}


def test_inspect_tells_what_is_known(sbrun, sandbox):
    """All that a control plane needs, with the names and types of the documentation."""
    box = sandbox("--name", "known", "-m", "64m", "--cpus", "1.5", "--pids-limit", "99", "--ttl", "5m",
                  "-e", "A=B", "-w", "/tmp", "-u", "app")
    box.exec("false")
    now, o = time.time(), box.inspect()
    assert (o["id"], o["name"], o["hostname"], o["status"]) == (box.id, "known", "known", "running")
    assert o["image"] == "busybox:latest" and o["imageDigest"].startswith("sha256:")
    assert o["limits"] == {"memoryBytes": 64 << 20, "cpus": 1.5, "pids": 99}
    assert abs(moment(o["createdAt"]) - now) < 30 and moment(o["createdAt"]) <= moment(o["startedAt"])
    assert abs(moment(o["stopAt"]) - moment(o["startedAt"]) - 300) < 0.01
    assert "A=B" in o["env"] and o["cwd"] == "/tmp" and o["user"] == "app"
    assert Path(f"/proc/{o['monitorPid']}/comm").read_text() == "sbrun-monitor\n"
    assert Path(f"/proc/{o['initPid']}/comm").read_text() == "sbrun-init\n"
    assert o["address"] == str(sbrun.network[(1 << 64) + int(box.id, 16)])
    [session] = o["execs"]
    assert (session["id"], session["command"], session["exitCode"], session["reason"], session["state"]) == (
        f"{box.id}/1", ["false"], 1, "exited", "exited")


def test_inspect_of_a_stopped_sandbox_has_no_processes(sbrun, sandbox):
    """But the times and sessions."""
    box = sandbox()
    box.exec("true")
    sbrun.ok("stop", box.id)
    o = box.inspect()
    assert (o["status"], o["monitorPid"], o["initPid"]) == ("stopped", None, None)
    assert moment(o["stoppedAt"]) >= moment(o["startedAt"]) and len(o["execs"]) == 1


def test_ps_lists_the_newest_first_with_address_and_status(sbrun, sandbox):
    """As a table and as JSON."""
    boxes = [sandbox(), sandbox("--name", "newest")]
    listed = sbrun.ok("ps", "--json").json()
    assert [entry["id"] for entry in listed] == [boxes[1].id, boxes[0].id]
    head, *lines = sbrun.ok("ps").out.splitlines()
    assert head.split() == ["ID", "NAME", "IMAGE", "STATUS", "CREATED", "ADDRESS"]
    for line, entry in zip(lines, listed):
        assert line.startswith(entry["id"]) and entry["address"] in line and "running" in line
    assert sbrun.ok("ps", "-q").out.split() == [boxes[1].id, boxes[0].id]


def test_the_beginning_of_an_id_and_the_name_mean_the_sandbox(sbrun, sandbox):
    """Everywhere an id is taken."""
    box = sandbox("--name", "by-name")
    for word in (box.id, "by-name", box.id[:8]):
        assert sbrun.ok("exec", word, "hostname").out == "by-name\n"


# ---- run -----------------------------------------------------------------------------------------------------

def test_run_rm_leaves_nothing(no_leaks, sbrun, busybox_image):
    """When it returns, the sandbox is gone; its exit code is the command's."""
    result = sbrun("run", "--rm", busybox_image, "sh", "-c", "echo out; exit 7")
    assert (result.rc, result.out) == (7, "out\n")
    assert sbrun.ok("ps", "-aq").out == ""


def test_run_rm_of_what_cannot_start_leaves_nothing(no_leaks, sbrun, busybox_image):
    """Exit code 127."""
    assert sbrun("run", "--rm", busybox_image, "no-such-program").rc == 127
    assert sbrun.ok("ps", "-aq").out == ""


def test_run_without_rm_keeps_record_and_logs(no_leaks, sbrun, busybox_image):
    """Until rm."""
    sandbox_id = sbrun.ok("run", "-d", busybox_image, "sh", "-c", "echo said; exit 5").out.strip()
    assert sbrun.ok("wait", sandbox_id).out == "5\n"
    lib.eventually(lambda: status_of(sbrun, sandbox_id) == "stopped")
    assert sbrun.ok("logs", sandbox_id).out == "said\n"
    assert sbrun.ok("inspect", sandbox_id).json()["exitCode"] == 5
    sbrun.ok("gc")
    assert sbrun.ok("logs", sandbox_id).out == "said\n"
    sbrun.ok("rm", sandbox_id)


def test_run_d_rm_removes_itself(no_leaks, sbrun, busybox_image):
    """Without anybody waiting for it."""
    sandbox_id = sbrun.ok("run", "-d", "--rm", busybox_image, "sleep", "0.2").out.strip()
    lib.eventually(lambda: status_of(sbrun, sandbox_id) is None)


def test_what_the_command_leaves_running_ends_with_it(no_leaks, sbrun, busybox_image):
    """The sandbox is the unit."""
    sbrun.ok("run", "--rm", busybox_image, "sh", "-c", "(trap '' TERM HUP; sleep 300) & setsid sleep 300 & exit 0")


# ---- end -----------------------------------------------------------------------------------------------------

def test_a_sandbox_ends_when_its_lifetime_is_over(no_leaks, sbrun, sandbox):
    """Without any command; its sessions are told."""
    box = sandbox("--ttl", "800ms")
    session = box.sbrun.ok("exec", "-d", box.id, "sleep", "60").out.strip()
    assert sbrun.ok("wait", box.id, timeout=10)
    o = box.inspect()
    assert o["status"] == "stopped"
    assert 0.7 < moment(o["stoppedAt"]) - moment(o["startedAt"]) < 5
    assert sbrun.ok("inspect", session).json()["reason"] == "stopped"


def test_without_a_lifetime_there_is_no_end(sandbox):
    """--ttl 0; the default is ten minutes."""
    assert sandbox("--ttl", "0").inspect()["stopAt"] is None
    o = sandbox().inspect()
    assert abs(moment(o["stopAt"]) - moment(o["startedAt"]) - 600) < 0.01


def start_with_trap(sbrun, box, action):
    """Start a program in the background that does @action when it gets SIGTERM; return its session."""
    session = sbrun.ok("exec", "-d", box.id, "sh", "-c",
                       f"trap '{action}' TERM; echo ready; while :; do sleep 0.05; done").out.strip()
    lib.eventually(lambda: "ready" in sbrun.ok("logs", session).out)
    return session


def test_stop_asks_first(sbrun, sandbox):
    """SIGTERM, and no longer than the program needs."""
    box = sandbox()
    session = start_with_trap(sbrun, box, "echo asked; exit 3")
    start = time.monotonic()
    sbrun.ok("stop", "--time", "20s", box.id)
    assert time.monotonic() - start < 5
    assert sbrun.ok("logs", session).out == "ready\nasked\n"
    assert sbrun.ok("inspect", session).json()["exitCode"] == 3


def test_stop_kills_what_does_not_end_in_time(sbrun, sandbox):
    """SIGKILL after the grace period."""
    box = sandbox()
    session = start_with_trap(sbrun, box, "echo no")
    start = time.monotonic()
    sbrun.ok("stop", "--time", "600ms", box.id)
    assert 0.6 <= time.monotonic() - start < 5
    record = sbrun.ok("inspect", session).json()
    assert (record["exitCode"], record["signal"], record["reason"]) == (137, "KILL", "stopped")
    assert sbrun.ok("logs", session).out.startswith("ready\nno\n")


def test_stop_of_an_idle_sandbox_takes_no_time(sbrun, sandbox):
    """There is nobody to wait for."""
    box = sandbox()
    start = time.monotonic()
    sbrun.ok("stop", box.id)
    assert time.monotonic() - start < 2


def test_kill_ends_the_sandbox(sbrun, sandbox):
    """At once, whatever its processes do."""
    box = sandbox()
    sbrun.ok("exec", "-d", box.id, "sh", "-c", "trap '' TERM; sleep 60")
    sbrun.ok("kill", box.id)
    lib.eventually(lambda: status_of(sbrun, box.id) == "stopped")


def test_kill_with_a_signal_reaches_the_sessions(sbrun, sandbox):
    """And the sandbox lives on."""
    box = sandbox()
    session = sbrun.ok("exec", "-d", box.id, "sh", "-c",
                       "trap 'echo usr1; exit 0' USR1; echo ready; while :; do sleep 0.05; done").out.strip()
    lib.eventually(lambda: "ready" in sbrun.ok("logs", session).out)
    sbrun.ok("kill", "-s", "USR1", box.id)
    sbrun.ok("wait", session)
    assert sbrun.ok("logs", session).out == "ready\nusr1\n" and status_of(sbrun, box.id) == "running"


def test_rm_of_a_running_sandbox_is_refused(sbrun, sandbox):
    """It runs on; the hint says what to do."""
    box = sandbox()
    result = sbrun("rm", box.id)
    assert result.rc == 125 and "is running" in result.err and "rm -f" in result.err
    assert result.err.count("\n") == 1 and box.sh("echo on") == "on"


def test_rm_takes_several_and_tells_which_are_unknown(no_leaks, sbrun, busybox_image):
    """The others are removed."""
    ids = [sbrun.ok("create", busybox_image).out.strip() for _ in range(3)]
    result = sbrun("rm", "-f", ids[0], "no-such-one", *ids[1:])
    assert result.rc == 125 and "no-such-one" in result.err and result.out.split() == ids
    assert sbrun.ok("ps", "-aq").out == ""


def test_a_name_is_free_again_after_rm(no_leaks, sbrun, busybox_image):
    """And taken until then, also by a stopped sandbox; who loses leaves nothing."""
    first = sbrun.ok("create", "--name", "mine", busybox_image).out.strip()
    for _ in range(2):
        result = sbrun("create", "--name", "mine", busybox_image)
        assert result.rc == 125 and "'mine' is in use" in result.err and result.err.count("\n") == 1
        sbrun.ok("stop", first)
    assert sbrun.ok("ps", "-aq").out.split() == [first]
    sbrun.ok("rm", "mine")
    second = sbrun.ok("create", "--name", "mine", busybox_image).out.strip()
    assert second != first and sbrun.ok("inspect", "mine").json()["id"] == second
    sbrun.ok("rm", "-f", "mine")


def test_wait_returns_when_the_sandbox_has_ended(sbrun, sandbox):
    """And at once if it has ended before."""
    box = sandbox()
    with sbrun.start("wait", box.id) as wait:
        assert sbrun("wait", box.id, "--timeout", "200ms").rc == 124
        assert wait.poll() is None
        sbrun.ok("stop", box.id)
        assert wait.wait(5) == 0
    assert sbrun("wait", box.id).rc == 0


# ---- nothing stays -------------------------------------------------------------------------------------------

def test_rm_leaves_nothing_of_a_busy_sandbox(no_leaks, sbrun, sandbox):
    """No link, route, set element, cgroup, mount, namespace, process, file: see lib.SNAPSHOTS."""
    box = sandbox("-m", "64m", "--cpus", "1", "--name", "busy")
    before = lib.host_state(sbrun)
    for kind in ("links", "routes", "nft elements", "cgroups", "processes", "namespaces", "state files",
                 "sandbox directories"):
        assert before[kind], f"the test looks for {kind} in the wrong place"
    sbrun.ok("exec", "-d", box.id, "httpd", "-f", "-p", "[::]:80")
    sbrun.ok("exec", "-d", box.id, "sh", "-c", "while :; do echo x > /tmp/x; (sleep 1 &) ; done")
    sbrun.ok("wait", box.id, "--port", "80", "--timeout", "10s")
    assert lib.fetch(box.inspect()["address"], 80)
    sbrun.ok("rm", "-f", box.id)
    assert sbrun.ok("ps", "-aq").out == ""


@pytest.fixture
def before(sbrun, busybox_image):
    """The host as it is with sbrun installed and no sandbox."""
    sbrun.ok("rm", "-f", sbrun.ok("create", busybox_image).out.strip())
    sbrun.ok("create", "--name", "keeper", busybox_image)  # gc leaves the host's part alone
    state = lib.host_state(sbrun)
    yield state
    assert sbrun.ok("exec", "keeper", "echo", "alive").out == "alive\n"
    sbrun.ok("rm", "-f", "keeper")


def rest_back(sbrun, before):
    """Remove what has become a sandbox, collect, and compare with @before."""
    lib.eventually(lambda: "creating" not in {e["status"] for e in sbrun.ok("ps", "-a", "--json").json()})
    ids = [e["id"] for e in sbrun.ok("ps", "-a", "--json").json() if e["name"] != "keeper"]
    if ids:
        sbrun("rm", "-f", *ids)  # one that nobody knows of may be removing itself
    sbrun.ok("gc")
    lib.assert_no_leaks(before, sbrun)


def create_seconds(sbrun, image):
    """Return how long a create takes now."""
    start = time.monotonic()
    sandbox_id = sbrun.ok("create", image).out.strip()
    seconds = time.monotonic() - start
    sbrun.ok("rm", "-f", sandbox_id)
    return seconds


def pause(seconds):
    """Let so much time pass, to some microseconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def monitor_of(process):
    """Return the pid of the monitor that @process, a create, has forked; None if it never did."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        try:
            children = path.read_text().split()
        except OSError:
            return None
        if children:
            return int(children[0])
    return None


def test_a_killed_client_of_create_leaves_nothing(sbrun, busybox_image, before):
    """kill -9 at 60 moments from start to end."""
    step = create_seconds(sbrun, busybox_image) * 1.2 / 60
    for number in range(60):
        with sbrun.start("create", "--name", f"n{number}", busybox_image) as process:
            pause(number * max(step, 0.0002))
            process.kill()
    rest_back(sbrun, before)


def test_a_killed_monitor_leaves_nothing_of_a_half_done_create(sbrun, busybox_image, before):
    """kill -9 at 60 moments from its fork on; the client reports it at once, in one line."""
    step = create_seconds(sbrun, busybox_image) * 1.2 / 60
    told = 0
    for number in range(60):
        with sbrun.start("create", "--name", f"n{number}", busybox_image) as process:
            pid = monitor_of(process)
            pause(number * max(step, 0.0001))
            if pid:
                lib.kill(pid)
            out, err = process.communicate(timeout=10)
            assert process.returncode in (0, 125)
            if process.returncode == 125:
                told += 1
                assert err.count(b"\n") == 1 and err.startswith(b"sbrun: "), err
                assert not out
    assert told >= 10, "the moments were all too late"
    rest_back(sbrun, before)


def test_a_client_and_monitor_killed_together_leave_nothing(sbrun, busybox_image, before):
    """As when the out-of-memory killer goes round; also names and ranges of ids are free again."""
    step = create_seconds(sbrun, busybox_image) * 1.2 / 40
    for number in range(40):
        with sbrun.start("create", "--name", "same", busybox_image) as process:
            pid = monitor_of(process)
            pause(number * max(step, 0.0001))
            process.kill()
            if pid:
                lib.kill(pid)
        rest_back(sbrun, before)


def test_any_next_command_removes_what_a_killed_monitor_left(sbrun, sandbox, before):
    """Here: ps, without gc. Its processes die with it at once."""
    box = sandbox()
    record = box.inspect()
    sbrun.ok("exec", "-d", box.id, "sleep", "60")
    inside = [pid for pid, name in lib.processes(sbrun) if name == "sleep"]
    assert len(inside) == 1
    lib.kill(record["monitorPid"])
    lib.await_end(record["initPid"], timeout=5)
    lib.await_end(inside[0], timeout=5)
    sbrun.ok("ps")
    lib.assert_no_leaks(before, sbrun)


def test_a_foreground_client_is_told_that_the_monitor_died(sbrun, sandbox, before):
    """Exit code 125 and one line, at once."""
    box = sandbox()
    with sbrun.start("exec", box.id, "sh", "-c", "echo started; sleep 60") as process:
        lib.read_until(process.stdout, b"started")
        lib.kill(box.inspect()["monitorPid"])
        out, err = process.communicate(timeout=10)
        assert process.returncode == 125 and err.count(b"\n") == 1, (out, err)
    rest_back(sbrun, before)


@pytest.mark.parametrize("session", ["", "/1"])
def test_wait_says_that_the_monitor_was_killed(sbrun, sandbox, before, session):
    """Whether that happens before or while it waits: exit code 125 and one line."""
    box = sandbox()
    sbrun.ok("exec", "-d", box.id, "sleep", "60")
    sbrun("exec", box.id, "sh", "-c", "exit 3")
    with sbrun.start("wait", box.id + session) as process:
        waits_in = Path(f"/proc/{process.pid}/wchan")
        lib.eventually(lambda: "poll" in waits_in.read_text())
        lib.kill(box.inspect()["monitorPid"])
        early = process.communicate(timeout=10)[1].decode()
    late = sbrun("wait", box.id + session)
    line = f"sbrun: wait: sandbox '{box.id}' died with its monitor\n"
    assert (process.returncode, early, late.rc, late.err) == (125, line, 125, line)
    assert sbrun.ok("wait", box.id + "/2").out == "3\n"  # it had ended before
    rest_back(sbrun, before)


def test_a_sandbox_whose_process_1_is_killed_is_stopped(sbrun, sandbox, before):
    """As if somebody had stopped it."""
    box = sandbox()
    session = sbrun.ok("exec", "-d", box.id, "sleep", "60").out.strip()
    lib.kill(box.inspect()["initPid"])
    lib.eventually(lambda: status_of(sbrun, box.id) == "stopped")
    assert sbrun.ok("inspect", session).json()["exitCode"] == 137
    sbrun.ok("rm", box.id)
    lib.assert_no_leaks(before, sbrun)


def test_a_killed_client_of_run_takes_the_sandbox_along(sbrun, busybox_image, before):
    """--rm: also when nobody is left to wait."""
    with sbrun.start("run", "--rm", busybox_image, "sh", "-c", "echo started; sleep 60") as process:
        lib.read_until(process.stdout, b"started")
        process.kill()
    lib.assert_no_leaks(before, sbrun)


def test_a_killed_gc_or_rm_is_finished_by_the_next(sbrun, busybox_image, before):
    """kill -9 at 20 moments each."""
    for number in range(20):
        ids = [sbrun.ok("create", busybox_image).out.strip() for _ in range(2)]
        lib.kill(sbrun.ok("inspect", ids[0]).json()["monitorPid"])
        for command in (["gc"], ["rm", "-f", ids[1]]):
            with sbrun.start(*command) as process:
                pause(number * 0.0005)
                process.kill()
    rest_back(sbrun, before)


def test_a_monitor_killed_while_it_ends_leaves_nothing(sbrun, busybox_image, before):
    """kill -9 during rm -f, at 20 moments."""
    for number in range(20):
        sandbox_id = sbrun.ok("create", busybox_image).out.strip()
        pid = sbrun.ok("inspect", sandbox_id).json()["monitorPid"]
        with sbrun.start("rm", "-f", sandbox_id) as process:
            pause(number * 0.0005)
            lib.kill(pid)
            process.communicate(timeout=10)
    rest_back(sbrun, before)


# ---- gc ------------------------------------------------------------------------------------------------------

def host_part(sbrun):
    """Return whether the firewall's table is there, and whether the host's address is."""
    tables = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout
    addresses = [a["local"] for link in lib.json_of("ip", "-6", "-j", "address", "show", "dev", "lo")
                 for a in link["addr_info"]]
    return "table inet sbrun\n" in tables, str(sbrun.network[1]) in addresses


def test_gc_without_a_sandbox_takes_the_hosts_part_down_and_create_brings_it_back(sbrun, sandbox):
    """Firewall and address; a stopped sandbox keeps them."""
    sbrun.ok("rm", "-f", sandbox().id)
    assert host_part(sbrun) == (True, True)
    sbrun.ok("gc")
    assert host_part(sbrun) == (False, False)
    sbrun.ok("gc")
    box = sandbox()
    assert host_part(sbrun) == (True, True)
    sbrun.ok("exec", "-d", box.id, "httpd", "-f", "-p", "[::]:80")
    sbrun.ok("wait", box.id, "--port", "80", "--timeout", "10s")
    assert lib.fetch(box.inspect()["address"], 80)


def test_gc_never_harms_a_living_sandbox(sbrun, sandbox):
    """Again and again, beside ten with traffic and one that is being made."""
    boxes = [sandbox() for _ in range(10)]
    for box in boxes:
        sbrun.ok("exec", "-d", box.id, "httpd", "-f", "-p", "[::]:80")
    addresses = [box.inspect()["address"] for box in boxes]
    for box in boxes:
        sbrun.ok("wait", box.id, "--port", "80", "--timeout", "10s")
    loop = f"while :; do '{lib.BIN}' gc || exit 1; done"
    with lib.Process(["sh", "-c", loop], env=sbrun.env, stdout=subprocess.DEVNULL) as collector:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            for address in addresses:
                assert lib.fetch(address, 80, timeout=5)
            sbrun.ok("run", "--rm", "busybox", "true")
        assert collector.poll() is None, "gc failed"
        collector.kill()
    assert {box.sh("echo alive") for box in boxes} == {"alive"}


def test_two_homes_do_not_disturb_each_other(sbrun, sandbox, image_dir, tmp_path):
    """Other directories are other sandboxes, names, groups, addresses; gc in one spares the other."""
    other = lib.Sbrun(tmp_path / "store", tmp_path / "run")
    other.ok("load", "--name", "busybox", image_dir("busybox"))
    mine = sandbox("--name", "same")
    theirs = other.ok("create", "--name", "same", "busybox").out.strip()
    assert mine.sbrun.ok("ps", "-q").out.split() == [mine.id] and other.ok("ps", "-q").out.split() == [theirs]
    assert other("inspect", mine.id).rc == 125
    assert other.network != sbrun.network and other.cgroup_parent != sbrun.cgroup_parent
    other.ok("rm", "-f", theirs)
    other.ok("gc")
    assert host_part(other) == (True, False) and host_part(sbrun) == (True, True)
    sbrun.ok("exec", "-d", mine.id, "httpd", "-f", "-p", "[::]:80")
    sbrun.ok("wait", mine.id, "--port", "80", "--timeout", "10s")
    assert lib.fetch(mine.inspect()["address"], 80)
    assert not lib.cgroups(other) and not lib.below(other.data)
