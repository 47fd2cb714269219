#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile image archives: what attackers have put into images, and what must become of it.

As a program:  hostile.py OUT CANARY
    OUT      directory; each case is written to OUT/NAME, the verdicts to OUT/expected.tsv
    CANARY   directory that the archives aim at; it must stay as it is whatever unpacks them

Never give them to an unpacker that nobody has confined: some unpackers of the day delete directories beside
their own. Classes of attack and where they were seen: CVE-2017-14992 and CVE-2025-64329 (bombs), CVE-2018-15664,
CVE-2021-32760 and CVE-2025-11395 (links), CVE-2021-29136 (the root as a link), CVE-2021-41190 (ambiguous
manifests), CVE-2024-3727 (digests as paths), CVE-2024-40635 (user ids), CVE-2020-15157 (urls).

A case is a function that gets what it fills or where to write, and a verdict: refused(words), one of which the
only line on standard error has, or harmless(tree), the layer directory that comes out. Standard library only.
"""
import gzip
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from archive import (ARCH, BLK, BLOCK, CHAR, FIFO, FILE, HARD, MEDIA, MIB, PLAIN_TREE, SYM, ZEROS, ZSTD_BLOCK_MAX,
                     ZSTD_MAGIC, Tape, blob_path, gz, gz_repeated, header, number, plain_layer, put_blob, write_docker,
                     write_image, zstd, zstd_block, zstd_raw)

UP = "../" * 12  # more than any directory of a store is deep
CASES = {}


@dataclass
class Case:
    """One archive.

    @make(out, canary) writes it to the path @out; @words and @tree: see refused, harmless; @named: whether it
    is loaded under a name that the user gives, or under those that it has itself.
    """
    name: str
    make: Callable
    words: tuple = ()
    tree: dict = None
    named: bool = True

    @property
    def verdict(self):
        """"refused" or "harmless"."""
        return "harmless" if self.tree is not None else "refused"


def refused(*words):
    """Loading fails; the line that says so has one of @words."""
    return {"words": words}


def harmless(tree):
    """Loading works; @tree is {path: what it starts with} of all that is in the last layer, see describe()."""
    return {"tree": tree}


def unnamed(verdict):
    """@verdict, when the names are those of the archive."""
    return {**verdict, "named": False}


def add_case(name, make, verdict):
    """Register a case; names are unique."""
    name = name.replace("_", "-")
    assert name not in CASES, name
    CASES[name] = Case(name, make, **verdict)


# ---- cases of every kind --------------------------------------------------------------------------------------

def layer_case(verdict, name=None):
    """Decorate fill(tape, canary): a layout with one layer of what it puts on the tape."""
    def wrap(fill):
        def make(out, canary):
            tape = Tape()
            data = fill(tape, canary)
            write_image(out, [data if data is not None else tape.end()])
        add_case("layer-" + (name or fill.__name__), make, verdict)
        return fill
    return wrap


def case(verdict):
    """Decorate make(out, canary), which writes everything itself."""
    return lambda make: add_case(make.__name__, make, verdict)


def image_case(name, verdict, **changes):
    """A layout that differs from a good one by @changes, see write_image()."""
    add_case(name, lambda out, canary: write_image(out, **changes), verdict)


def docker_case(name, verdict, **changes):
    """A docker-archive that differs from a good one by @changes, see write_docker()."""
    add_case(name, lambda out, canary: write_docker(out, **changes), verdict)


# ---- names and links -----------------------------------------------------------------------------------------

OUTSIDE = refused("'..'")
THROUGH_LINK = refused("symbolic link")
NOT_HERE = refused("not in this layer")


@layer_case(OUTSIDE)
def dotdot(tape, canary):
    """The classic: CVE-2014-9356 and before."""
    tape.add(f"{UP}{str(canary)[1:]}/new", body=b"evil")


@layer_case(OUTSIDE)
def dotdot_inside(tape, _canary):
    """Even where it would not leave the layer."""
    tape.dir("a")
    tape.add("a/../b")


@layer_case(OUTSIDE)
def dotdot_at_the_end(tape, _canary):
    """As the last component."""
    tape.dir("a/..")


@layer_case(OUTSIDE)
def dotdot_beside(tape, _canary):
    """A file beside the layer directory."""
    tape.add("../evil", body=b"evil")


@layer_case(harmless({"tmp": "dir", "tmp/x": "file b'x'", "y": "file b'y'"}))
def absolute_names(tape, _canary):
    """Names that begin with slashes are relative to the root of the image."""
    tape.add("/tmp/x", body=b"x")
    tape.add("///y", body=b"y")


@layer_case(harmless({"a": "dir", "a/b": "file b'1'"}))
def dots_and_slashes(tape, _canary):
    """"." and empty components mean nothing."""
    tape.add("././a//./b", body=b"1")


@layer_case(THROUGH_LINK)
def file_through_symlink(tape, canary):
    """A link to a directory of the host, and a file below it."""
    tape.sym("d", canary)
    tape.add("d/file", body=b"evil")


@layer_case(THROUGH_LINK)
def file_through_relative_symlink(tape, canary):
    """The same with "..": a chroot would stop the absolute one only."""
    tape.sym("d", UP + str(canary)[1:])
    tape.add("d/new", body=b"evil")


@layer_case(THROUGH_LINK)
def file_through_chain(tape, canary):
    """Links to links."""
    tape.sym("a", canary)
    tape.sym("b", "a")
    tape.dir("c")
    tape.sym("c/d", "../b")
    tape.add("c/d/new", body=b"evil")


@layer_case(THROUGH_LINK)
def file_through_symlink_inside(tape, _canary):
    """Engines disagree on what this means, so it means nothing."""
    tape.dir("real")
    tape.sym("d", "real")
    tape.add("d/x")


@layer_case(THROUGH_LINK)
def dir_through_symlink(tape, canary):
    """A directory below a link, with another mode."""
    tape.sym("d", canary)
    tape.dir("d/dir", mode=0o777)


@layer_case(THROUGH_LINK)
def symlink_through_symlink(tape, canary):
    """A link below a link."""
    tape.sym("d", canary)
    tape.sym("d/evil", "/etc/passwd")


@layer_case(THROUGH_LINK)
def device_through_symlink(tape, canary):
    """A device below a link."""
    tape.sym("d", canary)
    tape.add("d/mem", CHAR, dev=(1, 1), mode=0o666)


@layer_case(THROUGH_LINK)
def directory_swapped_for_symlink(tape, canary):
    """A directory that was fine for one entry is a link at the next: CVE-2025-11395."""
    tape.dir("d")
    tape.add("d/one")
    tape.sym("d", canary)
    tape.add("d/file", body=b"evil")


@layer_case(THROUGH_LINK)
def directory_swapped_for_hard_link_to_symlink(tape, canary):
    """The same by a hard link."""
    tape.sym("l", canary)
    tape.dir("d")
    tape.add("d/one")
    tape.hard("d", "l")
    tape.add("d/file", body=b"evil")


@layer_case(harmless({"l": "file b'mine' 600"}))
def file_over_symlink(tape, canary):
    """The link is replaced, not written through."""
    tape.sym("l", canary / "file")
    tape.add("l", body=b"mine", mode=0o600)


@layer_case(harmless({"l": "dir 711", "l/x": "file b'x'"}))
def dir_over_symlink(tape, canary):
    """A directory entry does not take a link for its directory, nor give its mode to what it points to."""
    tape.sym("l", canary)
    tape.dir("l", mode=0o711)
    tape.add("l/x", body=b"x")


@layer_case(harmless({"l": "char 1,3 606 7:7"}))
def device_over_symlink(tape, canary):
    """chmod and chown of a device must not follow what was there."""
    tape.sym("l", canary / "file")
    tape.add("l", CHAR, dev=(1, 3), mode=0o606, uid=7, gid=7)


@layer_case(harmless({"l": "fifo 606 7:7"}))
def fifo_over_symlink(tape, canary):
    """Nor those of a FIFO."""
    tape.sym("l", canary / "file")
    tape.add("l", FIFO, mode=0o606, uid=7, gid=7)


@layer_case(harmless({"l": "link -> /nowhere 0:0", "h": "link -> /nowhere 0:0"}))
def chmod_through_hard_link_to_symlink(tape, _canary):
    """CVE-2021-32760: mode, owner and time of a hard link went to what a symbolic link points to."""
    tape.sym("l", "/nowhere")
    tape.hard("h", "l", mode=0o4777, uid=5, gid=5, mtime=1)


@layer_case(harmless({"l": "link -> {canary}/file 0:0", "h": "file b'mine'"}))
def write_through_hard_link_to_symlink(tape, canary):
    """A file over a hard link to a link."""
    tape.sym("l", canary / "file")
    tape.hard("h", "l", mode=0o4777, uid=5)
    tape.add("h", body=b"mine")


@layer_case(harmless({"l": "link -> {canary}/file 9:9"}))
def attributes_through_symlink(tape, canary):
    """Owner and time are those of the link; it has no mode and no attributes."""
    tape.pax(("SCHILY.xattr.user.evil", "1"), ("mtime", "1.5"))
    tape.sym("l", canary / "file", uid=9, gid=9)


@layer_case(OUTSIDE)
def hard_link_dotdot(tape, canary):
    """To a file of the host: reading it, and writing through it."""
    tape.hard("h", f"{UP}{str(canary)[1:]}/file")
    tape.add("h", body=b"evil")


@layer_case(NOT_HERE)
def hard_link_absolute(tape, canary):
    """The path is one inside the layer."""
    tape.hard("h", canary / "file")


@layer_case(NOT_HERE)
def hard_link_through_symlink(tape, canary):
    """CVE-2025-47290 and others."""
    tape.sym("d", canary)
    tape.hard("h", "d/file")


@layer_case(THROUGH_LINK)
def hard_link_placed_through_symlink(tape, canary):
    """The new name lies behind the link."""
    tape.sym("d", canary)
    tape.add("a")
    tape.hard("d/new", "a")


@layer_case(refused("itself"))
def hard_link_to_itself(tape, _canary):
    """Its removal would be the loss of the file."""
    tape.add("a", body=b"1")
    tape.hard("a", "./a")


@layer_case(refused("directory"))
def hard_link_to_directory(tape, _canary):
    """Loops in the tree."""
    tape.dir("d")
    tape.hard("d/e", "d")


@layer_case(refused("directory", "hard link"))
def hard_link_to_root(tape, _canary):
    """The root by its name."""
    tape.hard("r", "/")


@layer_case(NOT_HERE)
def hard_link_to_later_file(tape, _canary):
    """The target comes after it."""
    tape.hard("h", "later")
    tape.add("later")


@layer_case(NOT_HERE)
def hard_link_to_whiteout(tape, _canary):
    """It would be a device 0/0 in the merged tree."""
    tape.add(".wh.gone")
    tape.hard("h", "gone")


@layer_case(refused("hard link"))
def hard_link_over_its_own_target(tape, _canary):
    """The directory it replaces holds what it links to."""
    tape.dir("d")
    tape.add("d/x")
    tape.hard("d", "d/x")


@layer_case(harmless({"a": "file b'1'", "h": "file b'1'", "smuggled": "file b''"}))
def hard_link_with_size(tape, _canary):
    """The size of a link means no content, so what follows is the next entry, as all engines read it."""
    tape.add("a", body=b"1")
    tape.hard("h", "a", size=BLOCK)
    tape.add("smuggled")


for kind_name, kind_flag in {"symlink": SYM, "fifo": FIFO, "device": CHAR, "hard_link": HARD, "file": FILE}.items():
    for shown, root in {"dot": ".", "slash": "/", "dot_slash_dot": "./."}.items():
        # A file with a slash at the end of its name is a directory, as before ustar.
        @layer_case(harmless({".": "dir 644 0:0", "a": "file"}) if (root, kind_flag) == ("/", FILE)
                    else refused("root"), f"root_{shown}_is_{kind_name}")
        def root_is_other(tape, canary, flag=kind_flag, root_name=root):
            """CVE-2021-29136: the root itself is replaced."""
            tape.add("a")
            tape.add(root_name, flag, link="a" if flag == HARD else canary, dev=(1, 3))


@layer_case(harmless({".": "dir 700 3:4", "a": "file b''"}))
def root_has_attributes(tape, _canary):
    """A root entry that is a directory is fine."""
    tape.dir("./", mode=0o700, uid=3, gid=4)
    tape.add("a")


PARENT = refused("not a directory")


@layer_case(PARENT)
def parent_is_file(tape, _canary):
    """A file is no directory."""
    tape.add("f")
    tape.add("f/x")


@layer_case(PARENT)
def parent_is_fifo(tape, _canary):
    """Opening it would hang."""
    tape.add("f", FIFO)
    tape.add("f/x/y")


@layer_case(PARENT)
def parent_is_device(tape, _canary):
    """Opening it would have effects."""
    tape.add("f", CHAR, dev=(1, 5))
    tape.dir("f/x")


@layer_case(harmless({"d": "file b'now'", "e": "dir", "e/x": "file b'2'"}))
def kinds_change(tape, _canary):
    """Directory to file, file to directory, with content, within one layer."""
    tape.dir("d")
    tape.add("d/x", body=b"1")
    tape.add("d", body=b"now")
    tape.add("e")
    tape.dir("e")
    tape.add("e/x", body=b"2")


@layer_case(harmless({"a": "file b'second' 600 1:1", "d": "dir 711", "d/x": "file b''"}))
def duplicates(tape, _canary):
    """The last one wins; a directory keeps what is in it."""
    tape.add("a", body=b"first", mode=0o4777)
    tape.dir("d")
    tape.add("d/x")
    tape.add("a", body=b"second", mode=0o600, uid=1, gid=1)
    tape.dir("d", mode=0o711)


ODD_NAMES = [b"\xff\xfe", b"new\nline", b"tab\t", b"\x1b[2J", b"back\\slash", b"\xe6\x97\xa5", b"-rf", b"*", b" "]


@layer_case(harmless({os.fsdecode(name): "file b'odd'" for name in ODD_NAMES}))
def odd_names(tape, _canary):
    """Linux allows all bytes but NUL and slash, UTF-8 or not."""
    for name in ODD_NAMES:
        tape.add(name, body=b"odd")


@layer_case(refused("no name"))
def empty_name(tape, _canary):
    """Nothing to make."""
    tape.add("")


@layer_case(refused("255"))
def name_too_long(tape, _canary):
    """One byte more than NAME_MAX."""
    tape.pax(("path", "n" * 256))
    tape.add("x")


@layer_case(refused("255"))
def gnu_name_too_long(tape, _canary):
    """The same by GNU's header."""
    tape.gnu(b"L", "n" * 300)
    tape.add("x")


