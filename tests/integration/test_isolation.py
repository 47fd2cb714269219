# SPDX-License-Identifier: Apache-2.0
"""What a sandbox can see and do: nothing of the host. T-numbers: the project's checklist of past break-outs."""
import ctypes
import fcntl
import hashlib
import json
import os
import pty
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

import lib

sys.path.insert(0, str(lib.REPO / "tools"))
sys.dont_write_bytecode = True
import mkoci  # noqa: E402 (after the lines above on purpose)

CAPS = {"chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "setfcap",
        "sys_chroot", "net_bind_service"}
RANGE = 65536  # ids of one sandbox


def limit_file(sbrun, sandbox, controller, v1, v2):
    """Return the content of a limit's file, wherever this host keeps it."""
    top = Path("/sys/fs/cgroup")
    path = top / controller / sbrun.cgroup_parent / sandbox.id / v1
    if not path.exists():
        path = top / sbrun.cgroup_parent / sandbox.id / v2
    return path.read_text().strip()


def python(sandbox, script, *args, flags=(), **options):
    """Run a Python script in a sandbox of python_image, which must succeed; return what it printed."""
    result = sandbox.exec("python3", "-c", script, *args, flags=list(flags), **options)
    assert result.rc == 0, result.err
    return result.out


# ---- namespaces and ids --------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["mnt", "pid", "net", "ipc", "uts", "cgroup", "user"])
def test_the_namespace_is_not_the_hosts(sandbox, name):
    """Nor that of another sandbox."""
    pids = ["self", *(sandbox().inspect()["initPid"] for _ in range(2))]
    assert len({os.readlink(f"/proc/{pid}/ns/{name}") for pid in pids}) == 3


def test_a_command_is_in_the_namespaces_of_its_sandbox(sandbox):
    """But for the cgroup namespace: each has one of its own, whose root is its own cgroup."""
    box = sandbox()
    first = f"/proc/{box.inspect()['initPid']}/ns"
    for entry in box.probe("ns"):
        if entry["ns"] != "cgroup":
            assert os.readlink(f"{first}/{entry['ns']}").endswith(f"[{entry['inode']}]"), entry
    assert {line.split(":", 2)[2] for line in box.sh("cat /proc/self/cgroup").splitlines()} == {"/"}


def test_root_inside_is_an_unmapped_user_outside(sandbox):
    """Beyond the ids of people and system users, for every process of the sandbox."""
    box = sandbox()
    base = box.inspect()["idBase"]
    box.sbrun.ok("exec", "-d", box.id, "sleep", "60")
    pids = [pid for pid, name in lib.processes(box.sbrun) if name in ("sbrun-init", "sleep")]
    assert base >= 524288 and len(pids) >= 2
    for pid in pids:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                      if ":\t" in line)
        assert status["Uid"].split() == [str(base)] * 4, pid
        assert status["Gid"].split() == [str(base)] * 4, pid


def test_ranges_of_ids_never_overlap(sandbox):
    """Each sandbox has 65536 ids of its own."""
    bases = sorted(sandbox().inspect()["idBase"] for _ in range(8))
    assert all(second - first >= RANGE for first, second in zip(bases, bases[1:]))


def test_files_made_inside_belong_to_shifted_users_on_disk(sandbox):
    """So that nothing in the store is owned by a user of the host."""
    box = sandbox()
    base = box.inspect()["idBase"]
    box.sh("touch /tmp/root; mkdir /tmp/app; chown 1000:2000 /tmp/app")
    upper = box.sbrun.data / box.id / "upper"
    assert [(s.st_uid, s.st_gid) for s in map(os.lstat, [upper / "tmp/root", upper / "tmp/app"])] == [
        (base, base), (base + 1000, base + 2000)]
    assert {os.lstat(p).st_uid for p in upper.rglob("*")} <= set(range(base, base + RANGE))


def test_files_of_the_image_belong_to_root_inside(sandbox):
    """Without having been copied: the layer on disk is still the image's."""
    assert sandbox().sh("stat -c '%u %g' /bin/busybox /home/app") == "0 0\n1000 1000"


# ---- privileges ----------------------------------------------------------------------------------------------

def caps_of(objects):
    """Return {set: names} from the probe's topic caps."""
    found = {name: set() for name in ("inheritable", "permitted", "effective", "bounding", "ambient")}
    for entry in objects:
        if "set" in entry:
            found[entry["set"]].add(entry["cap"])
    return found


