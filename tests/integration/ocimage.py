# SPDX-License-Identifier: Apache-2.0
"""Images in memory for the tests of pulling: layers of a few files, manifests, indexes.

What mkimage builds lies on disk as a layout; here a test can give any part of an image the shape it needs.
Formats: image-spec v1.1 (manifest.md, image-index.md, descriptor.md), Docker's "Image Manifest V2, Schema 2".
"""
import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass, field

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
OTHER_ARCH = {"amd64": "arm64", "arm64": "amd64"}[ARCH]


def digest_of(data):
    """Return the digest of @data, as OCI writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def zstd(data):
    """Return @data compressed by zstd."""
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def gzip_members(data, n):
    """Return @data compressed as @n members of gzip, one after the other (RFC 1952 section 2.2)."""
    step = -(-len(data) // n)
    return b"".join(gzip.compress(data[at:at + step], mtime=0) for at in range(0, len(data), step))


@dataclass
class Layer:
    """A layer as it travels: @data compressed in some way, @diff_id the digest of the tar."""
    data: bytes
    diff_id: str
    media: str

    @property
    def digest(self):
        """The digest of the blob."""
        return digest_of(self.data)


@dataclass
class Image:
    """An image or an index: what is sent to a registry, and what it points to."""
    manifest: bytes
    media: str
    layers: list = field(default_factory=list)
    blobs: dict = field(default_factory=dict)  # bytes of config and layers by digest
    children: list = field(default_factory=list)  # the images of an index

    @property
    def digest(self):
        """The digest of the manifest or index."""
        return digest_of(self.manifest)

    @property
    def config_digest(self):
        """The digest of the configuration."""
        return json.loads(self.manifest)["config"]["digest"]


def tar_of(files):
    """Return a tar of regular files, {name: bytes}."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1717200000
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


def layer(files, how="gzip"):
    """Return a Layer of @files. @how: "gzip", "zstd", "none", or the number of members of gzip."""
    tar = files if isinstance(files, bytes) else tar_of(files)
    if how == "none":
        return Layer(tar, digest_of(tar), OCI_LAYER)
    if how == "zstd":
        return Layer(zstd(tar), digest_of(tar), OCI_LAYER + "+zstd")
    return Layer(gzip_members(tar, 1 if how == "gzip" else how), digest_of(tar), OCI_LAYER + "+gzip")


def noise_layer(name, size):
    """Return a Layer of one file of @size bytes that cannot be compressed, the same ones in every run."""
    return layer({name: hashlib.shake_128(name.encode()).digest(size)})


def descriptor(data, media, /, **more):
    """Return the descriptor of a blob."""
    return {"mediaType": media, "digest": digest_of(data), "size": len(data), **more}


def image(layers, arch=ARCH, docker=False, embed=None, os_name="linux", **config):
    """Return an Image of @layers. @config: Env, Cmd ...; @embed: put this as "data" into the config's descriptor."""
    body = json.dumps({"architecture": arch, "os": os_name, "created": "2024-06-01T00:00:00Z", "config": config,
                       "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]}}).encode()
    media = DOCKER_MANIFEST if docker else OCI_MANIFEST
    more = {} if embed is None else {"data": base64.b64encode(body if embed is True else embed).decode()}
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": media,
        "config": descriptor(body, DOCKER_CONFIG if docker else OCI_CONFIG, **more),
        "layers": [descriptor(one.data, DOCKER_LAYER if docker else one.media) for one in layers]}).encode()
    return Image(manifest, media, list(layers), {digest_of(body): body, **{one.digest: one.data for one in layers}})


def attestation(subject):
    """Return what builders put beside an image: a manifest that is no image, for the platform unknown/unknown."""
    statement = Layer(json.dumps({"subject": subject.digest}).encode(), "", "application/vnd.in-toto+json")
    made = image([], arch="unknown", os_name="unknown")
    manifest = json.loads(made.manifest)
    manifest["layers"] = [descriptor(statement.data, statement.media)]
    return Image(json.dumps(manifest).encode(), made.media, [], {**made.blobs, statement.digest: statement.data})


