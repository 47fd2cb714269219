# SPDX-License-Identifier: Apache-2.0
"""What a pull does to the store: together with others, killed, on a full or read-only disk, with damaged files."""
import shutil
import signal

import pytest

import faults
import lib
import ocimage
import registry as registries
from faults import FaultProxy
from pulls import (PrivateMounts, diff_ids, layers_in_store, names, partial, pull, references, refused, refused_pull,
                   visible)

SIZE = 2_000_000  # of a layer of the "noise" image, and a little more


@pytest.fixture
def noise(proxy, published):
    """(reference through the proxy, image): four layers of 2 MB."""
    return f"{proxy.host}/public/noise:latest", published("noise")


def assert_whole(sbrun, ref, image):
    """The image is there, and nothing else."""
    assert references(sbrun) == {ref: image.digest}
    assert layers_in_store(sbrun) == diff_ids(image)
    assert names(sbrun, "tmp") == [] and names(sbrun, "partial") == []


def contents_of(sbrun, layer, name):
    """Return the bytes of a file of a layer in the store."""
    return (sbrun.root / "layers" / layer.diff_id.replace(":", "-", 1) / name).read_bytes()


def assert_intact(sbrun, image):
    """Every file of the "noise" image is as it was made."""
    for number, layer in enumerate(image.layers):
        data = contents_of(sbrun, layer, f"noise{number}")
        assert ocimage.noise_layer(f"noise{number}", SIZE).diff_id == layer.diff_id == \
            ocimage.digest_of(ocimage.tar_of({f"noise{number}": data}))


# ---- together ------------------------------------------------------------------------------------------------

def finish(processes):
    """Wait for running commands, all of which must succeed."""
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err


def test_many_pulls_of_one_image_fetch_each_layer_once(puller, proxy, noise):
    """At the same time: the others wait for it and find it there."""
    ref, image = noise
    # Who is first holds a layer until the others have asked for the manifest, too.
    fault = proxy.on("blob", image.layers[0].digest, do=faults.stall(1000), times=1)
    running = [puller.start("pull", "--quiet", ref) for _ in range(4)]
    try:
        fault.await_stall()
        proxy.await_count(4, "manifest")
        proxy.release()
        finish(running)
    finally:
        for process in running:
            process.kill()
            process.wait()
    # The layer that broke off was fetched in two parts.
    assert [proxy.count("blob", layer.digest, "GET") for layer in image.layers] == [2, 1, 1, 1]
    assert sum(r.sent for r in proxy.asked("blob", image.layers[0].digest)) == len(image.layers[0].data)
    assert_whole(puller, ref, image)


def test_two_images_pulled_together_share_the_fetched_layers(puller, proxy, registry, published):
    """Each layer is fetched once, whoever is first."""
    common = published("noise").layers
    images = [ocimage.image([*common, ocimage.which(text)], Cmd=["true"]) for text in ("one", "two")]
    for number, image in enumerate(images):
        registry.push(image, f"sharing/{number}", "latest")
    refs = [f"{proxy.host}/sharing/{number}:latest" for number in range(2)]
    finish([puller.start("pull", "--quiet", ref) for ref in refs])
    assert [proxy.count("blob", layer.digest, "GET") for layer in common] == [1] * 4
    assert references(puller) == {ref: image.digest for ref, image in zip(refs, images)}
    assert layers_in_store(puller) == diff_ids(images[0]) | diff_ids(images[1])


def test_an_image_pulled_after_another_fetches_only_what_is_new(puller, proxy, registry, noise):
    """Common layers are there."""
    ref, image = noise
    pull(puller, ref)
    proxy.forget()
    extra = ocimage.which("extra")
    registry.push(ocimage.image([*image.layers, extra], Cmd=["true"]), "sharing/more", "latest")
    pull(puller, f"{proxy.host}/sharing/more")
    assert [proxy.count("blob", layer.digest) for layer in [*image.layers, extra]] == [0, 0, 0, 0, 1]


def test_the_other_goes_on_if_the_first_of_two_pulls_is_killed(puller, proxy, noise):
    """Whoever waits for a layer takes over where it was left."""
    ref, image = noise
    fault = proxy.on("blob", image.layers[0].digest, do=faults.stall(1_000_000), times=1)
    with puller.start("pull", "--quiet", ref) as first:
        fault.await_stall()
        await_partial(puller, image.layers[0], 1_000_000)
        with puller.start("pull", "--quiet", ref) as second:
            proxy.await_count(2, "manifest")
            first.kill()
            first.wait()
            finish([second])
    assert proxy.asked("blob", image.layers[0].digest)[-1].headers["Range"] == "bytes=1000000-"
    puller.ok("gc")  # what the killed one left
    assert_whole(puller, ref, image)
    assert_intact(puller, image)