LONG = "/".join(["n" * 200] * 21)


@layer_case(refused("longer than 4095"))
def path_too_long(tape, _canary):
    """PATH_MAX, by pax."""
    tape.pax(("path", LONG))
    tape.add("x")


@layer_case(refused("longer than 4095"))
def gnu_path_too_long(tape, _canary):
    """PATH_MAX, by GNU."""
    tape.gnu(b"L", LONG)
    tape.add("x")


@layer_case(refused("longer than 4095"))
def link_target_too_long(tape, _canary):
    """As a target."""
    tape.pax(("linkpath", LONG))
    tape.sym("x", "")


@layer_case(refused("longer than 4095"))
def hard_link_target_too_long(tape, _canary):
    """Of a hard link, by GNU."""
    tape.gnu(b"K", LONG)
    tape.hard("x", "")


@layer_case(refused("target"))
def symlink_without_target(tape, _canary):
    """symlink(2) has no such thing."""
    tape.sym("x", "")


@layer_case(refused("components"))
def too_deep(tape, _canary):
    """Deep trees are slow to walk and to remove."""
    tape.pax(("path", "/".join("d" * 300)))
    tape.add("x")


@layer_case(harmless({"/".join("d" * i): "dir" for i in range(1, 257)}))
def deep(tape, _canary):
    """As deep as is allowed."""
    tape.pax(("path", "/".join("d" * 256)))
    tape.dir("x")


