#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Unpack an image with one of several tools and print the tree as a pickle of {path: tree.Entry}.

As a program, in a mount namespace that ends with it:
    peers.py sbrun STORE NAME...       the layers NAME... of the store, bottom first, as overlay joins them
    peers.py umoci LAYOUT              the image "test" of a layout
    peers.py podman LAYOUT             likewise
All that a tool writes lies in a tmpfs of the namespace; podman caches in /var/lib whatever its options say.
"""
import os
import pickle
import subprocess
import sys
from pathlib import Path

import tree

SCRATCH = Path("/mnt")


def run(*command):
    """Run a tool and return what it prints; what goes wrong is shown by our own end."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "HOME": str(SCRATCH), "TMPDIR": str(SCRATCH),
                               "CONTAINERS_CONF": str(SCRATCH / "containers.conf")})
    if done.returncode:
        sys.exit(f"{command[0]}: {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout.strip()


def sbrun(store, *names):
    """Join the layers as a sandbox does. Short relative names: the options of a mount are one page at most."""
    for number, name in enumerate(names):
        (SCRATCH / str(number)).symlink_to(Path(store) / "layers" / name)
    (SCRATCH / "empty").mkdir()
    (SCRATCH / "root").mkdir()
    os.chdir(SCRATCH)
    lowers = [str(number) for number in reversed(range(len(names)))] + ["empty"]
    run("mount", "-t", "overlay", "-o", "ro,lowerdir=" + ":".join(lowers), "overlay", "root")
    return SCRATCH / "root"


def umoci(layout):
    """Unpack into one directory."""
    run("umoci", "unpack", "--image", f"{layout}:test", SCRATCH / "bundle")
    return SCRATCH / "bundle/rootfs"


def podman(layout):
    """Pull into a storage of its own and mount the image."""
    # Its default are locks in shared memory, which is the host's.
    (SCRATCH / "containers.conf").write_text('[engine]\nlock_type = "file"\n')
    policy = SCRATCH / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    command = ["podman", "--root", SCRATCH / "storage", "--runroot", SCRATCH / "run", "--tmpdir", SCRATCH / "libpod",
               "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
               "--runtime", "/bin/true"]  # nothing is run, but it wants one
    image = run(*command, "pull", "-q", "--signature-policy", policy, f"oci:{layout}:test")
    return Path(run(*command, "image", "mount", image))


def main(argv):
    """See the module's text."""
    for point in (SCRATCH, "/var/lib"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", point)
    root = {"sbrun": sbrun, "umoci": umoci, "podman": podman}[argv[1]](*argv[2:])
    pickle.dump(tree.read(root), sys.stdout.buffer)


if __name__ == "__main__":
    main(sys.argv)
