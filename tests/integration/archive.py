# SPDX-License-Identifier: Apache-2.0
"""Images written byte by byte: tars, gzip and zstd streams, OCI layouts, docker-archives, with anything wrong.

tools/mkoci.py writes images as they should be; this writes what it is told. Standard library only.
"""
import functools
import gzip
import hashlib
import json
import os
import struct
import zlib

MEDIA = "application/vnd.oci.image."
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
EPOCH = 1717200000
BLOCK = 512


# ---- tar, byte by byte ---------------------------------------------------------------------------------------

FILE, HARD, SYM, CHAR, BLK, DIR, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
FIELDS = {"name": (0, 100), "mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12),
          "mtime": (136, 12), "checksum": (148, 8), "kind": (156, 1), "link": (157, 100), "magic": (257, 8),
          "dev_major": (329, 8), "dev_minor": (337, 8), "prefix": (345, 155)}


def as_bytes(text):
    """Text, a path or bytes as bytes."""
    return text if isinstance(text, bytes) else os.fsencode(text)


def number(value, length):
    """A numeric field: octal, or base-256 (GNU) if it does not fit or is negative. Bytes stand for themselves."""
    if isinstance(value, bytes):
        return value
    if 0 <= value < 8 ** (length - 1):
        return b"%0*o\0" % (length - 1, value)
    return (value % 256 ** length | (0x80 << 8 * (length - 1))).to_bytes(length, "big")


def header(name, kind=FILE, size=0, link="", mode=0o644, uid=0, gid=0, mtime=EPOCH, dev=(0, 0), **raw):
    """One header block. @raw sets fields to bytes after all others, the checksum too."""
    fields = {"name": as_bytes(name), "mode": number(mode, 8), "uid": number(uid, 8), "gid": number(gid, 8),
              "size": number(size, 12), "mtime": number(mtime, 12), "checksum": b" " * 8, "kind": kind,
              "link": as_bytes(link), "magic": b"ustar\x0000", "dev_major": number(dev[0], 8),
              "dev_minor": number(dev[1], 8), **{k: v for k, v in raw.items() if k != "checksum"}}
    block = bytearray(BLOCK)
    for field, value in fields.items():
        start, length = FIELDS[field]
        value = value[:length]
        block[start:start + len(value)] = value
    block[148:156] = raw.get("checksum", b"%06o\0 " % sum(block))
    return bytes(block)


def record(key, value):
    """One record of an extended header (POSIX.1-2017, pax): its length counts itself."""
    body = b" " + as_bytes(key) + b"=" + as_bytes(value) + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d" % length + body


class Tape:
    """A tar being written."""

    def __init__(self):
        self.data = bytearray()

    def add(self, name, kind=FILE, body=b"", **fields):
        """Add an entry; see header(). What is too long for it goes before it, as builders do."""
        long = [(key, value) for key, value in (("path", name), ("linkpath", fields.get("link", "")))
                if len(as_bytes(value)) > 100]
        if long:
            self.pax(*long)
        self.data += header(name, kind, **{"size": len(body), **fields})
        self.data += body + bytes(-len(body) % BLOCK)

    def dir(self, name, **fields):
        """Add a directory."""
        self.add(name, DIR, **{"mode": 0o755, **fields})

    def sym(self, name, target, **fields):
        """Add a symbolic link."""
        self.add(name, SYM, link=target, mode=0o777, **fields)

    def hard(self, name, target, **fields):
        """Add a hard link."""
        self.add(name, HARD, link=target, **fields)

    def pax(self, *records, kind=b"x"):
        """Add an extended header: pairs of key and value, or bytes as they are."""
        self.add("pax", kind, b"".join(r if isinstance(r, bytes) else record(*r) for r in records))

    def gnu(self, kind, text):
        """Add a GNU header with a long name (kind L) or link target (K)."""
        self.add("././@LongLink", kind, as_bytes(text) + b"\0")

    def end(self):
        """Return the archive with its two zero blocks."""
        return bytes(self.data) + bytes(2 * BLOCK)


def gz(data):
    """Compress @data."""
    return gzip.compress(data, mtime=0)