# ---- whiteouts -----------------------------------------------------------------------------------------------

for shown, bad in (("nothing", ".wh."), ("dot", ".wh.."), ("dotdot", ".wh..."), ("dotdot_below", "d/.wh..."),
                   ("dot_below", "d/.wh..")):
    @layer_case(refused("whiteout"), f"whiteout_of_{shown}")
    def bad_whiteout(tape, _canary, name=bad):
        """An unpacker of 2022 deletes the directory above its root for ".wh...": names without a file."""
        tape.dir("d")
        tape.add(name)


for shown, bad in (("", ".wh.d/x"), ("_of_nothing", ".wh./x"), ("_of_dotdot", ".wh.../x")):
    @layer_case(refused("whiteout"), f"below_whiteout{shown}")
    def below_whiteout(tape, _canary, name=bad):
        """A whiteout is not a directory."""
        tape.add(name)


@layer_case(THROUGH_LINK)
def whiteout_through_symlink(tape, canary):
    """Would delete a file of the host."""
    tape.sym("d", canary)
    tape.add("d/.wh.file")


@layer_case(THROUGH_LINK)
def opaque_through_symlink(tape, canary):
    """Would empty a directory of the host."""
    tape.sym("d", canary)
    tape.add("d/.wh..wh..opq")


@layer_case(harmless({"target": "file", "a": "whiteout", "b": "whiteout", "c": "whiteout", "d": "whiteout"}))
def whiteouts_of_other_kinds(tape, canary):
    """The name decides; a link under it points nowhere."""
    tape.add("target")
    tape.sym(".wh.a", canary / "file")
    tape.hard(".wh.b", "target")
    tape.dir(".wh.c")
    tape.add(".wh.d", CHAR, dev=(1, 1))


@layer_case(harmless({"d": "dir opaque"}))
def opaque_is_symlink(tape, canary):
    """The name decides here too."""
    tape.dir("d")
    tape.sym("d/.wh..wh..opq", canary)


@layer_case(harmless({"a": "file b'1'", "b": "file b'1'", "d": "dir opaque", "d/x": "file b''"}))
def whiteouts_beside_what_they_name(tape, _canary):
    """They speak about lower layers, wherever they stand (image-spec layer.md, "Whiteouts")."""
    tape.add(".wh.a")
    tape.add("a", body=b"1")
    tape.add("b", body=b"1")
    tape.add(".wh.b")
    tape.add("d/x")
    tape.add(".wh.d")


@layer_case(harmless({"d": "dir opaque", "d/x": "file b''"}))
def opaque_after_siblings(tape, _canary):
    """It hides lower layers only, whatever comes first."""
    tape.dir("d")
    tape.add("d/x")
    tape.add("d/.wh..wh..opq")


@layer_case(harmless({"a": "file b'1'"}))
def aufs_files(tape, _canary):
    """AUFS's own are left out."""
    tape.add(".wh..wh.aufs")
    tape.dir(".wh..wh.plnk")
    tape.add(".wh..wh.plnk/1.2", body=b"1")
    tape.add("a", body=b"1")


@layer_case(refused("255"))
def whiteout_of_long_name(tape, _canary):
    """The name with its prefix is a name of the archive."""
    tape.pax(("path", ".wh." + "n" * 252))
    tape.add("x")


# ---- what overlay, devices and attributes could do ----------------------------------------------------------

@layer_case(refused("whiteout"))
def overlay_whiteout_device(tape, _canary):
    """A device 0/0 is overlay's whiteout."""
    tape.add("a", CHAR, dev=(0, 0))


@layer_case(harmless({"a": "block 0,0 600"}))
def block_device_0_0(tape, _canary):
    """Only the character device means something to overlay."""
    tape.add("a", BLK, dev=(0, 0), mode=0o600)


@layer_case(harmless({"mem": "char 1,1 666", "disk": "block 8,0 666"}))
def devices(tape, _canary):
    """They lie in the layer; every mount of it is nodev."""
    tape.add("mem", CHAR, dev=(1, 1), mode=0o666)
    tape.add("disk", BLK, dev=(8, 0), mode=0o666)


@layer_case(refused("device number"))
def device_number_out_of_range(tape, _canary):
    """It would wrap to another device."""
    tape.add("a", CHAR, dev=(1 << 20, 1))


DROPPED = ["trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy",
           "trusted.overlay.whiteout", "user.overlay.opaque", "user.overlay.redirect", "user.overlay.whiteout",
           "trusted.evil", "security.selinux", "security.ima", "security.evm", "security.SMACK64",
           "system.posix_acl_access", "system.evil", "evil"]


@layer_case(harmless({"d": "dir 755 0:0", "f": "file b'1' 644 0:0 user.kept=b'1'"}))
def attributes_of_overlay_and_security_modules(tape, _canary):
    """What overlay, and modules of the host, would take for their own is dropped."""
    tape.pax(*((f"SCHILY.xattr.{name}", "y") for name in DROPPED))
    tape.dir("d")
    tape.pax(*((f"SCHILY.xattr.{name}", "y") for name in DROPPED), ("SCHILY.xattr.user.kept", "1"))
    tape.add("f", body=b"1")


@layer_case(refused("attribute"))
def file_capability_is_broken(tape, _canary):
    """The kernel refuses it, so do we."""
    tape.pax(("SCHILY.xattr.security.capability", b"\xff" * 7))
    tape.add("f")


@layer_case(refused("attribute"))
def attribute_without_name(tape, _canary):
    """An empty name."""
    tape.pax(("SCHILY.xattr.", "1"))
    tape.add("f")


@layer_case(refused("attribute"))
def attribute_name_too_long(tape, _canary):
    """XATTR_NAME_MAX is 255."""
    tape.pax(("SCHILY.xattr.user." + "n" * 251, "1"))
    tape.add("f")


@layer_case(refused("attribute"))
def attribute_too_long(tape, _canary):
    """XATTR_SIZE_MAX is 64 KiB."""
    tape.pax(("SCHILY.xattr.user.a", "v" * (64 << 10)))
    tape.add("f")


@layer_case(refused("attribute"))
def too_many_attributes(tape, _canary):
    """Each is short."""
    tape.pax(*((f"SCHILY.xattr.user.{i}", "") for i in range(10000)))
    tape.add("f")


@layer_case(harmless({"etc": "dir", "etc/passwd": "fifo 644 0:0", "etc/group": "link -> {canary}/file"}))
def passwd_is_fifo(tape, canary):
    """CVE-2024-9676: who reads these must not hang, nor read the host's."""
    tape.dir("etc")
    tape.add("etc/passwd", FIFO)
    tape.sym("etc/group", canary / "file")


@layer_case(harmless({"su": "file b'' 6777 0:0", "d": "dir 7777 0:0"}))
def privileged_modes(tape, _canary):
    """Kept: the store is closed to others."""
    tape.add("su", mode=0o106777)
    tape.dir("d", mode=0o47777)


# ---- broken tars ---------------------------------------------------------------------------------------------

SHORT = refused("ends too early")
CHECKSUM = refused("checksum")


def two_files():
    """A tar of two files; the second begins at 1024."""
    tape = Tape()
    tape.add("a", body=b"1" * 100)
    tape.add("b", body=b"2" * 1000)
    return tape.end()


for where, cut in {"first_header": 100, "header": 1024 + 100, "content": 1536 + 100, "padding": 1536 + 1010}.items():
    @layer_case(SHORT, f"cut_in_{where}")
    def cut_short(_tape, _canary, length=cut):
        """The diff_id is that of the cut tar: only the reader can see it."""
        return two_files()[:length]


