# SPDX-License-Identifier: Apache-2.0
"""What the tests of pulling share: reading what sbrun says, and looking into the store."""
import json
import os
import subprocess

import lib
import registry as registries

STATES = ["waiting", "present", "downloading", "unpacking", "done"]


def pull(sbrun, ref, *flags, **options):
    """Pull @ref, which must succeed, and return the digest of its manifest."""
    return sbrun.ok("pull", "--quiet", *flags, ref, **options).out.strip()


def events(sbrun, ref, *flags, **options):
    """Pull @ref, which must succeed, and return (events of layers, the last event)."""
    *layers, last = sbrun.ok("pull", "--json", *flags, ref, **options).json_lines()
    return layers, last


def refused(result, *words):
    """Check that a command failed as commands of sbrun fail: 125, one line on stderr, nothing on stdout.

    Each of @words must be in that line, in any case of letters; of a tuple one of its words.
    """
    assert result.rc == 125, f"{result.rc}: {result.out}{result.err}"
    assert result.out == "" and result.err.count("\n") == 1, result.out + result.err
    for word in words:
        choices = word if isinstance(word, tuple) else (word,)
        assert any(one.lower() in result.err.lower() for one in choices), f"no {word} in: {result.err}"


def refused_pull(sbrun, ref, *words, flags=(), **options):
    """Pull @ref, which must be refused as in refused(), and leave what is in the store as it was."""
    before = visible(sbrun)
    result = sbrun("pull", "--quiet", *flags, ref, **options)
    refused(result, *words)
    assert visible(sbrun) == before
    return result


def names(sbrun, kind):
    """Return the names in a directory of the store."""
    path = sbrun.root / kind
    return sorted(os.listdir(path)) if path.exists() else []


def visible(sbrun):
    """Return what a failed command must leave as it was; what a pull may keep are partial downloads."""
    return {kind: names(sbrun, kind) for kind in ("refs", "blobs", "layers", "tmp")}


def layers_in_store(sbrun):
    """Return the digests (diff_id) of the layers that are in the store."""
    return {name.replace("-", ":", 1) for name in names(sbrun, "layers") if "." not in name}


def partial(sbrun, digest):
    """Return the path of the unfinished download of a blob."""
    return sbrun.root / "partial" / digest.replace(":", "-", 1)


def diff_ids(image):
    """Return the digests of the layers of an ocimage.Image, as they are in the store."""
    return {layer.diff_id for layer in image.layers}


def references(sbrun):
    """Return {reference: digest} of the images in the store."""
    return {one["reference"]: one["digest"] for one in sbrun.ok("images", "--json").json()}


def configure(sbrun, folder, **settings):
    """Let @sbrun use a configuration of its own; docker.io stays blocked unless it says otherwise."""
    hosts = {"docker.io": {"blocked": True}, **settings.pop("registries", {})}
    path = folder / "config.json"
    path.write_text(json.dumps({"registries": hosts, **settings}))
    sbrun.env["SBRUN_CONFIG"] = str(path)
    return path


def auth_of(user=registries.USER, password=registries.PASSWORD):
    """Return an entry of "auths"."""
    return {"auth": registries.basic(user, password).removeprefix("Basic ")}


def write_auth(path, auths=None, **more):
    """Write a file with credentials as docker's and podman's are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**({"auths": auths} if auths is not None else {}), **more}))
    path.chmod(0o600)
    return path


class PrivateMounts:
    """A mount namespace with a tmpfs at @path, for what a full or read-only disk does. Ends with the block."""

    SCRIPT = 'mount -t tmpfs -o "size=$2,mode=700" tmpfs "$1" && echo ready && read -r _'

    def __init__(self, path, size):
        path.mkdir(exist_ok=True)
        self.path = path
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
             "sh", "-c", self.SCRIPT, "sh", path, size], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdin.close()
        self.holder.stdout.close()

    @property
    def enter(self):
        """The beginning of a command line that runs a command there."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"]

    @property
    def seen(self):
        """The path of the tmpfs as it is seen from here."""
        return type(self.path)(f"/proc/{self.holder.pid}/root{self.path}")

    def remount(self, options):
        """Change the tmpfs: "size=64m", "ro"."""
        # Busy while the kernel still takes down the mount namespace of a process that has ended.
        lib.eventually(lambda: subprocess.run([*self.enter, "mount", "-o", "remount," + options, self.path],
                                              check=False, stderr=subprocess.DEVNULL).returncode == 0)
