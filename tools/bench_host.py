# SPDX-License-Identifier: Apache-2.0
"""What the section "images" of tools/bench needs of the host: a file system for the stores, and servers.

All mounts are in a mount namespace of ours, and all servers end with us, however we end.
"""
import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from bench_common import Failure, quietly

# What a repetition puts on the disk: about 1.3 GB by three programs of an image of 135 MB.
SPACE_PER_RUN = 3 << 29
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000  # sched.h, sys/mount.h


# ---- a place for the stores ---------------------------------------------------------------------------------

def kernel(result, what):
    """Raise what the C library says if @result is -1."""
    if result < 0:
        raise Failure(f"{what}: {os.strerror(ctypes.get_errno())}")


def mounts_below(path):
    """Return the mount points at and below @path, the last one first."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        points = [line.split()[4] for line in file]
    return [point for point in reversed(points) if point == path or point.startswith(path + "/")]


def unmount_below(path):
    """Unmount all at and below @path."""
    for point in mounts_below(path):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def make_filesystem(stack, runs):
    """Mount a new ext4 with a journal, in a sparse file that has no name any more. Return the mount point."""
    size = (runs + 3) * SPACE_PER_RUN
    work = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbrun-bench-", dir="/var/tmp"))
    free = shutil.disk_usage(work).free
    if free < size:
        raise Failure(f"/var/tmp has {free >> 30} GB free, {runs} runs need {size >> 30}: use -n or --scratch")
    image, point = os.path.join(work, "ext4"), os.path.join(work, "mnt")
    os.mkdir(point)
    with open(image, "wb") as file:
        file.truncate(size)
    # All of it is made now: a thread of the kernel would make the rest while we measure.
    quietly("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
    # Direct: what is written goes to the disk, as on one, instead of into the page cache once more.
    device = quietly("losetup", "--find", "--show", "--direct-io=on", image).strip()
    try:
        quietly("mount", device, point)
        stack.callback(unmount_below, point)
    finally:
        quietly("losetup", "--detach", device)  # with its last mount
    os.unlink(image)
    return point


def make_scratch(stack, args):
    """Return a directory for the stores and a line about it. All mounts are private to us from now on."""
    kernel(LIBC.unshare(CLONE_NEWNS), "make a mount namespace")
    kernel(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make the mounts private")
    if not args.scratch:
        return (make_filesystem(stack, args.runs),
                "a new ext4 with a journal on a loop file (direct I/O) in /var/tmp, the same for all programs")
    work = tempfile.mkdtemp(prefix="sbrun-bench-", dir=args.scratch)
    stack.callback(shutil.rmtree, work, ignore_errors=True)
    stack.callback(unmount_below, work)
    kind = quietly("findmnt", "-n", "-o", "FSTYPE", "--target", work).split()[-1]
    return work, f"{args.scratch} ({kind}), the same for all programs"


def settle(path):
    """Write back what the file system of @path has in memory: nobody pays for the one before."""
    fd = os.open(path, os.O_RDONLY)
    kernel(LIBC.syncfs(fd), f"sync '{path}'")
    os.close(fd)


# ---- daemons ------------------------------------------------------------------------------------------------

class Daemon:
    """A server in the background that ends with us."""

    def __init__(self, stack, words, log):
        with open(log, "wb") as file:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words], stdin=subprocess.DEVNULL,
                                            stdout=file, stderr=file, start_new_session=True)
        self.name, self.log = words[0], log
        stack.callback(self.stop)

    def await_socket(self, family, address):
        """Wait until it accepts connections."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
                probe.connect(address)
                return
            time.sleep(0.01)  # nothing tells us
        with open(self.log, encoding="utf-8", errors="replace") as file:
            said = file.read().strip().splitlines()[-1:]
        raise Failure(f"{self.name} does not answer: {' '.join(said)}")

    def cpu_ms(self):
        """Return the processor time of all its threads so far, and of the children it has waited for."""
        clock = (~self.process.pid << 3) | 2  # clock_getcpuclockid(3), as the C library makes it
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            children = sum(int(field) for field in file.read().rpartition(")")[2].split()[13:15])
        return time.clock_gettime(clock) * 1e3 + children * 1e3 / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def peak_kb(pid):
    """Return VmHWM of process @pid, 0 if it has ended."""
    with contextlib.suppress(OSError, AttributeError), open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
    return 0


class Registry:
    """Debian's docker-registry on both loopback addresses: podman cannot parse [::1]."""

    def __init__(self, stack, work):
        self.port = self.free_port()
        self.hosts = [f"[::1]:{self.port}", f"127.0.0.1:{self.port}"]
        self.daemons = []
        for number, (host, family) in enumerate(zip(self.hosts, (socket.AF_INET6, socket.AF_INET))):
            config = os.path.join(work, f"registry{number}.json")  # YAML has JSON in it
            with open(config, "w", encoding="utf-8") as file:
                json.dump({"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
                           "storage": {"filesystem": {"rootdirectory": os.path.join(work, "registry")}},
                           "http": {"addr": host}}, file)
            daemon = Daemon(stack, ["docker-registry", "serve", config], config + ".log")
            daemon.await_socket(family, (host.rpartition(":")[0].strip("[]"), self.port))
            self.daemons.append(daemon)

    @staticmethod
    def free_port():
        """Return a port that is free on both addresses."""
        for _ in range(100):
            with socket.socket(socket.AF_INET6) as six, socket.socket() as four, contextlib.suppress(OSError):
                six.bind(("::1", 0))
                four.bind(("127.0.0.1", six.getsockname()[1]))
                return six.getsockname()[1]
        raise Failure("there is no free port")

    def cpu_ms(self):
        """Return the processor time so far."""
        return sum(daemon.cpu_ms() for daemon in self.daemons)