# ---- killed --------------------------------------------------------------------------------------------------

def await_partial(sbrun, layer, size):
    """Wait until @size bytes of @layer are in the store."""
    path = partial(sbrun, layer.digest)
    lib.eventually(lambda: path.exists() and path.stat().st_size == size, timeout=lib.TIMEOUT_S)


def killed_pull(sbrun, proxy, ref, kind, what, at):
    """Start a pull of @ref and kill it when @at bytes of what it asks have been sent. All of it ends."""
    fault = proxy.on(kind, what, do=faults.stall(at), times=1)
    with sbrun.start("pull", "--quiet", ref) as process:
        fault.await_stall()
        if kind == "blob" and at > 1000:
            path = partial(sbrun, what)
            lib.eventually(lambda: path.exists() and path.stat().st_size == at, timeout=lib.TIMEOUT_S)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    lib.eventually(lambda: not lib.processes(sbrun))
    proxy.clear()
    proxy.forget()


POINTS = {
    "before the manifest": ("manifest", lambda image: "latest", 0),
    "in the manifest": ("manifest", lambda image: "latest", 200),
    "before the configuration": ("blob", lambda image: image.config_digest, 0),
    "in the configuration": ("blob", lambda image: image.config_digest, 100),
    "before a layer": ("blob", lambda image: image.layers[0].digest, 0),
    "in the first layer": ("blob", lambda image: image.layers[0].digest, 1_000_000),
    "in the last layer": ("blob", lambda image: image.layers[3].digest, 1_000_000),
    "one byte before the end": ("blob", lambda image: image.layers[0].digest, -1)}


@pytest.mark.parametrize("kind, what, at", POINTS.values(), ids=POINTS)
def test_a_killed_pull_leaves_a_store_that_works(puller, proxy, noise, kind, what, at):
    """At any point: no image is seen, other commands work, the next pull succeeds and is right."""
    ref, image = noise
    if at < 0:
        at = len(image.layers[0].data) + at
    killed_pull(puller, proxy, ref, kind, what(image), at)
    assert references(puller) == {} and names(puller, "refs") == []
    assert pull(puller, ref) == image.digest
    assert_whole(puller, ref, image)
    assert_intact(puller, image)


@pytest.mark.parametrize("kind, what, at", POINTS.values(), ids=POINTS)
def test_gc_removes_what_a_killed_pull_left(puller, proxy, noise, kind, what, at):
    """Unused things, every file of them; downloads that the next pull can go on with are kept for image prune."""
    ref, image = noise
    if at < 0:
        at = len(image.layers[0].data) + at
    killed_pull(puller, proxy, ref, kind, what(image), at)
    puller.ok("gc")
    assert not any(visible(puller).values())
    puller.ok("image", "prune")
    assert names(puller, "partial") == []
    assert pull(puller, ref) == image.digest


def test_the_next_pull_goes_on_where_a_killed_one_was(puller, proxy, noise):
    """Nothing is fetched twice."""
    ref, image = noise
    layer = image.layers[0]
    killed_pull(puller, proxy, ref, "blob", layer.digest, 1_000_000)
    pull(puller, ref)
    assert [(r.headers["Range"], r.status, r.sent) for r in proxy.asked("blob", layer.digest)] == [
        ("bytes=1000000-", 206, len(layer.data) - 1_000_000)]
    assert_whole(puller, ref, image)
    assert_intact(puller, image)


def test_a_download_that_only_lacks_its_commit_is_not_fetched_again(puller, proxy, noise):
    """All bytes are there, as if it had been killed before the last step."""
    ref, image = noise
    layer = image.layers[0]
    killed_pull(puller, proxy, ref, "blob", layer.digest, 1_000_000)
    partial(puller, layer.digest).write_bytes(layer.data)
    pull(puller, ref)
    assert proxy.count("blob", layer.digest) == 0
    assert_whole(puller, ref, image)


@pytest.mark.parametrize("status", [400, 403, 418])
def test_an_answer_that_makes_no_sense_does_not_cost_what_is_there(puller, proxy, noise, status):
    """It is the registry's fault, not the file's: it is resumed when the registry has come to its senses."""
    ref, image = noise
    layer = image.layers[0]
    killed_pull(puller, proxy, ref, "blob", layer.digest, 1_000_000)
    puller.ok("gc")
    proxy.on("blob", layer.digest, do=faults.error(status, "X", "no"))
    refused_pull(puller, ref, layer.digest.partition(":")[2][:12])
    assert partial(puller, layer.digest).stat().st_size == 1_000_000
    proxy.clear()
    proxy.forget()
    pull(puller, ref)
    assert proxy.asked("blob", layer.digest)[0].headers["Range"] == "bytes=1000000-"
    assert_intact(puller, image)