def index(children, docker=False):
    """Return an index of @children: pairs of an Image and "os/arch[/variant]", or None for no platform."""
    entries = []
    for child, platform in children:
        entry = descriptor(child.manifest, child.media)
        if platform:
            entry["platform"] = dict(zip(("os", "architecture", "variant"), platform.split("/")))
        entries.append(entry)
    media = DOCKER_LIST if docker else OCI_INDEX
    body = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": entries}).encode()
    return Image(body, media, children=[child for child, _ in children])


def from_layout(layout):
    """Return the only image of a layout directory."""
    def blob(digest):
        return (layout / "blobs/sha256" / digest.partition(":")[2]).read_bytes()

    top = json.loads((layout / "index.json").read_text())["manifests"][0]
    manifest = blob(top["digest"])
    parts = json.loads(manifest)
    config = blob(parts["config"]["digest"])
    layers = [Layer(blob(one["digest"]), diff_id, one["mediaType"])
              for one, diff_id in zip(parts["layers"], json.loads(config)["rootfs"]["diff_ids"])]
    return Image(manifest, top["mediaType"], layers,
                 {digest_of(config): config, **{one.digest: one.data for one in layers}})


# ---- images of many kinds, on top of busybox so that they run ------------------------------------------------

def base_of(busybox):
    """Return the layer that makes an image run."""
    return busybox.layers[0]


def which(text):
    """Return a layer with the file /which, by which a test knows what it runs."""
    return layer({"which": text.encode() + b"\n"})


def _single(how):
    """An image whose second layer is compressed in the way @how."""
    def make(busybox):
        return image([base_of(busybox), layer({"which": b"which\n", "zeros": bytes(300_000)}, how)],
                     Env=["PATH=/bin"], Cmd=["cat", "/which"])
    return make


def _docker(busybox):
    """An image of Docker's media types."""
    return image([base_of(busybox), which("docker")], docker=True, Env=["PATH=/bin"], Cmd=["cat", "/which"])


def _for(busybox, arch):
    """An image for @arch (by what it says: the program in it is the host's)."""
    return image([base_of(busybox), which(arch)], arch=arch, Env=["PATH=/bin"], Cmd=["cat", "/which"])


def _multi(busybox):
    """An index of two platforms, with an attestation of each that comes first."""
    ours, other = _for(busybox, ARCH), _for(busybox, OTHER_ARCH)
    return index([(attestation(ours), "unknown/unknown"), (attestation(other), "unknown/unknown"),
                  (other, f"linux/{OTHER_ARCH}"), (ours, f"linux/{ARCH}")])


def _nested(busybox):
    """An index that has our image in an index of its own."""
    return index([(_for(busybox, OTHER_ARCH), f"linux/{OTHER_ARCH}"),
                  (index([(_for(busybox, ARCH), f"linux/{ARCH}")]), None)])


def _foreign(busybox):
    """An index without an image for us."""
    return index([(_for(busybox, OTHER_ARCH), f"linux/{OTHER_ARCH}"), (_for(busybox, "s390x"), "linux/s390x")])


def _variants(busybox):
    """An index of the variants of arm."""
    return index([(image([base_of(busybox), which(name)], arch="arm", Cmd=["true"]), f"linux/arm/{name}")
                  for name in ("v5", "v6", "v7")])


def _embedded(busybox):
    """An image whose configuration is embedded in the manifest (descriptor.md "Embedded Content")."""
    return image([base_of(busybox), which("embedded")], embed=True, Env=["PATH=/bin"], Cmd=["cat", "/which"])


def _noise(_busybox):
    """Four layers, 8 MB in all: long enough to be broken off anywhere."""
    return image([noise_layer(f"noise{n}", 2_000_000) for n in range(4)], Cmd=["true"])


KINDS = {"gzip": _single("gzip"), "zstd": _single("zstd"), "uncompressed": _single("none"), "members": _single(5),
         "docker": _docker, "docker-list": lambda b: index([(_docker(b), f"linux/{ARCH}")], docker=True),
         "multi": _multi, "nested": _nested, "foreign": _foreign, "variants": _variants, "embedded": _embedded,
         "noise": _noise}