@functools.lru_cache(maxsize=None)
def deflate_piece(block):
    """@block as deflate data that ends on a byte and needs nothing before it, so it can be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)


def gz_repeated(head, block, times):
    """A gzip member of @head and @times @block. Its checksum is wrong: who reads so far has read too far."""
    return (bytes.fromhex("1f8b0800000000000003") + deflate_piece(head) + deflate_piece(block) * times
            + b"\x03\0" + bytes(8))


MIB = 1 << 20
ZEROS = bytes(4 * MIB)


# ---- zstd, byte by byte (RFC 8878 section 3.1.1) -------------------------------------------------------------

ZSTD_MAGIC = bytes.fromhex("28b52ffd")
ZSTD_BLOCK_MAX = 128 << 10


def zstd_block(kind, size, data, last=False):
    """A block: kind 0 is raw, 1 one byte repeated @size times."""
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + data


def zstd(*blocks, window=7 << 3):
    """A frame without content size and checksum; @window: 128 KiB."""
    return ZSTD_MAGIC + bytes([0, window]) + b"".join(blocks)


def zstd_raw(data, last=True):
    """@data in raw blocks."""
    parts = [data[i:i + ZSTD_BLOCK_MAX] for i in range(0, len(data), ZSTD_BLOCK_MAX)]
    return b"".join(zstd_block(0, len(p), p, last and i == len(parts) - 1) for i, p in enumerate(parts))


# ---- OCI layouts and archives --------------------------------------------------------------------------------

def digest_of(data):
    """The digest of @data, as OCI writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def plain_layer():
    """A layer with nothing wrong."""
    tape = Tape()
    tape.add("file", body=b"content")
    return tape.end()


PLAIN_TREE = {"file": "file b'content' 644 0:0"}


def put_blob(out, data):
    """Write a blob into the layout @out. Return digest and size."""
    folder = out / "blobs/sha256"
    folder.mkdir(parents=True, exist_ok=True)
    digest = digest_of(data)
    (folder / digest[7:]).write_bytes(data)
    return {"digest": digest, "size": len(data)}


def blob_path(out, what):
    """Where the "layer", "config" or "manifest" of a layout lies."""
    path = out / "index.json"
    for key in {"manifest": ["manifests"], "config": ["manifests", "config"], "layer": ["manifests", "layers"]}[what]:
        entry = json.loads(path.read_text())[key]
        path = out / "blobs/sha256" / (entry[0] if isinstance(entry, list) else entry)["digest"][7:]
    return path


def changed(value, change):
    """@value as JSON bytes after @change, which changes it in place, returns another, or returns bytes."""
    other = change(value) if change else None
    value = value if other is None else other
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def layer_parts(layer):
    """A layer as blob, tar and media type; it is a tar, a pair of blob and tar, or all three."""
    if isinstance(layer, bytes):
        return layer, layer, MEDIA + "layer.v1.tar"
    return layer if len(layer) == 3 else (*layer, MEDIA + "layer.v1.tar+gzip")


def write_image(out, layers=None, config=None, manifest=None, index=None):
    """Write a layout to the directory @out. @config, @manifest, @index change these documents, see changed()."""
    parts = [layer_parts(layer) for layer in ([plain_layer()] if layers is None else layers)]
    descriptors = [{"mediaType": media, **put_blob(out, data)} for data, _, media in parts]
    conf = changed({"architecture": ARCH, "os": "linux", "config": {"Cmd": ["true"]},
                    "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for _, tar, _ in parts]}}, config)
    body = changed({"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "layers": descriptors,
                    "config": {"mediaType": MEDIA + "config.v1+json", **put_blob(out, conf)}}, manifest)
    text = changed({"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": [
        {"mediaType": MEDIA + "manifest.v1+json", **put_blob(out, body)}]}, index)
    (out / "index.json").write_bytes(text)
    (out / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def write_docker(out, manifest=None, config=None, fill=None, layer="layer.tar"):
    """Write a docker-archive to the file @out. @fill(tape) may add members; @layer: member, None for none."""
    data, tape = plain_layer(), Tape()
    conf = changed({"architecture": ARCH, "os": "linux", "config": {},
                    "rootfs": {"type": "layers", "diff_ids": [digest_of(data)]}}, config)
    if layer:
        tape.add(layer, body=data)
    tape.add("config.json", body=conf)
    if fill:
        fill(tape)
    tape.add("manifest.json", body=changed(
        [{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}], manifest))
    out.write_bytes(tape.end())
