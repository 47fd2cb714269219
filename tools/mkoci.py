#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write OCI image layouts: layers from entries or directories, reproducible byte for byte.

As a program:  mkoci.py OUT REF CONFIG.json LAYER[:none]...
    OUT      directory of the layout; a second image is added to one that exists
    REF      name of the image in index.json (org.opencontainers.image.ref.name)
    CONFIG   the "config" object of the image (Env, Cmd, User ...)
    LAYER    directory in the form of an overlayfs upper directory: a character device 0/0 is a whiteout,
             the attribute trusted.overlay.opaque=y an opaque directory. ":none": not compressed

Formats: image-spec v1.1 (image-layout.md, manifest.md, config.md, layer.md). Entries are sorted and times
limited by SOURCE_DATE_EPOCH, so equal content gives equal digests. Standard library only.
"""
import gzip
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
import time

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "1717200000"))
CREATED = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}  # GOARCH names, config.md "architecture"
MEDIA = "application/vnd.oci.image."
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"  # layer.md "Whiteouts"
GZIP_LEVEL = 6


class Tee(io.RawIOBase):
    """A sink that hashes and counts what it passes on."""

    def __init__(self, sink):
        super().__init__()
        self.sink, self.sha, self.size = sink, hashlib.sha256(), 0

    def writable(self):
        return True

    def write(self, data):
        self.sha.update(data)
        self.size += len(data)
        return self.sink.write(data)

    def digest(self):
        """Return the digest of all bytes so far, as OCI writes it."""
        return "sha256:" + self.sha.hexdigest()


class Layer:
    """One layer under construction, streamed to a blob. Entries are written in the order of the calls."""

    def __init__(self, blob_path, compress=True):
        self.compress = compress
        self.file = open(blob_path, "wb")
        self.blob = Tee(self.file)
        self.gzip = gzip.GzipFile("", "wb", GZIP_LEVEL, self.blob, mtime=0) if compress else None
        self.diff = Tee(self.gzip or self.blob)
        self.tar = tarfile.open(fileobj=self.diff, mode="w|", format=tarfile.PAX_FORMAT)

    def add(self, name, kind, content=b"", **fields):
        """Add an entry. @kind is a tarfile type; @fields are TarInfo fields, or xattrs={name: bytes}."""
        info = tarfile.TarInfo(name)
        info.type, info.mtime = kind, EPOCH
        info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        xattrs = fields.pop("xattrs", {})
        for field, value in fields.items():
            setattr(info, field, value)
        for key, value in sorted(xattrs.items()):
            text = value.decode("utf-8", "surrogateescape")
            info.pax_headers["SCHILY.xattr." + key] = text
        if kind == tarfile.REGTYPE and isinstance(content, bytes):
            info.size = len(content)
            content = io.BytesIO(content)
        self.tar.addfile(info, content if kind == tarfile.REGTYPE else None)

    def dir(self, name, **fields):
        """Add a directory."""
        self.add(name + "/", tarfile.DIRTYPE, **fields)

    def put(self, name, content, **fields):
        """Add a regular file with @content (str or bytes)."""
        content = content.encode() if isinstance(content, str) else content
        self.add(name, tarfile.REGTYPE, content, **fields)

    def symlink(self, name, target, **fields):
        """Add a symbolic link."""
        self.add(name, tarfile.SYMTYPE, linkname=target, mode=0o777, **fields)

    def hardlink(self, name, target, **fields):
        """Add another name for @target, which this layer already has. @fields: those of the target, which
        some unpackers set again."""
        self.add(name, tarfile.LNKTYPE, linkname=target, **fields)

    def whiteout(self, name):
        """Say that @name of the layers below is gone."""
        head, tail = os.path.split(name)
        self.add(os.path.join(head, WHITEOUT + tail), tarfile.REGTYPE, mode=0)

    def opaque(self, name):
        """Say that nothing of directory @name of the layers below shows through."""
        self.add(os.path.join(name, OPAQUE), tarfile.REGTYPE, mode=0)

    def add_tree(self, root):
        """Add everything below @root, a directory in the form of an overlayfs upper directory."""
        self._add_tree(root, "", {})

    def _add_tree(self, path, prefix, inodes):
        for name in sorted(os.listdir(path)):
            self._add_path(os.path.join(path, name), os.path.join(prefix, name), inodes)

    def _add_path(self, path, name, inodes):
        """Add the file @path as @name; @inodes: names of files with several links, by (device, inode)."""
        st = os.lstat(path)
        xattrs = {key: os.getxattr(path, key, follow_symlinks=False)
                  for key in os.listxattr(path, follow_symlinks=False)}
        fields = {"uid": st.st_uid, "gid": st.st_gid, "mode": stat.S_IMODE(st.st_mode),
                  "mtime": min(int(st.st_mtime), EPOCH),
                  "xattrs": {k: v for k, v in xattrs.items()
                             if not k.startswith(("trusted.overlay.", "system."))}}
        if stat.S_ISDIR(st.st_mode):
            self.dir(name, **fields)
            if xattrs.get("trusted.overlay.opaque") == b"y":
                self.opaque(name)
            self._add_tree(path, name, inodes)
        elif stat.S_ISCHR(st.st_mode) and st.st_rdev == 0:
            self.whiteout(name)
        elif st.st_nlink > 1 and (st.st_dev, st.st_ino) in inodes:
            del fields["xattrs"]
            self.hardlink(name, inodes[st.st_dev, st.st_ino], **fields)
        elif stat.S_ISLNK(st.st_mode):
            self.add(name, tarfile.SYMTYPE, linkname=os.readlink(path), **fields)
        elif stat.S_ISREG(st.st_mode):
            inodes[st.st_dev, st.st_ino] = name
            with open(path, "rb") as content:
                self.add(name, tarfile.REGTYPE, content, size=st.st_size, **fields)
        elif stat.S_ISFIFO(st.st_mode):
            self.add(name, tarfile.FIFOTYPE, **fields)
        elif stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
            kind = tarfile.CHRTYPE if stat.S_ISCHR(st.st_mode) else tarfile.BLKTYPE
            self.add(name, kind, devmajor=os.major(st.st_rdev), devminor=os.minor(st.st_rdev), **fields)

    def finish(self):
        """Close the layer. Return its descriptor and its diff_id."""
        self.tar.close()
        if self.gzip:
            self.gzip.close()
        self.file.close()
        media = MEDIA + "layer.v1.tar" + ("+gzip" if self.compress else "")
        return ({"mediaType": media, "digest": self.blob.digest(), "size": self.blob.size},
                self.diff.digest())


class Image:
    """One image being added to the layout in directory @out."""

    def __init__(self, out):
        self.out = out
        self.blobs = os.path.join(out, "blobs", "sha256")
        self.layers, self.diff_ids, self.history = [], [], []
        os.makedirs(self.blobs, exist_ok=True)

    def layer(self, name, fill, compress=True):
        """Add a layer. @fill is called with the Layer to put entries into; @name goes into the history."""
        temp = os.path.join(self.blobs, ".new")
        layer = Layer(temp, compress)
        fill(layer)
        descriptor, diff_id = layer.finish()
        os.rename(temp, self.blob_path(descriptor["digest"]))
        self.layers.append(descriptor)
        self.diff_ids.append(diff_id)
        self.history.append({"created": CREATED, "created_by": "mkoci " + name})

    def blob_path(self, digest):
        """Return where the blob @digest lies."""
        return os.path.join(self.blobs, digest.partition(":")[2])

    def _put_json(self, media, value):
        data = json.dumps(value, sort_keys=True).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        with open(self.blob_path(digest), "wb") as file:
            file.write(data)
        return {"mediaType": MEDIA + media, "digest": digest, "size": len(data)}

    def finish(self, ref, config):
        """Write config, manifest, index and marker. @config: the "config" object. Return the digest."""
        platform = {"architecture": ARCHES.get(os.uname().machine, os.uname().machine), "os": "linux"}
        config = self._put_json("config.v1+json", {
            **platform, "created": CREATED, "config": config, "history": self.history,
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids}})
        manifest = self._put_json("manifest.v1+json", {
            "schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json",
            "config": config, "layers": self.layers})
        manifest.update(platform=platform,
                        annotations={"org.opencontainers.image.ref.name": ref})
        self._add_to_index(ref, manifest)
        with open(os.path.join(self.out, "oci-layout"), "w", encoding="utf-8") as file:
            json.dump({"imageLayoutVersion": "1.0.0"}, file)
        return manifest["digest"]

    def _add_to_index(self, ref, manifest):
        path = os.path.join(self.out, "index.json")
        index = {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": []}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                index = json.load(file)
        index["manifests"] = [
            m for m in index["manifests"]
            if m.get("annotations", {}).get("org.opencontainers.image.ref.name") != ref]
        index["manifests"].append(manifest)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(index, file, indent=1, sort_keys=True)


def main(argv):
    """Build one image from directories, as the module's text says."""
    if len(argv) < 5:
        print(__doc__, file=sys.stderr)
        return 2
    out, ref, config_path, *layers = argv[1:]
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    image = Image(out)
    for spec in layers:
        path, _, how = spec.partition(":")
        image.layer(os.path.basename(path), lambda layer, p=path: layer.add_tree(p), how != "none")
    print(image.finish(ref, config))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
