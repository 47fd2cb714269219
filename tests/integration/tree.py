# SPDX-License-Identifier: Apache-2.0
"""Directory trees as data: every attribute of every file, for comparing one tree with another or with its past."""
import hashlib
import os
import stat
from dataclasses import dataclass, replace

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


@dataclass(frozen=True)
class Entry:
    """One file. @links: the first path of the same file, if it has several names; @data: see content()."""
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int
    nlink: int
    data: object
    links: str
    xattrs: tuple


def content(path, kind, st):
    """What a file holds: digest, target of a link, numbers of a device, else None."""
    if kind == "file":
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NOFOLLOW)) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if kind == "link":
        return os.fsdecode(os.readlink(path))
    return (os.major(st.st_rdev), os.minor(st.st_rdev)) if kind in ("char", "block") else None


def xattrs_of(path):
    """Return the extended attributes of @path itself as sorted pairs."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:  # no such thing on this kind of file
        return ()
    return tuple(sorted((name, os.getxattr(path, name, follow_symlinks=False)) for name in names))


def paths(top):
    """Yield @top and all below it, parents first, without following links or leaving the file system."""
    top = os.fsencode(top)
    pending = [top]
    while pending:
        folder = pending.pop()
        yield folder
        if stat.S_ISDIR(os.lstat(folder).st_mode):
            pending += [os.path.join(folder, name) for name in sorted(os.listdir(folder), reverse=True)]


def read(top):
    """Return {path relative to @top: Entry}; "." is @top itself."""
    tree, inodes = {}, {}
    for path in paths(top):
        name = os.fsdecode(os.path.relpath(path, os.fsencode(top)))
        st = os.lstat(path)
        kind = KINDS[stat.S_IFMT(st.st_mode)]
        first = inodes.setdefault((st.st_dev, st.st_ino), name) if kind != "dir" and st.st_nlink > 1 else ""
        tree[name] = Entry(kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid,
                           st.st_size if kind == "file" else 0, st.st_mtime_ns, st.st_ctime_ns, st.st_nlink,
                           content(path, kind, st), first, xattrs_of(path))
    return tree


def differences(one, other, ignore=()):
    """Return what differs between two trees, {path: {field: (one, other)}}; fields in @ignore don't count."""
    found = {}
    for path in sorted(one.keys() | other.keys()):
        if path not in one or path not in other:
            found[path] = {"exists": (path in one, path in other)}
            continue
        a, b = one[path], other[path]
        fields = {field: (getattr(a, field), getattr(b, field)) for field in a.__dataclass_fields__
                  if field not in ignore and getattr(a, field) != getattr(b, field)}
        if fields:
            found[path] = fields
    return found


def without(tree, *names):
    """Return @tree without the times of the directories @names, which change when files come and go in them."""
    return {path: replace(entry, mtime_ns=0, ctime_ns=0, nlink=0) if path in names else entry
            for path, entry in tree.items()}
