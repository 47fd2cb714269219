# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: running sbrun, waiting for events, comparing the host before and after.

Nothing here sleeps where there is an event to wait for; eventually() is for the few things of the kernel
that have none (a network namespace is taken down some time after its last process).
"""
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


class Sbrun:
    """The command under test, with a store and a state directory of its own."""

    def __init__(self, root, run):
        self.root, self.run = Path(root), Path(run)
        self.env = {**os.environ, "SBRUN_ROOT": str(root), "SBRUN_RUN": str(run)}

    def __call__(self, *args, stdin=b"", timeout=TIMEOUT_S, env=None, **options):
        """Run sbrun with @args to its end. @stdin: bytes, str, or a file. Never raises for an exit code."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        source = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run([BIN, *map(str, args)], capture_output=True, timeout=timeout, check=False,
                              env={**self.env, **(env or {})}, **source, **options)
        return Result([str(a) for a in args], done.returncode, done.stdout.decode("utf-8", "replace"),
                      done.stderr.decode("utf-8", "replace"), done.stdout)

    def ok(self, *args, **options):
        """Run sbrun with @args, which must succeed."""
        result = self(*args, **options)
        assert result.rc == 0, f"sbrun {' '.join(result.args)}: {result.rc}: {result.err}{result.out}"
        return result

    def start(self, *args, env=None, **options):
        """Start sbrun with @args and return the Popen; the caller ends it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([BIN, *map(str, args)], env={**self.env, **(env or {})}, **options)


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

def await_end(pid, timeout=TIMEOUT_S):
    """Wait until process @pid, which need not be ours, has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
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

def _json_of(*command):
    """Return the JSON that @command prints, or an empty list if it fails or prints none."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []


def links():
    """Return the names of the network interfaces."""
    return {link["ifname"] for link in _json_of("ip", "-j", "link")}


def routes():
    """Return the IPv6 routes of all tables, except those of interfaces' own link-local addresses."""
    return {(r["dst"], r.get("dev"), r.get("table", "main"))
            for r in _json_of("ip", "-6", "-j", "route", "show", "table", "all")
            if not r["dst"].startswith(("fe80::", "ff00::"))}


def nft_elements():
    """Return the elements of all nftables sets, as text."""
    ruleset = _json_of("nft", "-j", "list", "ruleset") or {"nftables": []}
    return {(entry[kind]["table"], entry[kind]["name"], json.dumps(element, sort_keys=True))
            for entry in ruleset["nftables"] for kind in ("set", "map") if kind in entry
            for element in entry[kind].get("elem", [])}


def cgroup_roots():
    """Return the cgroups in which sbrun keeps those of its sandboxes, in every hierarchy."""
    return set(Path("/sys/fs/cgroup").glob("**/sbrun")) | set(Path("/sys/fs/cgroup").glob("**/sbrun-*"))


def cgroups():
    """Return the cgroups of sandboxes."""
    return {str(path) for top in cgroup_roots() for path in top.glob("**/") if path != top}


def mounts():
    """Return the mount points of our mount namespace."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        return {line.split()[4] for line in file}


def processes():
    """Return (pid, name) of all processes of sbrun's programs."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "comm").read_text().strip()
            except OSError:
                continue  # it has just ended
            if name.startswith("sbrun"):
                found.add((int(entry.name), name))
    return found


SNAPSHOTS = {"links": links, "routes": routes, "nft elements": nft_elements, "cgroups": cgroups,
             "mounts": mounts, "processes": processes}


def host_state(sbrun=None):
    """Return what exists on the host now: {kind: set}; with @sbrun also what lies in its directories."""
    state = {kind: take() for kind, take in SNAPSHOTS.items()}
    if sbrun:
        state["state files"] = {str(path) for path in sbrun.run.glob("**/*")}
        state["sandbox directories"] = {str(path) for path in sbrun.root.glob("sandboxes/*")}
    return state


def leaks(before, after):
    """Return what is in @after and was not in @before: {kind: list}; empty if nothing leaked."""
    return {kind: sorted(after[kind] - before[kind]) for kind in after if after[kind] - before[kind]}


def assert_no_leaks(before, sbrun=None, timeout=5):
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
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)
    await_end(pid)