@layer_case(SHORT)
def cut_in_extended_header(tape, _canary):
    """In the records."""
    tape.pax(("comment", "c" * 2000))
    return bytes(tape.data[:1000])


@layer_case(SHORT)
def extended_header_for_nothing(tape, _canary):
    """The entry it speaks about is missing."""
    tape.pax(("path", "x"))


@layer_case(harmless({"a": "file", "b": "file"}))
def no_end_of_archive(_tape, _canary):
    """Some builders write no zero blocks."""
    return two_files()[:-2 * BLOCK]


@layer_case(refused("zero block"))
def zero_block_in_the_midst(tape, _canary):
    """Readers disagree on whether the archive goes on."""
    tape.add("a")
    tape.data += bytes(BLOCK)
    tape.add("b")


@layer_case(harmless({"a": "file b''"}))
def entries_after_the_end(tape, _canary):
    """Nobody reads behind the end of the archive."""
    tape.add("a")
    tape.data += bytes(2 * BLOCK)
    tape.add("../evil")


@layer_case(CHECKSUM)
def bad_checksum(tape, _canary):
    """One that is wrong."""
    tape.add("a")
    tape.add("b", checksum=b"000000\0 ")


@layer_case(CHECKSUM)
def not_a_tar(_tape, _canary):
    """Bytes of something else."""
    return hashlib.sha512(b"noise").digest() * 160


@layer_case(SHORT)
def gzip_in_gzip(_tape, _canary):
    """The inner one is not looked into."""
    return gz(gz(plain_layer())), gz(plain_layer())


@layer_case(CHECKSUM)
def size_smaller_than_content(tape, _canary):
    """What follows is no header."""
    tape.add("a", body=b"x" * 1024, size=3)


@layer_case(SHORT)
def size_larger_than_archive(tape, _canary):
    """The rest of the archive is not all of the file."""
    tape.add("a", body=b"x", size=1 << 30)


@layer_case(refused("longer than"))
def size_beyond_limit(tape, _canary):
    """Refused before the first byte is written."""
    tape.add("a", body=b"x", size=1 << 40)


@layer_case(refused("longer than"))
def pax_size_beyond_limit(tape, _canary):
    """The same by pax; the plain header says 1."""
    tape.pax(("size", str(2 ** 63 - 1)))
    tape.add("a", body=b"x")


for field_name, bad_fields in {
        "size": {"negative": -1, "overflow": b"\x80" + b"\xff" * 11, "garbage": b"12z45678901\0"},
        "mode": {"garbage": b"rwxr-xr\0", "negative": -1},
        "uid": {"negative": -1, "no_id": 2 ** 32 - 1, "too_large": 2 ** 32, "garbage": b"root\0\0\0\0"},
        "gid": {"negative": -5, "no_id": 2 ** 32 - 1, "too_large": 2 ** 40},
        "mtime": {"overflow": b"\x80" + b"\xff" * 11, "garbage": b"yesterday\0\0\0"}}.items():
    for shown, bad in bad_fields.items():
        @layer_case(refused("range", "not a number"), f"{field_name}_{shown}")
        def bad_number(tape, _canary, name=field_name, value=bad):
            """Numbers that are none, or that would wrap (base-256 is GNU's)."""
            tape.add("a", **{name: value})


@layer_case(harmless({"a": "file b''", "b": "file b''"}))
def times_far_away(tape, _canary):
    """What the file system cannot store it clamps."""
    tape.pax(("mtime", str(2 ** 63 - 1)))
    tape.add("a")
    tape.pax(("mtime", "-62135596800.5"))
    tape.add("b")


@layer_case(harmless({"d": "dir", "l": "link -> t", "smuggled": "file b''"}))
def size_of_what_has_no_content(tape, _canary):
    """No content for directories and links, whatever the field says."""
    tape.dir("d", size=BLOCK)
    tape.sym("l", "t", size=10 * BLOCK)
    tape.add("smuggled")


for flag in b"ZVDMNA\x80":
    @layer_case(refused("type"), f"type_{flag:02x}")
    def unknown_type(tape, _canary, kind=bytes([flag])):
        """Unknown types, volume labels, dump directories, multi-volume."""
        tape.add("a", kind)


# ---- extended headers ----------------------------------------------------------------------------------------

@layer_case(OUTSIDE)
def pax_path_outside(tape, canary):
    """The plain header is innocent."""
    tape.pax(("path", f"{UP}{str(canary)[1:]}/file"))
    tape.add("innocent", body=b"evil")


@layer_case(OUTSIDE)
def gnu_path_outside(tape, canary):
    """So is this one."""
    tape.gnu(b"L", f"{UP}{str(canary)[1:]}/file")
    tape.add("innocent", body=b"evil")


@layer_case(OUTSIDE)
def pax_linkpath_outside(tape, canary):
    """A hard link's target."""
    tape.pax(("linkpath", f"{UP}{str(canary)[1:]}/file"))
    tape.hard("h", "innocent")


@layer_case(OUTSIDE)
def prefix_outside(tape, _canary):
    """Prefix and name make one path."""
    tape.add("evil", prefix=b"a/../..")


@layer_case(refused("NUL"))
def pax_path_with_nul(tape, _canary):
    """Where one reader stops, another goes on."""
    tape.pax(("path", "a\0/../../b"))
    tape.add("x")


@layer_case(refused("NUL"))
def pax_linkpath_with_nul(tape, _canary):
    """In a target."""
    tape.pax(("linkpath", "a\0b"))
    tape.sym("x", "y")


@layer_case(refused("broken record"))
def pax_key_with_nul(tape, _canary):
    """In a key."""
    tape.pax(("pa\0th", "x"))
    tape.add("x")


@layer_case(harmless({"second": "file b'1'"}))
def pax_duplicate_keys(tape, _canary):
    """The last one counts (POSIX.1-2017)."""
    tape.pax(("path", "first"), ("path", "second"), ("size", "5"), ("size", "1"))
    tape.add("x", body=b"1")


for shown, bad in {"zero_length": b"0 path=x\n", "too_short": b"6 path=x\n", "too_long": b"900 path=x\n",
                   "no_newline": b"10 path=xyz", "no_equals": b"8 pathx\n", "no_key": b"5 =x\n",
                   "negative": b"-9 path=x\n", "no_length": b" path=x\n", "hex": b"0xa path=x\n",
                   "overflow": b"18446744073709551626 path=x\n", "garbage": b"\xff" * 40, "nul": b"\0" * 40,
                   "length_only": b"2", "signed": b"+10 path=x\n"}.items():
    @layer_case(refused("broken record"), f"pax_record_{shown}")
    def bad_record(tape, _canary, records=bad):
        """Lengths that lie."""
        tape.pax(records)
        tape.add("x")


for key, bads in {
        "size": {"negative": "-1", "float": "1e3", "hex": "0x10", "blank": " 1", "2^64": "18446744073709551616",
                 "2^63": "9223372036854775808"},
        "uid": {"negative": "-1", "no-id": "4294967295", "2^32": "4294967296", "name": "root"},
        "gid": {"huge": "99999999999999999999"},
        "mtime": {"nan": "nan", "float": "1e9", "blank": " 1", "dots": "1.2.3", "2^63": "9223372036854775808"}}.items():
    for shown, bad in bads.items():
        @layer_case(refused("number", "time"), f"pax_{key}_{shown}")
        def bad_value(tape, _canary, pair=(key, bad)):
            """Values that are no numbers or do not fit."""
            tape.pax(pair)
            tape.add("x")


@layer_case(refused("extended header"))
def pax_header_too_long(tape, _canary):
    """2 MiB for one name: CVE-2017-14992's relative."""
    tape.pax(("comment", "c" * (2 * MIB)))
    tape.add("x")


for shown, flag in (("pax", b"x"), ("global", b"g"), ("gnu_name", b"L"), ("gnu_link", b"K")):
    @layer_case(refused("extended header"), f"{shown}_header_claims_8_eib")
    def huge_header(tape, _canary, kind=flag):
        """Memory must not be taken on somebody's word."""
        tape.add("x", kind, b"x", size=2 ** 62)