def test_root_has_eleven_capabilities_and_can_gain_no_other(sandbox):
    """T10: inheritable and ambient are empty."""
    assert caps_of(sandbox().probe("caps")) == {
        "inheritable": set(), "ambient": set(), "permitted": CAPS, "effective": CAPS, "bounding": CAPS}


def test_another_user_has_no_capability(sandbox):
    """T36: not kept from root."""
    box = sandbox()
    box.probe("ids")
    result = box.exec("/tmp/probe", "caps", flags=["-u", "1000"])
    caps = caps_of(result.json_lines())
    assert caps["permitted"] == caps["effective"] == caps["inheritable"] == caps["ambient"] == set()


@pytest.mark.parametrize("user", ["0", "1000"])
def test_privileges_cannot_be_gained_and_calls_are_filtered(sandbox, user):
    """no_new_privs is set, one seccomp filter (mode 2) is in place, for every user."""
    box = sandbox()
    box.probe("ids")
    switches = {entry["switch"]: entry["value"]
                for entry in box.exec("/tmp/probe", "caps", flags=["-u", user]).json_lines()
                if "switch" in entry}
    assert switches["NoNewPrivs"] == 1 and switches["Seccomp"] == 2


def test_a_set_user_id_program_gives_nothing(sandbox):
    """Whoever made it set-user-id: the image or root inside."""
    box = sandbox()
    box.probe("ids")
    box.sh("cp /tmp/probe /tmp/suid && chmod 6755 /tmp/suid")
    ids = box.exec("/tmp/suid", "ids", flags=["-u", "1000:1000"]).json_lines()[0]
    assert [ids[k] for k in ("uid", "euid", "suid", "gid", "egid", "sgid")] == [1000] * 6


def test_process_1_has_no_more_than_a_command(sandbox):
    """Same capabilities, no_new_privs, filter."""
    box = sandbox()
    text = Path(f"/proc/{box.inspect()['initPid']}/status").read_text()
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert status["CapInh"] == status["CapAmb"] == "0" * 16
    assert bin(int(status["CapEff"], 16)).count("1") == len(CAPS) and status["CapEff"] == status["CapBnd"]


# ---- system calls and sockets --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def probed():
    """What the probe says of system calls and sockets; filled by the first test that asks."""
    return {}


def results(sandbox, probed, topic, key):
    """Return {name: result} of a topic of the probe."""
    if topic not in probed:
        probed[topic] = {key(entry): entry["result"] for entry in sandbox().probe(topic)}
    return probed[topic]


def calls(sandbox, probed):
    """Return {system call: result}."""
    return results(sandbox, probed, "seccomp", lambda entry: entry["syscall"])


def test_at_least_70_risky_system_calls_are_blocked(sandbox, probed):
    """Docker 55, podman 43 of a like list: the number is printed."""
    found = calls(sandbox, probed)
    blocked = {name for name, result in found.items() if result in ("EPERM", "ENOSYS", "EACCES", "SIGSYS")}
    print(f"blocked: {len(blocked)} of {len(found) - 1}; open: {sorted(set(found) - blocked)}")
    assert found["getpid"] == "ok" and len(blocked) >= 70


@pytest.mark.parametrize("name", [
    "unshare(CLONE_NEWUSER)", "clone(CLONE_NEWUSER)", "unshare(CLONE_NEWNS)", "unshare(CLONE_NEWNET)", "setns",
    "mount", "umount2", "move_mount", "open_tree", "fsopen", "pivot_root", "bpf", "perf_event_open", "keyctl",
    "add_key", "kexec_load", "init_module", "finit_module", "open_by_handle_at", "reboot", "swapon",
    "userfaultfd", "pidfd_getfd", "process_vm_writev", "acct", "sethostname"])
def test_the_system_call_is_refused(sandbox, probed, name):
    """With EPERM, or as if the kernel did not have it."""
    assert calls(sandbox, probed)[name] in ("EPERM", "ENOSYS")


@pytest.mark.parametrize("name", ["io_uring_setup", "clone3", "unknown 1000"])
def test_programs_are_told_that_the_system_call_does_not_exist(sandbox, probed, name):
    """ENOSYS makes them use what they know beside it: T33."""
    assert calls(sandbox, probed)[name] == "ENOSYS"