def test_an_image_of_which_a_layer_is_missing_is_pulled_again(puller, proxy, noise):
    """Whoever removed it: the registry's word that nothing has changed is not enough."""
    ref, image = noise
    pull(puller, ref)
    victim = next(path for path in (puller.root / "layers").iterdir() if path.is_dir())
    shutil.rmtree(victim)
    pull(puller, ref)
    assert victim.is_dir()
    assert_whole(puller, ref, image)


def damage_flip(data):
    """One bit, near the beginning."""
    return data[:1000] + bytes([data[1000] ^ 1]) + data[1001:]


def damage_zeros(data):
    """What file systems leave after a power cut: the length is right, the last pages are not."""
    return data[:-8192] + bytes(8192)


def damage_longer(data):
    """More than the blob has."""
    return data + bytes(SIZE)


def damage_empty(_data):
    """Nothing is left."""
    return b""


@pytest.mark.parametrize("damage", [damage_flip, damage_zeros, damage_longer, damage_empty])
def test_a_damaged_partial_download_is_noticed(puller, proxy, noise, damage):
    """The layer is fetched again from its beginning, and the image is right."""
    ref, image = noise
    layer = image.layers[0]
    killed_pull(puller, proxy, ref, "blob", layer.digest, 1_000_000)
    path = partial(puller, layer.digest)
    path.write_bytes(damage(path.read_bytes()))
    assert pull(puller, ref) == image.digest
    assert proxy.asked("blob", layer.digest)[-1].headers["Range"] in (None, "bytes=0-")
    assert_whole(puller, ref, image)
    assert_intact(puller, image)


def test_gc_beside_a_pull_takes_nothing_away_from_it(puller, proxy, noise):
    """Neither what is being fetched nor what has no name yet."""
    ref, image = noise
    fault = proxy.on("blob", image.layers[0].digest, do=faults.stall(1_000_000), times=1)
    with puller.start("pull", "--quiet", ref) as process:
        fault.await_stall()
        await_partial(puller, image.layers[0], 1_000_000)
        with puller.start("gc") as collector:  # may have to wait for the pull
            proxy.release()
            finish([process, collector])
    assert sum(r.sent for r in proxy.asked("blob", image.layers[0].digest)) == len(image.layers[0].data)
    assert_whole(puller, ref, image)
    assert_intact(puller, image)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_pull_ends_with_all_its_processes(puller, proxy, noise, number):
    """And nothing is seen of it."""
    ref, image = noise
    fault = proxy.on("blob", image.layers[0].digest, do=faults.stall(1_000_000), times=1)
    with puller.start("pull", "--quiet", ref) as process:
        fault.await_stall()
        process.send_signal(number)
        assert process.wait(lib.TIMEOUT_S) != 0
    lib.eventually(lambda: not lib.processes(puller))
    assert references(puller) == {}
    proxy.clear()
    assert pull(puller, ref) == image.digest
    assert_whole(puller, ref, image)


@pytest.mark.parametrize("which", [0, 1])
def test_a_pull_whose_helper_dies_fails_in_one_line(puller, proxy, noise, which):
    """Whichever of its processes it is: the out-of-memory killer chooses."""
    ref, image = noise
    fault = proxy.on("blob", image.layers[0].digest, do=faults.stall(1_000_000), times=1)
    with puller.start("pull", "--quiet", ref) as process:
        fault.await_stall()
        helpers = sorted(pid for pid, _ in lib.processes(puller) if pid != process.pid)
        assert len(helpers) >= 2, "fetching and unpacking are processes of their own"
        lib.kill(helpers[which])
        out, err = process.communicate(timeout=lib.TIMEOUT_S)
    assert process.returncode == 125 and out == b"" and err.count(b"\n") == 1, err
    lib.eventually(lambda: not lib.processes(puller))
    assert not any(names(puller, kind) for kind in ("refs", "tmp"))


# ---- disks ---------------------------------------------------------------------------------------------------

@pytest.fixture
def mounted(puller, tmp_path):
    """A function: mounted("1m") puts the store on a tmpfs of that size that nobody else sees."""
    made = []

    def mount(size):
        made.append(PrivateMounts(tmp_path / "disk", size))
        puller.program = [*made[-1].enter, lib.BIN]
        puller.env["SBRUN_ROOT"] = str(tmp_path / "disk/store")
        puller.root = made[-1].seen / "store"
        return made[-1]

    yield mount
    # The store has gone with the namespace.
    for disk in made:
        disk.__exit__()
    if made:
        puller.program = [lib.BIN]
        puller.env["SBRUN_ROOT"] = str(tmp_path / "store")


