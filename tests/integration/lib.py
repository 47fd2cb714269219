# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: running sbrun, waiting for events, comparing the host before and after.

Nothing here sleeps where there is an event to wait for; eventually() is for the few things of the kernel
that have none (a network namespace is taken down some time after its last process).
"""
import errno
import functools
import ipaddress
import json
import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("SBRUN_BIN", REPO / "build/dev/bin/sbrun"))
PROBE = Path(os.environ.get("SBRUN_PROBE", BIN.parent / "sbrun-probe"))
TIMEOUT_S = 30
# A sanitizer's runtime calls what the filter of the unpacker forbids, and reports on standard error.
SANITIZED = b"__asan_init" in (BIN.parent / "sbrun-image").read_bytes()
# The configuration unless a test gives its own: nothing is ever fetched from outside.
CONFIG = Path(__file__).with_name("config.json")


@dataclass
class Result:
    """What a finished command left: exit code, stdout and stderr (text, broken bytes replaced)."""
    args: list
    rc: int
    out: str
    err: str
    raw: bytes

    def json(self):
        """Return stdout, which must be one JSON value."""
        return json.loads(self.out)

    def json_lines(self):
        """Return stdout, which must be one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Process(subprocess.Popen):
    """A command that is running. Leaving its `with` block by a failed check kills it instead of waiting."""

    def __exit__(self, kind, value, traceback):
        if kind:
            self.kill()
        super().__exit__(kind, value, traceback)


class Sbrun:
    """The command under test, with a store and a state directory of its own."""

    def __init__(self, root, run):
        self.root, self.run = Path(root), Path(run)
        self.env = {**os.environ, "SBRUN_ROOT": str(root), "SBRUN_RUN": str(run), "SBRUN_CONFIG": str(CONFIG)}
        self.program = [BIN]  # may be called through another program

    @property
    def _suffix(self):
        """What tells homes apart: runtime/sandbox/home.c, 32-bit FNV-1a of the state directory's path."""
        number = 2166136261
        for byte in os.fsencode(self.run):
            number = (number ^ byte) * 16777619 & 0xffffffff
        return f"-{number:08x}"

    @property
    def cgroup_parent(self):
        """The cgroup of its sandboxes in every hierarchy."""
        return "sbrun" + self._suffix

    @property
    def data(self):
        """The directory of its sandboxes' writable layers and logs."""
        return self.root / ("sandboxes" + self._suffix)

    @functools.cached_property
    def network(self):
        """The prefix of its addresses, as an ipaddress network."""
        return ipaddress.ip_network(self.ok("info", "--json").json()["prefix"] + "/48")

    def __call__(self, *args, stdin=b"", timeout=TIMEOUT_S, env=None, **options):
        """Run sbrun with @args to its end. @stdin: bytes, str, or a file. Never raises for an exit code."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        source = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run([*self.program, *map(str, args)], capture_output=True, timeout=timeout, check=False,
                              env={**self.env, **(env or {})}, **source, **options)
        return Result([str(a) for a in args], done.returncode, done.stdout.decode("utf-8", "replace"),
                      done.stderr.decode("utf-8", "replace"), done.stdout)

    def ok(self, *args, **options):
        """Run sbrun with @args, which must succeed."""
        result = self(*args, **options)
        assert result.rc == 0, f"sbrun {' '.join(result.args)}: {result.rc}: {result.err}{result.out}"
        return result

    def start(self, *args, env=None, **options):
        """Start sbrun with @args and return the Process; the caller ends it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return Process([*self.program, *map(str, args)], env={**self.env, **(env or {})}, **options)


class Sandbox:
    """A sandbox made by the sandbox fixture, which removes it."""

    def __init__(self, sbrun, sandbox_id):
        self.sbrun, self.id = sbrun, sandbox_id

    def __str__(self):
        return self.id

    def exec(self, *args, **options):
        """Run a command in it; options of `sbrun exec` go before the command in @args via flags=[...]."""
        flags = options.pop("flags", [])
        return self.sbrun("exec", *flags, self.id, *args, **options)

    def sh(self, script, **options):
        """Run a shell script in it, which must succeed, and return its output without the last newline."""
        result = self.exec("sh", "-c", script, **options)
        assert result.rc == 0, f"{script!r}: {result.rc}: {result.err}{result.out}"
        return result.out.rstrip("\n")

    def inspect(self):
        """Return what `sbrun inspect` says."""
        return self.sbrun.ok("inspect", self.id).json()

    def write(self, path, data):
        """Write @data to @path in it."""
        self.sbrun.ok("files", "write", self.id, path, stdin=data)

    def probe(self, *topics):
        """Run the probe in it and return its objects."""
        self.sbrun.ok("files", "write", self.id, "/tmp/probe", stdin=PROBE.read_bytes())
        self.sh("chmod 755 /tmp/probe")
        result = self.exec("/tmp/probe", *topics)
        assert result.rc == 0, result.err
        return result.json_lines()


# ---- waiting ------------------------------------------------------------------------------------------------