@pytest.mark.parametrize("name", ["x32 getpid", "i386 getpid"])
def test_a_call_of_another_abi_kills(sandbox, probed, name):
    """Their numbers mean other calls than those that the filter knows."""
    assert calls(sandbox, probed)[name] == "SIGSYS"


def test_every_unknown_system_call_gives_enosys(sandbox, python_image):
    """T33: all numbers that the filter was not made for, so that a new kernel opens nothing."""
    script = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for number in [*range(463, 700), 1000, 4096, 100000]:
    ctypes.set_errno(0)
    if libc.syscall(number, -1, -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != 38:
        print(number, ctypes.get_errno())
"""
    assert python(sandbox(image=python_image), script) == ""


def test_only_four_families_of_sockets_exist(sandbox, probed):
    """AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK for routes; nothing raw."""
    found = results(sandbox, probed, "sockets", lambda e: (e["family"], e["type"], e["protocol"]))
    allowed = {key for key, result in found.items() if result == "ok"}
    assert {family for family, _, _ in allowed} == {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}
    assert {p for family, _, p in allowed if family == "AF_NETLINK"} == {"NETLINK_ROUTE"}
    assert not {key for key in allowed if key[1] == "SOCK_RAW" and key[0] != "AF_NETLINK"}


def test_every_other_family_number_is_refused(sandbox, python_image):
    """Also those that nobody has thought of."""
    script = """
import socket
for family in [*range(0, 64), 255, 1000]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind, 0).close()
        except OSError:
            continue
        print(family, int(kind))
"""
    found = {int(line.split()[0]) for line in python(sandbox(image=python_image), script).splitlines()}
    assert found == {1, 2, 10, 16}


def test_nothing_can_be_typed_into_a_terminal(sandbox, python_image):
    """T32: TIOCSTI on a real terminal, with the number as it is and with high bits set."""
    script = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
errors = []
for request in (0x5412, 0x1_0000_5412, 0x541c):
    r = libc.syscall(16, ctypes.c_long(0), ctypes.c_long(request), ctypes.c_char_p(b"x"))
    errors.append(os.strerror(ctypes.get_errno()) if r else "done")
print(os.isatty(0), errors, "end")
"""
    box = sandbox(image=python_image)
    master, slave = pty.openpty()
    with box.sbrun.start("exec", "-t", box.id, "python3", "-c", script, stdin=slave, stdout=slave,
                         stderr=slave) as process:
        os.close(slave)
        out = lib.read_until(master, b"end")
        assert process.wait(lib.TIMEOUT_S) == 0
    os.close(master)
    assert out.rstrip() == b"True " + repr(["Operation not permitted"] * 3).encode() + b" end"


# ---- file systems --------------------------------------------------------------------------------------------

MASKED = ["/proc/acpi", "/proc/asound", "/proc/cmdline", "/proc/config.gz", "/proc/interrupts", "/proc/iomem",
          "/proc/ioports", "/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/latency_stats",
          "/proc/pagetypeinfo", "/proc/sched_debug", "/proc/scsi", "/proc/slabinfo", "/proc/timer_list",
          "/proc/timer_stats", "/proc/vmallocinfo", "/sys/devices/virtual/powercap", "/sys/firmware",
          "/sys/fs/selinux", "/sys/kernel/btf", "/sys/kernel/notes", "/sys/kernel/vmcoreinfo"]