def test_a_full_disk_is_one_clear_line(puller, proxy, noise, mounted):
    """Nothing is half there; with more room the pull succeeds."""
    ref, image = noise
    disk = mounted("3m")
    result = puller("pull", "--quiet", ref)
    refused(result, "no space left")
    assert {kind: names(puller, kind) for kind in ("refs", "tmp")} == {"refs": [], "tmp": []}
    assert references(puller) == {}
    disk.remount("size=64m")
    assert pull(puller, ref) == image.digest
    assert_whole(puller, ref, image)
    assert_intact(puller, image)


def test_a_disk_without_inodes_is_one_clear_line(puller, proxy, published, mounted):
    """Four hundred links do not fit into a hundred."""
    image = published("busybox")
    disk = mounted("64m,nr_inodes=100")
    refused(puller("pull", "--quiet", f"{proxy.host}/public/busybox:latest"), "no space left")
    assert {kind: names(puller, kind) for kind in ("refs", "tmp")} == {"refs": [], "tmp": []}
    disk.remount("nr_inodes=100000")
    assert pull(puller, f"{proxy.host}/public/busybox:latest") == image.digest


def test_a_read_only_store_is_one_clear_line(puller, proxy, noise, published, mounted):
    """Whether it is empty or has an image."""
    image = published("busybox")
    disk = mounted("64m")
    disk.remount("ro")
    refused(puller("pull", "--quiet", noise[0]), "read-only")
    disk.remount("rw")
    pull(puller, f"{proxy.host}/public/busybox:latest")
    disk.remount("ro")
    refused_pull(puller, noise[0], "read-only")
    assert list(references(puller).values()) == [image.digest]


def test_a_store_that_cannot_be_made_is_one_clear_line(puller, proxy, noise, tmp_path):
    """There is a file in its place."""
    (tmp_path / "file").write_text("")
    refused(puller("pull", "--quiet", noise[0], env={"SBRUN_ROOT": str(tmp_path / "file/store")}), "file/store")
    assert proxy.count("blob") == 0


# ---- the registry dies ---------------------------------------------------------------------------------------

def test_a_registry_that_dies_is_one_clear_line(puller, registry_dir, published, tmp_path):
    """In the middle of a layer; when it is back the pull goes on from there."""
    image = published("noise")
    layer = image.layers[0]
    server = registries.Registry(tmp_path / "mortal", registry_dir / "storage")
    front = FaultProxy(server)
    ref = f"{front.host}/public/noise:latest"
    try:
        fault = front.on("blob", layer.digest, do=faults.stall(1_000_000))
        with puller.start("pull", "--quiet", ref) as process:
            fault.await_stall()
            await_partial(puller, layer, 1_000_000)
            server.stop()
            front.clear()
            front.release()
            out, err = process.communicate(timeout=120)
        assert process.returncode == 125 and out == b"" and err.count(b"\n") == 1, err
        assert front.host.encode() in err
        assert names(puller, "refs") == [] and names(puller, "tmp") == []
        assert references(puller) == {}
        again = registries.Registry(tmp_path / "again", registry_dir / "storage")
        try:
            front.upstream = (again.address, again.port)
            front.forget()
            assert pull(puller, ref) == image.digest
        finally:
            again.stop()
        assert [r.headers["Range"] for r in front.asked("blob", layer.digest)] == ["bytes=1000000-"]
        assert_whole(puller, ref, image)
    finally:
        front.close()
        server.stop()


def test_a_registry_that_is_not_there_is_one_clear_line(puller):
    """Nobody listens."""
    port = registries.free_port("::1")
    refused_pull(puller, f"[::1]:{port}/public/busybox", f"[::1]:{port}", "refused")


def test_a_failed_pull_leaves_an_older_image_of_the_name_alone(puller, proxy, registry, published):
    """It runs as before."""
    base = ocimage.base_of(published("busybox"))
    ref = f"{proxy.host}/moving/broken:latest"
    registry.push(ocimage.image([base, ocimage.which("old")], Env=["PATH=/bin"], Cmd=["cat", "/which"]),
                  "moving/broken", "latest")
    pull(puller, ref)
    new = ocimage.image([base, ocimage.which("new")], Env=["PATH=/bin"], Cmd=["cat", "/which"])
    registry.push(new, "moving/broken", "latest")
    proxy.on("blob", new.layers[1].digest, do=faults.flip(20))
    refused_pull(puller, ref, new.layers[1].digest.partition(":")[2][:12])
    assert visible(puller)["refs"] != []
    assert puller.ok("run", "--rm", "--pull", "never", ref).out == "old\n"
