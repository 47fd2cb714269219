# SPDX-License-Identifier: Apache-2.0
"""What the tests of sessions share: starting them, and finding their processes on the host."""
from pathlib import Path

import lib

# Shell scripts whose processes try to outlive their session.
TREES = {
    "child": "sleep 1000",
    "own session": "setsid sleep 1000 & wait",
    "double fork": "(setsid sh -c 'sleep 1000 & sleep 1000' &) ; sleep 1000",
    "ignores signals": "trap '' TERM INT HUP; sleep 1000 & (trap '' TERM; sleep 1000) & wait",
}


def start(sandbox, script, *flags, **options):
    """Start a shell script in @sandbox in the foreground, wait until it says "ready", return the client."""
    client = sandbox.sbrun.start("exec", *flags, sandbox.id, "sh", "-c", script, **options)
    lib.read_until(client.stdout, b"ready\n")
    return client


def finish(client):
    """Wait for the end of a client and return its exit code."""
    client.communicate(timeout=lib.TIMEOUT_S)
    return client.returncode


def background(sandbox, *command, flags=()):
    """Start a command in the background and return what addresses it."""
    return sandbox.sbrun.ok("exec", "-d", *flags, sandbox.id, *command).out.strip()


def record(sandbox, number):
    """Return what is known about a session of @sandbox."""
    return sandbox.sbrun.ok("inspect", f"{sandbox.id}/{number}").json()


def newest(sandbox):
    """Return the record of the session that was started last."""
    return sandbox.inspect()["execs"][-1]


def leaves(sandbox):
    """Return the cgroups of a sandbox's sessions; only the tracking hierarchy has them."""
    parent = sandbox.sbrun.cgroup_parent
    return [path for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
            for path in Path(top).glob(f"{parent}/{sandbox.id}/exec-*")]


def tree(sandbox, number):
    """Return the pids, on the host, of all processes of a session."""
    return [int(pid) for leaf in leaves(sandbox) if leaf.name == f"exec-{number}"
            for pid in (leaf / "cgroup.procs").read_text().split()]