def open_process(pid):
    """Return a pidfd of process @pid, or None if it has ended."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        # EINVAL: it is ending this moment (seen on Linux 6.1).
        if error.errno not in (errno.ESRCH, errno.EINVAL):
            raise
        return None


def await_end(pid, timeout=TIMEOUT_S):
    """Wait until process @pid, which need not be ours, has ended."""
    fd = open_process(pid)
    if fd is None:
        return
    try:
        assert select.select([fd], [], [], timeout)[0], f"process {pid} still runs after {timeout} s"
    finally:
        os.close(fd)


def read_until(stream, text, timeout=TIMEOUT_S):
    """Read from @stream, a pipe or terminal, until @text (bytes) has come; return all that came."""
    fd = stream if isinstance(stream, int) else stream.fileno()
    deadline, data = time.monotonic() + timeout, b""
    while text not in data:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([fd], [], [], left)[0], f"no {text!r} in {data!r}"
        try:
            chunk = os.read(fd, 65536)
        except OSError:  # EIO: the other side of a terminal is closed
            chunk = b""
        assert chunk, f"end without {text!r} after {data!r}"
        data += chunk
    return data


def eventually(check, timeout=5):
    """Return the first true result of check(); for what the kernel does some time later without an event."""
    deadline = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, f"not true within {timeout} s: {check}"
        time.sleep(0.01)


def fetch(address, port, request=b"GET / HTTP/1.0\r\n\r\n", timeout=TIMEOUT_S):
    """Send @request to [address]:port over IPv6 and return the whole answer."""
    with socket.create_connection((address, port), timeout) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# ---- the host before and after ------------------------------------------------------------------------------
# Only what can belong to the place (home) of one Sbrun is looked at: other sessions may run beside this one.

def json_of(*command):
    """Return the JSON that @command prints, or an empty list if it fails or prints none."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []


def _all_routes():
    return [r for r in json_of("ip", "-6", "-j", "route", "show", "table", "all")
            if not r["dst"].startswith(("fe80::", "ff00::", "default"))]


def _in_network(text, network):
    return ipaddress.ip_network(text, strict=False).subnet_of(network)


def links(sbrun):
    """Return sandboxes' network interfaces, but for those with a route to somebody else's sandbox."""
    network = sbrun.network
    foreign = {r.get("dev") for r in _all_routes() if not _in_network(r["dst"], network)}
    return {link["ifname"] for link in json_of("ip", "-j", "link")
            if link["ifname"].startswith("sb")} - foreign


def routes(sbrun):
    """Return the routes of all tables to addresses of @sbrun's prefix."""
    network = sbrun.network
    return {(r["dst"], r.get("dev"), r.get("table", "main")) for r in _all_routes()
            if _in_network(r["dst"], network)}


def nft_elements(sbrun):
    """Return the addresses of @sbrun's prefix in sets of nftables."""
    network = sbrun.network
    ruleset = json_of("nft", "-j", "list", "ruleset") or {"nftables": []}
    return {(entry[kind]["table"], entry[kind]["name"], element)
            for entry in ruleset["nftables"] for kind in ("set", "map") if kind in entry
            for element in entry[kind].get("elem", [])
            if isinstance(element, str) and ":" in element and _in_network(element, network)}


def below(top):
    """Return the paths of all that lies below @top; it may change meanwhile."""
    return {os.path.join(folder, name) for folder, folders, files in os.walk(top) for name in folders + files}


def cgroups(sbrun):
    """Return the cgroups of @sbrun's sandboxes in every hierarchy."""
    mount = Path("/sys/fs/cgroup")
    tops = [hierarchy / sbrun.cgroup_parent for hierarchy in [mount, *mount.iterdir()]]
    return {folder for top in tops for folder, _, _ in os.walk(top) if folder != str(top)}


def mounts(sbrun):
    """Return the mount points of our mount namespace in @sbrun's directories, and all of namespaces."""
    found = set()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            point = line.split()[4]
            if " - nsfs " in line or Path(point).is_relative_to(sbrun.run) or \
                    Path(point).is_relative_to(sbrun.root):
                found.add(point)
    return found


def _is_for_others_to_reap(entry):
    """Whether the process of @entry, in /proc, is dead and no program of ours is its parent."""
    state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
    return state == "Z" and not Path(f"/proc/{parent}/comm").read_text(errors="replace").startswith("sbrun")


def processes(sbrun):
    """Return (pid, name) of all processes in @sbrun's cgroups, and of its programs."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "comm").read_text(errors="replace").strip()
            is_ours = name.startswith("sbrun") and \
                f"SBRUN_RUN={sbrun.run}\0".encode() in (entry / "environ").read_bytes()
            if (is_ours or f"/{sbrun.cgroup_parent}/" in (entry / "cgroup").read_text(errors="replace")) and \
                    not _is_for_others_to_reap(entry):
                found.add((int(entry.name), name))
        except OSError:
            continue  # it has just ended
    return found


def namespaces(sbrun):
    """Return the namespaces that @sbrun's processes are in."""
    found = set()
    for pid, _ in processes(sbrun):
        try:
            found |= {os.readlink(link) for link in Path(f"/proc/{pid}/ns").iterdir()}
        except OSError:
            continue  # it has just ended
    return found


SNAPSHOTS = {"links": links, "routes": routes, "nft elements": nft_elements, "cgroups": cgroups,
             "mounts": mounts, "processes": processes, "namespaces": namespaces,
             "state files": lambda sbrun: below(sbrun.run),
             "sandbox directories": lambda sbrun: set(os.listdir(sbrun.data))}


def host_state(sbrun):
    """Return what exists of @sbrun's sandboxes on the host now: {kind: set}."""
    return {kind: take(sbrun) for kind, take in SNAPSHOTS.items()}


def leaks(before, after):
    """Return what is in @after and was not in @before: {kind: list}; empty if nothing leaked."""
    return {kind: sorted(after[kind] - before[kind]) for kind in after if after[kind] - before[kind]}


def assert_no_leaks(before, sbrun, timeout=5):
    """Fail unless all that was not there @before has gone, at the latest after @timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        found = leaks(before, host_state(sbrun))
        if not found:
            return
        assert time.monotonic() < deadline, f"left behind: {found}"
        time.sleep(0.02)


# ---- processes of the host ----------------------------------------------------------------------------------

def kill(pid):
    """Kill process @pid with SIGKILL and wait until it has ended."""
    fd = open_process(pid)
    if fd is None:
        return
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)
    await_end(pid)