@layer_case(refused("global"))
def global_path(tape, _canary):
    """Readers disagree on what it means."""
    tape.pax(("path", "../evil"), kind=b"g")
    tape.add("x")


@layer_case(harmless({"x": "file b'' 644 7:0"}))
def many_headers_for_one_file(tape, _canary):
    """Each takes the memory of the one before."""
    for i in range(200):
        tape.pax(("comment", "c" * 100000), ("uid", str(i % 8)))
        tape.pax(("comment", "g"), kind=b"g")
    tape.add("x")
    return gz(tape.end()), tape.end()


# ---- sparse files --------------------------------------------------------------------------------------------

SPARSE = refused("sparse")


def old_sparse(pieces, real, size=BLOCK):
    """A header of GNU's old format: @pieces of (offset, length) at 386, the real size at 483."""
    block = bytearray(header("sparse", b"S", size, magic=b"ustar  \0"))
    for i, (offset, length) in enumerate(pieces):
        block[386 + 24 * i:386 + 24 * i + 24] = number(offset, 12) + number(length, 12)
    block[483:495] = number(real, 12)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"x" * size + bytes(-size % BLOCK)


for shown, args in {"overlap": ([(0, 512), (256, 512)], 2048, 1024),
                    "backwards": ([(1024, 512), (0, 512)], 2048, 1024),
                    "beyond_end": ([(4096, 512)], 1024), "overflow": ([(2 ** 63 - 1, 512)], 2 ** 63 - 1),
                    "more_than_content": ([(0, 4096)], 4096), "less_than_content": ([(0, 10)], 4096),
                    "negative": ([(-512, 512)], 1024), "huge": ([(2 ** 62, 512)], 2 ** 62 + 512),
                    "length_overflow": ([(512, 2 ** 64 - 512)], 1024)}.items():
    @layer_case(refused("sparse", "longer than", "range"), f"sparse_gnu_{shown}")
    def bad_old_sparse(tape, _canary, arguments=args):
        """Maps that lie about where content belongs."""
        tape.data += old_sparse(*arguments)


for shown, (real, text) in {
        "garbage": ("4096", b"what?\n"), "count_huge": ("4096", b"99999999999\n0\n512\n"),
        "overlap": ("4096", b"2\n0\n512\n100\n512\n"), "beyond_end": ("100", b"1\n0\n512\n"),
        "overflow": ("4096", b"1\n18446744073709551615\n512\n"), "negative": ("4096", b"1\n-1\n512\n"),
        "unfinished": ("4096", b"3\n0\n512\n"), "no_newline": ("4096", b"1" * 512),
        "huge": (str(2 ** 62), b"1\n0\n512\n"), "more_than_content": ("1048576", b"1\n0\n1048576\n")}.items():
    @layer_case(refused("sparse", "longer than", "range"), f"sparse_pax_{shown}")
    def bad_sparse(tape, _canary, real_size=real, sparse_map=text):
        """The same in pax format 1.0: the map stands before the content."""
        tape.pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "f"),
                 ("GNU.sparse.realsize", real_size))
        tape.add("x", body=sparse_map.ljust(BLOCK, b"\0") + b"x" * BLOCK)


for shown, text in {"odd": "0,512,1024", "overlap": "0,512,100,512", "garbage": "a,b",
                    "overflow": "18446744073709551615,1", "beyond_end": "0,512,8192,1", "empty_numbers": ",,,"}.items():
    @layer_case(refused("sparse", "range"), f"sparse_pax_map_{shown}")
    def bad_sparse_map(tape, _canary, sparse_map=text):
        """And in format 0.1, where it is a record."""
        tape.pax(("GNU.sparse.size", "4096"), ("GNU.sparse.numblocks", "2"), ("GNU.sparse.map", sparse_map))
        tape.add("x", body=b"x" * BLOCK)


@layer_case(refused("sparse", "'..'"))
def sparse_name_outside(tape, canary):
    """The name of a sparse file is a name too."""
    tape.pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "512"),
             ("GNU.sparse.name", f"{UP}{str(canary)[1:]}/file"))
    tape.add("x", body=b"1\n0\n512\n".ljust(BLOCK, b"\0") + b"x" * BLOCK)


# ---- compressed layers ---------------------------------------------------------------------------------------

GZIPPED = gz(plain_layer())
CORRUPT = refused("corrupt", "gzip")