def test_mounts_are_the_expected_ones_and_name_no_path_of_the_host(sandbox):
    """One root, /proc, /sys and /dev with what belongs into them; the rest are covers."""
    box = sandbox()
    mounts = box.probe("mounts")
    types = {m["target"]: m["type"] for m in mounts}
    assert {t: types[t] for t in ("/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")} == {
        "/": "overlay", "/proc": "proc", "/sys": "sysfs", "/dev": "tmpfs", "/dev/pts": "devpts",
        "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue"}
    assert {m["type"] for m in mounts} == {"overlay", "proc", "sysfs", "tmpfs", "devpts", "mqueue"}
    others = {t for t in types if not t.startswith("/dev")} - {"/", "/proc", "/sys"}
    assert others <= {*MASKED, "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
    assert str(box.sbrun.root) not in json.dumps(mounts) and str(box.sbrun.run) not in json.dumps(mounts)


def test_what_tells_about_the_host_is_masked(sandbox):
    """T5: absent, empty, or not to be opened: each of the list."""
    script = """
for p in "$@"; do
    if [ -d "$p" ]; then [ -z "$(ls -A "$p")" ] || echo "$p"
    elif [ "$(head -c 1 "$p" 2>/dev/null | wc -c)" != 0 ]; then echo "$p"
    fi
done
"""
    box = sandbox()
    assert box.exec("sh", "-c", script, "sh", *MASKED).out == ""
    # The list is not idle: most of it is there on the host.
    assert sum(os.path.exists(path) for path in MASKED) >= 10


def test_nothing_in_proc_sys_and_sys_opens_for_writing(sandbox, python_image):
    """T3, T13: every single file, and no cgroup file is there at all."""
    script = """
import os
tried = 0
for top in ("/proc/sys", "/sys", "/proc/bus", "/proc/fs", "/proc/irq"):
    for folder, _, names in os.walk(top):
        for name in names:
            tried += 1
            try:
                os.close(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                continue
            if not os.path.samefile(os.path.join(folder, name), "/dev/null"):
                print(os.path.join(folder, name))
print(tried, os.listdir("/sys/fs/cgroup"))
"""
    *opened, last = python(sandbox(image=python_image), script, timeout=60).splitlines()
    assert opened == []
    assert int(last.split()[0]) > 500 and last.endswith(" []")


@pytest.mark.parametrize("path", ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/1/oom_score_adj"])
def test_dangerous_files_do_not_open_for_writing(sandbox, path):
    """Or do not exist here; one's own priority for the killer may only become worse."""
    result = sandbox().exec("sh", "-c", f"echo -1000 > {path}")
    assert result.rc != 0


def test_dev_has_the_standard_devices_and_no_other(sandbox):
    """By number, so that none is something else under an innocent name."""
    box = sandbox()
    listed = dict(line.rsplit(" ", 1) for line in
                  box.sh("cd /dev && stat -c '%n %t:%T' null zero full random urandom tty").splitlines())
    assert listed == {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
    assert set(box.sh("ls -A /dev").split()) == {
        "null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "ptmx", "pts",
        "shm", "mqueue"}


def test_device_nodes_cannot_be_made(sandbox):
    """Neither on the root file system nor on a tmpfs."""
    box = sandbox()
    for path in ("/tmp/disk", "/dev/shm/disk", "/dev/disk"):
        assert box.exec("mknod", path, "b", "254", "0").rc != 0


def test_mounting_is_refused_to_root(sandbox):
    """T13: no cgroup file system, no second /proc, no bind mount, no unmounting of a mask."""
    box = sandbox()
    box.sh("mkdir /tmp/m")
    for command in (["mount", "-t", "cgroup2", "none", "/tmp/m"], ["mount", "-t", "cgroup", "none", "/tmp/m"],
                    ["mount", "-t", "proc", "proc", "/tmp/m"], ["mount", "-t", "tmpfs", "none", "/tmp/m"],
                    ["mount", "-o", "bind", "/bin", "/tmp/m"], ["mount", "-o", "remount,rw", "/sys"],
                    ["umount", "/proc/kallsyms"], ["umount", "-l", "/proc"], ["unshare", "-Ur", "true"]):
        assert box.exec(*command).rc != 0, command


def test_descriptors_of_the_runtime_are_closed(sandbox):
    """T9: 0, 1 and 2 only."""
    assert {entry["fd"] for entry in sandbox().probe("fds")} == {0, 1, 2}


@pytest.mark.parametrize("target", ["cwd", "root", "fd"])
def test_a_working_directory_behind_a_descriptor_leads_nowhere(sandbox, target):
    """T9: /proc/self/fd/N of the joining process would be the host (CVE-2024-21626)."""
    box = sandbox()
    numbers = range(3, 33) if target == "fd" else [""]
    for number in numbers:
        result = box.exec("ls", "sandboxes", "..", flags=["-w", f"/proc/self/{target}/{number}".rstrip("/")])
        assert result.rc in (125, 126) and result.err.count("\n") == 1, result.err


def test_logs_and_state_are_out_of_reach(sandbox):
    """T20: they lie outside the root file system; nothing inside could replace them with a link."""
    box = sandbox()
    box.sbrun.ok("exec", "-d", box.id, "echo", "a-marker-of-mine")
    found = box.sh("find / -xdev \\( -name '*.out' -o -name monitor -o -name state.json -o -name control \\) "
                   "-print; ls -A /proc/1/cwd/ /proc/1/root/ | sort -u")
    assert "logs" not in found and ".out" not in found and "state.json" not in found and "upper" not in found


def test_hosts_and_hostname_are_those_of_the_sandbox(sandbox):
    """And a change inside does not reach the host."""
    box = sandbox()
    before = [Path(p).read_bytes() for p in ("/etc/hosts", "/etc/hostname") if Path(p).exists()]
    box.sh("echo changed > /etc/hosts; echo changed > /etc/hostname")
    assert before == [Path(p).read_bytes() for p in ("/etc/hosts", "/etc/hostname") if Path(p).exists()]
    assert box.sh("hostname") == box.id != os.uname().nodename


# ---- the runtime's own programs ------------------------------------------------------------------------------

WATCHER = """
import os, sys, time
own = os.stat("/").st_dev
until = time.monotonic() + float(sys.argv[1])
seen = 0
while time.monotonic() < until:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if pid == str(os.getpid()):
            continue
        try:
            fd = os.open(f"/proc/{pid}/exe", os.O_WRONLY)
            if os.fstat(fd).st_dev != own:
                print("writable", pid, os.readlink(f"/proc/self/fd/{fd}"))
            os.close(fd)
        except OSError:
            pass
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                seen += 1
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if int(name) > 2 and os.stat(f"/proc/{pid}/fd/{name}").st_dev != own:
                    print("descriptor", pid, name, target)
        except OSError:
            pass
print("looked at", seen)
"""


def digests():
    """Return the digests of our programs."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in lib.BIN.parent.glob("sbrun*") if path.is_file()}


def test_our_programs_cannot_be_opened_for_writing_while_commands_start(sandbox, python_image):
    """T1, T2: a watcher inside tries every process all the time, also by a script #!/proc/self/exe."""
    before = digests()
    box = sandbox(image=python_image)
    box.write("/tmp/exe", "#!/proc/self/exe\n")
    box.sh("chmod 755 /tmp/exe")
    with box.sbrun.start("exec", box.id, "python3", "-c", WATCHER, "2") as watcher:
        until = time.monotonic() + 1.8
        while time.monotonic() < until:
            box.exec("true")
            box.exec("/tmp/exe")
        out = watcher.communicate(timeout=lib.TIMEOUT_S)[0].decode()
    assert out.startswith("looked at ") and out.count("\n") == 1, out
    assert digests() == before


# ---- limits --------------------------------------------------------------------------------------------------

def test_more_memory_than_the_limit_is_killed_and_told_as_such(sandbox):
    """The sandbox lives on."""
    box = sandbox("-m", "32m")
    result = box.exec("dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1", flags=["--json"])
    record = result.json()
    assert record["reason"] == "oom" and record["exitCode"] == 137 and record["signal"] == "KILL"
    assert box.sh("echo alive") == "alive"


def test_memory_below_the_limit_is_granted(sandbox):
    """64 MiB hold 32."""
    assert sandbox("-m", "64m").exec("dd", "if=/dev/zero", "of=/dev/null", "bs=32M", "count=2").rc == 0


def test_the_limits_stand_in_the_kernels_files(sbrun, sandbox):
    """As given."""
    box = sandbox("-m", "48m", "--cpus", "0.5", "--pids-limit", "33")
    assert limit_file(sbrun, box, "memory", "memory.limit_in_bytes", "memory.max") == str(48 << 20)
    assert limit_file(sbrun, box, "pids", "pids.max", "pids.max") == "33"
    assert limit_file(sbrun, box, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert box.inspect()["limits"] == {"memoryBytes": 48 << 20, "cpus": 0.5, "pids": 33}


def test_a_fork_bomb_hits_the_limit_and_the_sandbox_goes_on(sandbox):
    """The rest of the host does not notice: at most so many processes exist at any time."""
    box = sandbox("--pids-limit", "40")
    box.sbrun.ok("exec", "-d", box.id, "sh", "-c", "bomb() { bomb | bomb & }; bomb; sleep 60")
    most = 0
    until = time.monotonic() + 1
    while time.monotonic() < until:
        most = max(most, len([1 for _, name in lib.processes(box.sbrun) if name in ("sh", "sbrun-init")]))
    assert most <= 40
    box.sbrun.ok("kill", f"{box.id}/1")
    assert lib.eventually(lambda: box.exec("echo", "alive").out == "alive\n", timeout=10)


def test_the_process_over_the_limit_is_told_eagain(sandbox, python_image):
    """As fork(2) says it."""
    script = """
import os, time
children = []
try:
    while len(children) < 100:
        children.append(os.fork())
        if children[-1] == 0:
            time.sleep(30)
            os._exit(0)
except OSError as error:
    print(error.errno, len(children) < 30)
for pid in children:
    os.kill(pid, 9)
"""
    assert python(sandbox("--pids-limit", "30", image=python_image), script) == "11 True\n"


def test_processor_time_is_limited(sandbox):
    """A busy loop gets a quarter of the time, not more; load of the host can only make it less."""
    box = sandbox("--cpus", "0.25")
    result = box.exec("sh", "-c", "while :; do :; done", flags=["--json", "--timeout", "2s"])
    record = result.json()
    assert record["reason"] == "timeout" and record["exitCode"] == 124
    assert 50 < record["cpuMs"] < 0.25 * record["durationMs"] + 150, record


# ---- hostile images ------------------------------------------------------------------------------------------

def fill_minimal(layer, without=()):
    """A root file system of busybox, without the entries named in @without."""
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        if name not in without:
            layer.dir(name)
    layer.put("bin/busybox", Path("/bin/busybox").read_bytes(), mode=0o755)
    for name in ("sh", "cat", "ls", "id", "env", "true", "truncate", "echo", "stat", "pwd"):
        layer.symlink("bin/" + name, "busybox")


@pytest.fixture
def hostile(sbrun, tmp_path):
    """A function that loads an image: hostile(fill, above..., without=[...], config) -> name.

    It has a layer for each function. tmp_path is the canary's.
    """
    def load(fill, *above, without=(), **config):
        def everything(layer):
            fill_minimal(layer, without)
            fill(layer)
        image = mkoci.Image(str(tmp_path / "layout"))
        image.layer("hostile", everything)
        for more in above:
            image.layer("above", more)
        image.finish("latest", {"Env": ["PATH=/bin"], "Cmd": ["sh"], **config})
        sbrun.ok("load", "--name", "hostile", tmp_path / "layout")
        return "hostile"
    return load


@pytest.fixture
def canary(tmp_path):
    """A directory of the host with a file; after the test they must be as before."""
    top = tmp_path / "canary"
    top.mkdir()
    (top / "file").write_text("host\n")
    before = [(p, p.lstat().st_mode, p.lstat().st_uid, p.lstat().st_mtime_ns)
              for p in [top, *sorted(top.rglob("*"))]]
    yield top
    assert before == [(p, p.lstat().st_mode, p.lstat().st_uid, p.lstat().st_mtime_ns)
                      for p in [top, *sorted(top.rglob("*"))]]
    assert (top / "file").read_text() == "host\n"


def refused_or_harmless(sbrun, image, script="true"):
    """Run @script in @image. It must either work or be refused in one line; return what it printed, or None."""
    result = sbrun("run", "--rm", image, "sh", "-c", script)
    if result.rc == 0:
        return result.out
    assert result.rc in (125, 126), (result.rc, result.err)
    assert result.err.count("\n") == 1 and result.err.startswith("sbrun: "), result.err
    return None


@pytest.mark.parametrize("way", ["absolute", "relative"])
@pytest.mark.parametrize("name", ["proc", "dev", "sys"])
def test_an_image_with_a_link_for_a_mount_point_is_refused(no_leaks, sbrun, hostile, canary, name, way):
    """T3, T7: nothing is mounted, made or removed behind it, and nothing is left."""
    target = str(canary) if way == "absolute" else "../../../../../../.." + str(canary)
    image = hostile(lambda layer: layer.symlink(name, target), without=[name])
    result = sbrun("create", image)
    assert result.rc == 125 and result.err.count("\n") == 1 and f"/{name}" in result.err, result.err


@pytest.mark.parametrize("name", ["proc", "dev", "sys"])
def test_an_image_with_a_file_for_a_mount_point_is_refused(no_leaks, sbrun, hostile, name):
    """T3."""
    image = hostile(lambda layer: layer.put(name, "file"), without=[name])
    result = sbrun("create", image)
    assert result.rc == 125 and result.err.count("\n") == 1 and f"/{name}" in result.err, result.err


@pytest.mark.parametrize("name", ["etc", "tmp", "run"])
@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_a_link_for_another_directory_does_not_lead_out(no_leaks, sbrun, hostile, canary, name, way):
    """T7: it is resolved inside."""
    target = str(canary) if way == "absolute" else "../../../../../../.." + str(canary)
    image = hostile(lambda layer: layer.symlink(name, target), without=[name])
    out = refused_or_harmless(sbrun, image, f"cat /{name}/file; true")
    assert "host" not in (out or "")


@pytest.mark.parametrize("name", ["hosts", "resolv.conf", "hostname"])
@pytest.mark.parametrize("way", ["absolute", "relative", "dangling"])
def test_a_link_for_a_file_of_ours_is_replaced(no_leaks, sbrun, hostile, canary, name, way):
    """T4: not followed, neither to a file of the host nor to one that is made by following."""
    target = {"absolute": f"{canary}/file", "relative": f"../../../../../..{canary}/file",
              "dangling": f"{canary}/new"}[way]
    image = hostile(lambda layer: layer.symlink(f"etc/{name}", target))
    out = sbrun.ok("run", "--rm", image, "sh", "-c", f"stat -c %F /etc/{name}; cat /etc/{name}").out
    assert out.startswith("regular file\n") and "host\n" not in out.split("\n", 1)[1].replace("localhost\n", "")


def etc_dir(mode, uid, *names):
    """Return a function that fills a layer with an /etc that has the files @names."""
    def fill(layer):
        layer.dir("etc", mode=mode, uid=uid, gid=8)
        for name in names:
            layer.put(f"etc/{name}", f"{name} of {uid}\n")
    return fill


def etc_link(layer):
    """Fill a layer with an /etc that is a link to a directory with a file."""
    layer.dir("usr/etc", mode=0o750)
    layer.put("usr/etc/extra", "extra\n")
    layer.symlink("etc", "usr/etc")


def no_etc(layer):
    """Fill a layer that takes /etc away."""
    layer.whiteout("etc")


OURS = ["hostname", "hosts", "resolv.conf"]
ETCS = {  # layers: attributes of /etc, other files in it
    "directory": ([etc_dir(0o2751, 7, "extra", "hosts")], "2751 7:8 directory", ["extra"]),
    "none": ([lambda layer: None], "755 0:0 directory", []),
    "two": ([etc_dir(0o700, 7, "low", "both"), etc_dir(0o751, 9, "both", "high")], "751 9:8 directory",
            ["both", "high", "low"]),
    "in the lower one only": ([etc_dir(0o751, 7, "low"), lambda layer: layer.put("x", "")], "751 7:8 directory",
                              ["low"]),
    "taken away": ([etc_dir(0o700, 7, "low"), no_etc], "755 0:0 directory", []),
    "link": ([etc_link], "777 0:0 symbolic link", ["extra"]),
    "link above a directory": ([etc_dir(0o700, 7, "low"), etc_link], "777 0:0 symbolic link", ["extra"]),
    "directory above a link": ([etc_link, etc_dir(0o751, 9, "high")], "751 9:8 directory", ["high"]),
}


@pytest.mark.parametrize("case", ETCS)
def test_files_of_ours_lie_beside_those_of_the_image(no_leaks, sbrun, hostile, case):
    """Its /etc stays as it is, files by the names of ours are hidden, and all is writable."""
    layers, attributes, others = ETCS[case]
    script = "stat -c '%a %u:%g %F' /etc; ls /etc; echo last >> /etc/hosts; grep -e localhost -e last /etc/hosts"
    out = sbrun.ok("run", "--rm", "-u", "0", hostile(*layers, without=["etc"]), "sh", "-c", script).out.splitlines()
    assert out == [attributes, *sorted(OURS + others), "127.0.0.1\tlocalhost",
                   "::1\tlocalhost ip6-localhost ip6-loopback", "last"]


def test_all_files_are_on_one_device(sandbox):
    """Those of the image, ours and new ones: tar --one-file-system(1) takes them all."""
    devices = sandbox().sh("echo x > /tmp/new; stat -c %d / /bin/busybox /etc/hosts /etc/passwd /tmp/new").split()
    assert len(devices) == 5 and len(set(devices)) == 1


def test_a_null_device_of_the_image_is_not_used(no_leaks, sbrun, hostile, canary):
    """T5: a link instead of /dev/null would be mounted over the masked paths (CVE-2025-31133)."""
    def fill(layer):
        layer.symlink("dev/null", f"{canary}/file")
        layer.symlink("dev/console", "/proc/sys/kernel/core_pattern")
        layer.symlink("dev/ptmx", f"{canary}/file")
    script = "echo changed > /dev/null; stat -c %t:%T /dev/null; cat /proc/kallsyms /dev/null"
    assert sbrun.ok("run", "--rm", hostile(fill), "sh", "-c", script).out == "1:3\n"


@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_a_working_directory_behind_a_link_is_not_made_outside(no_leaks, sbrun, hostile, canary, way):
    """T17."""
    target = str(canary) if way == "absolute" else "../../../../../../.." + str(canary)
    image = hostile(lambda layer: layer.symlink("work", target), WorkingDir="/work/made/here")
    out = refused_or_harmless(sbrun, image, "pwd; ls -A")
    assert out is None or "file" not in out


@pytest.mark.parametrize("path", ["/proc/self/fd/3", "/proc/1/root", "../../../../../.."])
def test_a_strange_working_directory_of_the_image_does_not_lead_out(no_leaks, sbrun, hostile, path):
    """T9: also for the image's own."""
    out = refused_or_harmless(sbrun, hostile(lambda layer: None, WorkingDir=path), "ls -A")
    assert out is None or set(out.split()) == {"bin", "dev", "etc", "proc", "sys", "tmp"}


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_a_fifo_for_the_user_database_does_not_hang(no_leaks, sbrun, hostile, name):
    """T15: refused at once in one line, and numbers help."""
    def fill(layer):
        if name == "group":
            layer.put("etc/passwd", "app:x:1000:1000::/:/bin/sh\n")
        layer.add(f"etc/{name}", tarfile.FIFOTYPE)
    image = hostile(fill)
    start = time.monotonic()
    result = sbrun("run", "--rm", "-u", "app", image, "id", "-u")
    assert result.rc in (125, 126) and result.err.count("\n") == 1 and f"/etc/{name}" in result.err, result.err
    assert time.monotonic() - start < 5
    # Not id(1), which reads the FIFO as well.
    assert "\nUid:\t1000\t" in sbrun.ok("run", "--rm", "-u", "1000:1000", image, "cat", "/proc/self/status").out


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_a_user_database_of_a_gibibyte_is_not_read(sandbox, hostile, name):
    """T15: the sandbox can make it that large at any time."""
    box = sandbox(image=hostile(lambda layer: layer.put("etc/passwd", "app:x:1000:1000::/:/bin/sh\n")))
    box.sh(f"truncate -s 1G /etc/{name}")
    start = time.monotonic()
    result = box.exec("id", "-u", flags=["-u", "app"])
    assert result.rc in (125, 126) and result.err.count("\n") == 1, result.err
    assert time.monotonic() - start < 2
    assert box.exec("id", "-u", flags=["-u", "1000:1000"]).out == "1000\n"


def test_an_image_variable_without_a_value_takes_none_from_the_host(sbrun, hostile):
    """T18: neither one nor all."""
    image = hostile(lambda layer: None, Env=["PATH=/bin", "HOST_SECRET", "*", "HOST_*", "GOOD=1"])
    result = sbrun("run", "--rm", image, "env", env={"HOST_SECRET": "leaked"})
    assert "leaked" not in result.out + result.err
    assert result.rc == 125 or "GOOD=1" in result.out.splitlines()


def test_labels_and_volumes_of_an_image_change_nothing(sbrun, hostile, canary):
    """T19: they are not policy."""
    image = hostile(lambda layer: None, Volumes={str(canary): {}}, StopSignal="SIGKILL", Labels={
        "io.containerd.runc.v2.group": "x", "sbrun.privileged": "true", "io.sbrun.hook": f"touch {canary}/owned",
        "org.opencontainers.image.ref.name": "busybox"})
    plain = sbrun.ok("run", "--rm", image, "sh", "-c", "cat /proc/self/status | grep -E 'Cap|Seccomp'; ls -A /").out
    assert "CapEff:\t" in plain and "canary" not in plain


def test_the_capability_mask_of_a_file_gives_nothing(sandbox, python_image):
    """Root inside may set one (setfcap); no_new_privs keeps it from working for others."""
    box = sandbox(image=python_image)
    box.sbrun.ok("files", "write", box.id, "/tmp/probe", stdin=lib.PROBE.read_bytes())
    python(box, "import os; os.chmod('/tmp/probe', 0o755); os.setxattr('/tmp/probe', 'security.capability', "
                "bytes.fromhex('0100000201000000000000000000000000000000'))")
    caps = caps_of(box.exec("/tmp/probe", "caps", flags=["-u", "1000:1000"]).json_lines())
    assert caps["effective"] == caps["permitted"] == set()