for shown, data in {"in_header": GZIPPED[:5], "in_data": GZIPPED[:len(GZIPPED) // 2], "in_trailer": GZIPPED[:-3],
                    "before_trailer": GZIPPED[:-8]}.items():
    @layer_case(SHORT, f"gzip_cut_{shown}")
    def gzip_cut(_tape, _canary, blob=data):
        """The digest is that of what is left."""
        return blob, plain_layer()


@layer_case(refused("garbage"))
def gzip_then_garbage(_tape, _canary):
    """Which is content to some readers and nothing to others."""
    return GZIPPED + b"garbage", plain_layer()


@layer_case(refused("garbage"))
def gzip_then_padding_then_member(_tape, _canary):
    """Padding is the end."""
    return GZIPPED + bytes(100) + GZIPPED, plain_layer()


@layer_case(harmless(PLAIN_TREE))
def gzip_members_and_padding(_tape, _canary):
    """RFC 1952: members one after the other, an empty one among them; zeros as padding."""
    tar = plain_layer()
    return gz(tar[:700]) + gz(b"") + gz(tar[700:]) + bytes(1000), tar


for shown, data in {"checksum": GZIPPED[:-8] + b"\0\1\2\3" + GZIPPED[-4:], "length": GZIPPED[:-4] + b"\0\1\2\3",
                    "method": GZIPPED[:2] + b"\x07" + GZIPPED[3:], "data": GZIPPED[:10] + b"\xff" * 50 + GZIPPED[60:],
                    "block_type": GZIPPED[:10] + b"\x07" + GZIPPED[11:]}.items():
    @layer_case(CORRUPT, f"gzip_bad_{shown}")
    def gzip_bad(_tape, _canary, blob=data):
        """Damage that only the decompressor sees."""
        return blob, plain_layer()


@layer_case(refused("times its size"))
def gzip_bomb_in_a_file(_tape, _canary):
    """One file of 2 GiB in 2 MB."""
    return gz_repeated(header("zeros", size=2 << 30), ZEROS, 512), b""


@layer_case(refused("times its size"))
def gzip_bomb_of_members(_tape, _canary):
    """Many members, behind the end of the archive: nothing to write, much to read."""
    return gz(plain_layer()) + gz(ZEROS) * 512, b""


@layer_case(refused("entries"))
def bomb_of_entries(_tape, _canary):
    """A million and more that leave nothing behind."""
    return gz_repeated(b"", header(".wh..wh.x") * 1100, 1000), b""


@layer_case(refused("entries"))
def bomb_of_global_headers(_tape, _canary):
    """The same by headers that belong to no entry."""
    return gz_repeated(b"", header("g", b"g") * 1100, 1000), b""


@layer_case(refused("too many directories"))
def bomb_of_directories(tape, _canary):
    """Their names are kept until their times are set."""
    path = "/".join(["n" * 250] * 16)
    tape.pax(("path", path))
    tape.dir("d")
    data = bytes(tape.data)
    return gz_repeated(b"", data * 16, 2000), b""


@layer_case(harmless({"x": "file b''"}))
def bomb_of_long_attributes(tape, _canary):
    """An attribute for each of many entries: the memory is used again."""
    for _ in range(100):
        tape.pax(("SCHILY.xattr.user.overlay.a", "v" * 60000))
        tape.add("x")


ZSTD_LAYER = MEDIA + "layer.v1.tar+zstd"
for shown, word, data in (
        ("bomb", "times its size", zstd(
            zstd_raw(header("zeros", size=64 << 30), False),
            zstd_block(1, ZSTD_BLOCK_MAX, b"\0") * (2 << 30 >> 17), zstd_block(1, 1, b"\0", True))),
        ("cut", "early", zstd(zstd_raw(plain_layer()))[:-100]),
        ("cut_between_blocks", "early", zstd(zstd_raw(plain_layer(), False))),
        ("window_of_gigabytes", "corrupt", zstd(zstd_raw(plain_layer()), window=0xff)),
        ("reserved_block", "corrupt", zstd(zstd_block(3, 5, b"12345", True))),
        ("block_too_long", "corrupt", zstd(zstd_block(0, 1 << 20, bytes(1 << 20), True))),
        ("garbage", "corrupt", zstd(zstd_raw(plain_layer())) + b"garbage"),
        ("skippable_too_long", "early", zstd(zstd_raw(plain_layer())) + bytes.fromhex("502a4d18fffffff0")),
        ("dictionary", "corrupt", ZSTD_MAGIC + b"\x01\x38\x07" + zstd_raw(plain_layer()))):
    image_case(f"layer-zstd-{shown}".replace("_", "-"), refused(word),
               layers=[(data, plain_layer(), ZSTD_LAYER)])


# ---- index, manifest, configuration --------------------------------------------------------------------------

def drop(*keys):
    """A change that removes the value at the path @keys."""
    def change(value):
        for key in keys[:-1]:
            value = value[key]
        del value[keys[-1]]
    return change


def put(*path):
    """A change that sets the value at path[:-1] to path[-1]."""
    def change(value):
        for key in path[:-2]:
            value = value[key]
        value[path[-2]] = path[-1]
    return change


def text(old, new):
    """A change of the text of the JSON, for what no JSON writer writes."""
    def change(value):
        data = json.dumps(value)
        assert old in data, old
        return data.replace(old, new, 1).encode()
    return change


def deep_json(value):
    """Nested deeper than any reader should go."""
    return json.dumps(value)[:-1].encode() + b', "deep": ' + b"[" * 10000 + b"]" * 10000 + b"}"


def padded(size):
    """A change that makes the JSON @size bytes long."""
    return lambda value: json.dumps(value).encode().ljust(size)


def many_values(size, element):
    """A change that adds @size bytes of small values: each takes many times its text in memory."""
    def change(value):
        return json.dumps(value)[:-1].encode() + b', "many": [' + element * (size // len(element)) + b"0]}"
    return change


CONFUSED = refused("another document", "key", "media type", "JSON")
PARTS = ("index", "manifest", "config")

image_case("index-with-layers", CONFUSED, index=put("layers", []))
image_case("index-with-config", CONFUSED, index=put("config", {}))
image_case("index-with-fslayers", CONFUSED, index=put("fsLayers", []))
image_case("index-called-manifest", CONFUSED, index=put("mediaType", MEDIA + "manifest.v1+json"))
image_case("manifest-with-manifests", CONFUSED, manifest=put("manifests", []))
image_case("manifest-with-fslayers", CONFUSED, manifest=put("fsLayers", []))
image_case("manifest-called-index", CONFUSED, manifest=put("mediaType", MEDIA + "index.v1+json"))
image_case("manifest-of-schema-1", refused("schema"), manifest=put("schemaVersion", 1))
image_case("manifest-without-schema", refused("schema"), manifest=drop("schemaVersion"))
image_case("manifest-said-to-be-index", refused("index", "document"),
           index=put("manifests", 0, "mediaType", MEDIA + "index.v1+json"))
image_case("config-said-to-be-other", refused("other data"), manifest=put("config", "mediaType", "text/plain"))
image_case("layer-of-unknown-type", refused("not supported"),
           manifest=put("layers", 0, "mediaType", MEDIA + "layer.v1.tar+rot13"))
image_case("layer-encrypted", refused("not supported"),
           manifest=put("layers", 0, "mediaType", MEDIA + "layer.v1.tar+gzip+encrypted"))
for part, keys in {"index": ["manifests", "mediaType", "schemaVersion"],
                   "manifest": ["layers", "config", "mediaType"],
                   "config": ["rootfs", "config", "architecture", "os"]}.items():
    for key in keys:
        image_case(f"{part}-{key.lower()}-in-other-case", CONFUSED,
                   **{part: lambda v, k=key: put(k[0].upper() + k[1:], v[k])(v)})
        image_case(f"{part}-{key.lower()}-twice", CONFUSED,
                   **{part: lambda v, k=key: text("{", '{"%s": %s, ' % (k, json.dumps(v[k])))(v)})
image_case("descriptor-digest-in-other-case", CONFUSED,
           manifest=lambda m: put("layers", 0, "Digest", m["layers"][0]["digest"])(m))
image_case("descriptor-digest-twice", CONFUSED, manifest=text('"digest"', '"digest": "sha256:0", "digest"'))
image_case("config-diff-ids-in-other-case", CONFUSED, config=put("rootfs", "Diff_IDs", []))
image_case("config-user-in-other-case", CONFUSED, config=put("config", "user", "root"))
for part in PARTS:
    image_case(f"{part}-deep", refused("JSON"), **{part: deep_json})
    image_case(f"{part}-too-long", refused("longer"), **{part: padded(9 * MIB)})
    image_case(f"{part}-of-many-values", refused("values"), **{part: many_values(4 * MIB - 9999, b"[],")})
    image_case(f"{part}-is-list", refused("not an object"), **{part: lambda v: [v]})
    image_case(f"{part}-is-empty", refused("JSON"), **{part: lambda v: b""})
    image_case(f"{part}-cut", refused("JSON"), **{part: lambda v: json.dumps(v)[:-10].encode()})
    image_case(f"{part}-then-garbage", refused("JSON"), **{part: lambda v: json.dumps(v).encode() + b"{}"})
    image_case(f"{part}-of-invalid-utf8", refused("JSON"),
               **{part: lambda v: json.dumps(v)[:-1].encode() + b', "x": "\xff\xfe"}'})
    image_case(f"{part}-with-lone-surrogate", refused("JSON"),
               **{part: lambda v: json.dumps(v)[:-1].encode() + b', "x": "\\ud800"}'})
    image_case(f"{part}-with-huge-number", refused("JSON"),
               **{part: lambda v: json.dumps(v)[:-1].encode() + b', "x": ' + b"9" * 5000 + b"}"})
image_case("index-empty", refused("no image"), index=put("manifests", []))
image_case("index-of-numbers", refused("index", "image"), index=put("manifests", [1, None, "x", []]))
image_case("index-of-nothing", refused("index", "image"), index=put("manifests", None))
image_case("manifest-without-layers", refused("layers"), manifest=drop("layers"))
image_case("manifest-layers-no-list", refused("layers"), manifest=put("layers", {}))
image_case("manifest-of-numbers", refused("descriptor"), manifest=put("layers", [1]))
image_case("manifest-without-config", refused("descriptor"), manifest=drop("config"))
image_case("manifest-of-thousands-of-layers", refused("layers"),
           manifest=lambda m: put("layers", m["layers"] * 5000)(m))

# jansson takes no NUL in a string, so such a document is no JSON to us.
NUL = "NUL"
REF_NAME = "org.opencontainers.image.ref.name"

# Digests take part in paths only after their grammar was checked (descriptor.md, "Digests").
HEX = "0123456789abcdef" * 4
for shown, bad in {"path": "sha256:../../x", "absolute": "sha256:/etc/passwd", "short": "sha256:" + HEX[:-1],
                   "long": "sha256:" + HEX + "0", "upper_case": "sha256:" + HEX.upper(), "other": "md5:" + HEX[:32],
                   "upper_name": "SHA256:" + HEX, "no_name": HEX, "empty": "", "nul": "sha256:" + HEX + "\0",
                   "dots": "sha256:" + "." * 64, "slashes": "sha256:" + "../" * 21 + "x", "blank": " sha256:" + HEX,
                   "newline": "sha256:" + HEX + "\n", "number": 5, "null": None, "list": []}.items():
    shown = shown.replace("_", "-")
    image_case(f"layer-digest-{shown}", refused("digest", NUL), manifest=put("layers", 0, "digest", bad))
    image_case(f"config-digest-{shown}", refused("digest", NUL), manifest=put("config", "digest", bad))
    # An entry without a digest at all is no image for anybody.
    image_case(f"manifest-digest-{shown}", refused("digest", "no image", NUL),
               index=put("manifests", 0, "digest", bad))
    image_case(f"diff-id-{shown}", refused("digest", "diff_id", NUL), config=put("rootfs", "diff_ids", [bad]))
for shown, bad in {"zero": 0, "less": 100, "more": 10 ** 6, "negative": -1, "huge": 2 ** 63 - 1, "text": "512",
                   "fraction": 1.5, "missing": None, "list": []}.items():
    for part, change in (("layer", {"manifest": put("layers", 0, "size", bad)}),
                         ("config", {"manifest": put("config", "size", bad)}),
                         ("manifest", {"index": put("manifests", 0, "size", bad)})):
        image_case(f"{part}-descriptor-size-{shown}", refused("size", "bytes"), **change)
image_case("layer-descriptor-size-overflows", refused("JSON", "size"),
           manifest=text('"size": ', '"size": 99999999999999999999'))
image_case("layer-digest-of-other", refused("digest", "lacks"), manifest=put("layers", 0, "digest", "sha256:" + HEX))
image_case("diff-id-of-other", refused("digest"), config=put("rootfs", "diff_ids", ["sha256:" + HEX]))
image_case("diff-ids-too-few", refused("layers"), config=put("rootfs", "diff_ids", []))
image_case("diff-ids-too-many", refused("layers"),
           config=lambda c: put("rootfs", "diff_ids", c["rootfs"]["diff_ids"] * 2)(c))
image_case("diff-ids-swapped", refused("digest"), layers=[plain_layer(), two_files()],
           config=lambda c: c["rootfs"]["diff_ids"].reverse())
image_case("diff-ids-no-list", refused("diff_ids"), config=put("rootfs", "diff_ids", "sha256:" + HEX))
image_case("rootfs-missing", refused("rootfs"), config=drop("rootfs"))
image_case("rootfs-of-other-type", refused("layers"), config=put("rootfs", "type", "windows"))
image_case("layers-129", refused("129 layers"), layers=[plain_layer()] * 129)
image_case("layers-128", harmless(PLAIN_TREE), layers=[plain_layer()] * 128)
image_case("platform-other-architecture", refused("is for linux/mips"), config=put("architecture", "mips"))
image_case("platform-other-system", refused("is for windows"), config=put("os", "windows"))
image_case("platform-missing", refused("platform"), config=drop("architecture"))
image_case("platform-with-controls", refused("is for"), config=put("os", "\x1b[2J\nsbrun: loaded\n"))
image_case("platform-of-index", refused("no image for"),
           index=put("manifests", 0, "platform", {"os": "linux", "architecture": "mips"}))
image_case("platform-of-index-lies", refused("is for linux/mips"), config=put("architecture", "mips"),
           index=put("manifests", 0, "platform", {"os": "linux", "architecture": ARCH}))
for shown, change in {"env-no-list": ("Env", "A=1"), "env-of-numbers": ("Env", [1]), "env-with-nul": ("Env", ["A=\0"]),
                      "cmd-no-list": ("Cmd", "true"), "cmd-with-nul": ("Cmd", ["a\0b"]),
                      "entrypoint-of-null": ("Entrypoint", [None]), "user-number": ("User", 0),
                      "directory-list": ("WorkingDir", ["/"]), "ports-list": ("ExposedPorts", ["80"])}.items():
    image_case(f"config-{shown}", refused("config", NUL), config=put("config", *change))
image_case("config-no-object", refused("config"), config=put("config", []))
image_case("config-nonsense", harmless(PLAIN_TREE), config=put("config", {
    "User": "4294967296:0", "Env": ["NOEQUALS", "=x", "A=1"], "WorkingDir": "../../../..", "Cmd": ["x" * 100000],
    "StopSignal": "SIGNONSENSE", "Volumes": {"/": {}, "../..": {}}, "Labels": {"x" * 1000: "\x1b"},
    "ExposedPorts": {"99999/tcp": {}, "-1": {}}, "Entrypoint": None}))
image_case("layer-urls-are-ignored", harmless(PLAIN_TREE), manifest=lambda m: m["layers"][0].update(
    urls=["http://[::1]:9/layer", "file:///etc/passwd"]))


@case(refused("lacks the file"))
def layer_only_at_url(out, _canary):
    """CVE-2020-15157: nothing is fetched from where a manifest says."""
    write_image(out, manifest=lambda m: m["layers"][0].update(
        mediaType=MEDIA + "layer.nondistributable.v1.tar", digest="sha256:" + HEX, urls=["http://[::1]:9/x"]))


def nested(out, depth, width=1):
    """Put @depth indexes above the manifest, each listing the next @width times."""
    def change(index):
        for _ in range(depth):
            data = json.dumps(index).encode()
            entry = {"mediaType": MEDIA + "index.v1+json", **put_blob(out, data)}
            index = {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": [entry] * width}
        return index
    write_image(out, index=change)


@case(harmless(PLAIN_TREE))
def index_nested(out, _canary):
    """As deep as is allowed."""
    nested(out, 4)


@case(refused("nested"))
def index_nested_too_deep(out, _canary):
    """One more."""
    nested(out, 5)


@case(refused("indexes"))
def index_bomb(out, _canary):
    """Four levels, each a thousand times the next: 10^12 documents in a few hundred kilobytes."""
    nested(out, 4, 1000)


@case(refused("index"))
def index_nested_in_itself(out, _canary):
    """No digest can vouch for it."""
    write_image(out, index=lambda i: put("manifests", [
        {"mediaType": MEDIA + "index.v1+json", "digest": "sha256:" + HEX, "size": 100}])(i))


# ---- layout directories --------------------------------------------------------------------------------------

for part in ("layer", "config", "manifest", "index"):
    def replaced(out, canary, by, what=part):
        """Replace a file of a good layout by by(path, content)."""
        write_image(out)
        path = out / "index.json" if what == "index" else blob_path(out, what)
        data = path.read_bytes()
        path.unlink()
        by(path, data, canary)

    def to_symlink(path, data, canary, target=part):
        """The right content, but outside."""
        outside = canary / f"content-{target}"
        outside.write_bytes(data)
        path.symlink_to(outside)

    add_case(f"layout-{part}-is-fifo", lambda out, canary, f=replaced: f(
        out, canary, lambda path, _data, _canary: os.mkfifo(path)), refused("regular file", "archive"))
    add_case(f"layout-{part}-is-directory", lambda out, canary, f=replaced: f(
        out, canary, lambda path, _data, _canary: path.mkdir()), refused("regular file", "archive"))
    add_case(f"layout-{part}-is-symlink-outside", lambda out, canary, f=replaced, by=to_symlink: f(
        out, canary, by), refused("cross-device", "archive", "No such file"))


@case(harmless(PLAIN_TREE))
def layout_blobs_is_symlink_inside(out, _canary):
    """Links that stay inside are nobody's harm."""
    write_image(out)
    (out / "blobs").rename(out / "other")
    (out / "blobs").symlink_to("other")


# ---- archives ------------------------------------------------------------------------------------------------

def pack(out, change=None):
    """Write an oci-archive of a good image to the file @out; change(tape) may add members."""
    layout = out.with_name(out.name + ".layout")
    write_image(layout)
    tape = Tape()
    for path in sorted(p for p in layout.rglob("*") if p.is_file()):
        tape.add(str(path.relative_to(layout)), body=path.read_bytes())
        path.unlink()
    for path in sorted((p for p in layout.rglob("*")), reverse=True):
        path.rmdir()
    layout.rmdir()
    data = change(tape) if change else None
    out.write_bytes(data if data is not None else tape.end())


def archive_case(name, verdict):
    """Decorate change(tape), see pack()."""
    return lambda change: add_case("archive-" + name, lambda out, canary: pack(out, change), verdict)


archive_case("good", harmless(PLAIN_TREE))(None)
archive_case("cut", refused("early"))(lambda tape: bytes(tape.data[:-700]))
archive_case("gzip-cut", refused("early"))(lambda tape: gz(tape.end())[:-20])
archive_case("bomb", refused("too many bytes"))(lambda tape: gz_repeated(tape.end(), ZEROS, 512))
archive_case("member-beyond-end", refused("early"))(lambda tape: tape.data.extend(header("big", size=1 << 32)))
archive_case("member-of-8-eib", refused("longer", "range"))(
    lambda tape: tape.data.extend(header("big", size=2 ** 63 - 1)))
archive_case("too-many-members", refused("entries"))(lambda tape: gz(bytes(tape.data) + header("x") * 17000))
archive_case("zstd-bomb", refused("too many bytes"))(lambda tape: zstd(
    zstd_raw(tape.end(), False), zstd_block(1, ZSTD_BLOCK_MAX, b"\0") * (2 << 30 >> 17), zstd_block(1, 1, b"\0", True)))


@archive_case("bomb-of-long-names", refused("names"))
def archive_of_long_names(tape):
    """Two paths of four kilobytes for each of eight thousand members."""
    long = "/".join(["n" * 250] * 16)
    tape.data = bytearray()
    tape.pax(("path", long), ("linkpath", long))
    tape.sym("x", "y")
    return gz(bytes(tape.data) * 8000)


@archive_case("index-twice", harmless(PLAIN_TREE))
def archive_index_twice(tape):
    """The last one counts, as if it were unpacked."""
    data = bytes(tape.data)
    tape.data = bytearray()
    tape.add("index.json", body=b"{")
    return bytes(tape.data) + data + bytes(2 * BLOCK)


for shown, target, word in (("outside", UP + "etc/passwd", "lacks"), ("absolute", "/etc/passwd", "lacks"),
                            ("itself", "layer.tar", "lacks"), ("empty_directory", ".", "lacks")):
    docker_case(f"docker-layer-is-symlink-to-{shown}".replace("_", "-"), refused(word), layer=None,
                fill=lambda tape, t=target: tape.sym("layer.tar", t))
docker_case("docker-layer-is-cycle", refused("lacks"), layer="real.tar",
            fill=lambda tape: (tape.sym("layer.tar", "b"), tape.sym("b", "layer.tar")))
docker_case("docker-layer-is-cycle-of-hard-links", refused("lacks"), layer="real.tar",
            fill=lambda tape: (tape.hard("layer.tar", "b"), tape.hard("b", "layer.tar")))
docker_case("docker-layer-is-long-chain", refused("lacks"), layer="real.tar",
            fill=lambda tape: [tape.sym(f"l{i}" if i else "layer.tar", f"l{i + 1}") for i in range(20)])
docker_case("docker-layer-is-hard-link-outside", refused("'..'"), layer=None,
            fill=lambda tape: tape.hard("layer.tar", UP + "etc/passwd"))
docker_case("docker-layer-is-fifo", refused("lacks"), layer=None, fill=lambda tape: tape.add("layer.tar", FIFO))
docker_case("docker-layer-is-directory", refused("lacks"), layer=None, fill=lambda tape: tape.dir("layer.tar"))
docker_case("docker-member-outside", refused("'..'"), fill=lambda tape: tape.add("../evil"))
docker_case("docker-layer-is-link-inside", harmless(PLAIN_TREE), layer="a/real.tar",
            fill=lambda tape: tape.sym("layer.tar", "a/../a/real.tar"))
docker_case("docker-layer-cut", refused("digest", "early"), layer=None,
            fill=lambda tape: tape.add("layer.tar", body=plain_layer()[:600]))
for shown, bad in {"dotdot": "../../etc/passwd", "absolute": "/etc/passwd", "empty": "", "nul": "a\0b", "number": 1,
                   "long": "n" * 5000, "controls": "\x1b[2J\n"}.items():
    docker_case(f"docker-layer-name-{shown}", refused("lacks", "string", "Layers", "'..'", NUL),
                manifest=put(0, "Layers", [bad]))
    docker_case(f"docker-config-name-{shown}", refused("lacks", "string", "Config", "'..'", NUL),
                manifest=put(0, "Config", bad))
docker_case("docker-config-not-as-named", refused("digest"), manifest=put(0, "Config", HEX + ".json"),
            fill=lambda tape: tape.add(HEX + ".json", body=b"{}"))
docker_case("docker-layers-too-many", refused("layers"), manifest=put(0, "Layers", ["layer.tar"] * 5000))
docker_case("docker-layers-no-list", refused("Layers"), manifest=put(0, "Layers", "layer.tar"))
docker_case("docker-manifest-is-object", refused("not a list"), manifest=lambda m: m[0])
docker_case("docker-manifest-empty", refused("not a list"), manifest=lambda m: b"[]")
docker_case("docker-manifest-of-numbers", refused("Config", "manifest.json"), manifest=lambda m: [1])
docker_case("docker-manifest-too-long", refused("longer"), manifest=padded(5 * MIB))
docker_case("docker-manifest-deep", refused("JSON"), manifest=lambda m: b"[" * 10000)
docker_case("docker-two-images", refused("2 images"), manifest=lambda m: m * 2)
docker_case("docker-bomb-of-images", unnamed(refused("documents")), config=put("x", "x" * 7 * MIB),
            manifest=lambda m: [{**m[0], "RepoTags": [f"a:{i}"]} for i in range(100)])
docker_case("docker-bomb-of-names", unnamed(refused("names")),
            manifest=put(0, "RepoTags", [f"a:{i}" for i in range(30000)]))
image_case("index-bomb-of-images", unnamed(refused("documents")), config=put("x", "x" * 7 * MIB),
           index=lambda i: put("manifests", [{**i["manifests"][0], "annotations": {REF_NAME: f"a:{n}"}}
                                             for n in range(100)])(i))
image_case("index-bomb-of-names", unnamed(refused("names")),
           index=lambda i: put("manifests", [{**i["manifests"][0], "annotations": {REF_NAME: f"a:{n}"}}
                                             for n in range(5000)])(i))
image_case("config-with-long-text", harmless(PLAIN_TREE), config=put("config", "Labels", {"x": "x" * 7 * MIB}))
docker_case("docker-config-key-twice", refused("JSON"), manifest=text('"Config"', '"Config": "x", "Config"'))


# Names that archives give to images; the others are loaded by a name of the user, which wins.
HOSTILE_NAMES = {
    "dotdot": "../../etc/x:latest", "controls": "a\x1b[2J\n:b", "upper-case": "Evil:latest", "blank": "a b:c",
    "hex": HEX, "digest": "x@sha256:" + HEX, "empty": "", "long": "n" * 5000 + ":x", "slashes": "a//b:c",
    "option": "-x:y", "nul": "a\0b:c", "absolute": "/etc/passwd:x", "percent": "%2e%2e/x:y",
    "many-colons": "a:b:c/d:e:f",
    "number": 5}


def named_docker(out, name):
    """A docker-archive whose image has this name."""
    write_docker(out, manifest=put(0, "RepoTags", [name]))


def named_layout(out, name):
    """A layout whose image has this name; a slash makes it one that would be used."""
    write_image(out, index=put("manifests", 0, "annotations", {"io.containerd.image.name": name}))


# ---- the program ---------------------------------------------------------------------------------------------

def main(argv):
    """Write all cases, as the module's text says."""
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    out, canary = Path(argv[1]), Path(argv[2]).resolve()
    out.mkdir(parents=True)
    canary.mkdir(parents=True, exist_ok=True)
    with open(out / "expected.tsv", "w", encoding="utf-8") as table:
        for entry in CASES.values():
            entry.make(out / entry.name, canary)
            print(entry.name, entry.verdict, " | ".join(entry.words), sep="\t", file=table)
    print(f"{len(CASES)} cases in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
