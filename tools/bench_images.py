# SPDX-License-Identifier: Apache-2.0
"""The section "images" of tools/bench: from a registry or an archive to a root file system.

Every repetition gives every program an empty store in a new directory, and nothing is deleted before the end: where
files were deleted lately, some file systems make new ones slowly.
"""
import collections
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from statistics import median

from bench_common import REPO, Failure, cell, descendants, judged, print_targets, quietly, say
from bench_host import Daemon, Registry, make_scratch, peak_kb, settle, unmount_below

NAME, TAG = "library/python", "3.12-slim"
TIME_LIMIT_S = 300


# ---- what is run --------------------------------------------------------------------------------------------

class Image:
    """The image under test: as a layout, as an archive, and what it is called."""

    def __init__(self, work):
        self.layout = quietly(os.path.join(REPO, "tools/mkimage"), "python").strip()
        self.archive = os.path.join(work, "python.tar")
        quietly(os.path.join(REPO, "tools/mkimage"), "python", self.archive)
        with open(os.path.join(self.layout, "index.json"), encoding="utf-8") as file:
            entry = json.load(file)["manifests"][0]
        self.digest = entry["digest"]
        self.tag = entry["annotations"]["org.opencontainers.image.ref.name"]
        with open(self.blob(self.digest), encoding="utf-8") as file:
            manifest = json.load(file)
        self.id = manifest["config"]["digest"]
        self.layers = [layer["digest"] for layer in manifest["layers"]]

    def blob(self, digest):
        """Return the file of a blob."""
        return os.path.join(self.layout, "blobs", *digest.split(":"))

    def push(self, host):
        """Put it into the registry @host, by distribution-spec "Pushing": skopeo would leave a cache on the host."""
        link = http.client.HTTPConnection(host)
        for digest in [self.id, *self.layers]:
            place = request(link, "POST", f"/v2/{NAME}/blobs/uploads/", 202)
            with open(self.blob(digest), "rb") as file:
                request(link, "PUT", f"{place}&digest={digest}", 201, file.read(), "application/octet-stream")
        with open(self.blob(self.digest), "rb") as file:
            request(link, "PUT", f"/v2/{NAME}/manifests/{TAG}", 201, file.read(),
                    "application/vnd.oci.image.manifest.v1+json")
        link.close()


def request(link, method, url, expected, body=b"", kind="text/plain"):
    """Send a request to a registry. Return the location that it answers with."""
    link.request(method, url, body, {"Content-Type": kind})
    answer = link.getresponse()
    answer.read()
    if answer.status != expected:
        raise Failure(f"the registry answers {method} {url} with {answer.status}")
    return answer.headers.get("Location", "")


class Tool:
    """A program under comparison, with a store in @where. Methods without a text return the words of a command."""
    needs, daemon = (), None

    def __init__(self, stack, where, image, registry):
        self.where, self.image, self.registry = where, image, registry
        self.env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        self.env.update(TMPDIR=where, HOME=where)
        self.pulled = True  # else it was loaded
        self.start(stack)

    def start(self, stack):
        """Get ready."""

    def run(self, *words):
        """Run a command that is not measured."""
        return quietly(*words, env=self.env)

    def reference(self, host):
        """Return the name in the registry @host."""
        return f"{self.registry.hosts[host]}/{NAME}:{TAG}"

    def cpu_ms(self):
        """Return the processor time of its daemon so far."""
        return self.daemon.cpu_ms() if self.daemon else 0

    def between(self):
        """Give the root file system back, so that rootfs() can make it again."""


class Sbrun(Tool):
    """Our own program."""
    title = "sbrun"

    def start(self, stack):
        run = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbrun-bench-", dir="/run"))
        config = os.path.join(self.where, "config.json")
        with open(config, "w", encoding="utf-8") as file:
            file.write("{}\n")
        self.env.update(SBRUN_ROOT=os.path.join(self.where, "store"), SBRUN_RUN=run, SBRUN_CONFIG=config)
        stack.callback(self.clean)

    def clean(self):
        """Remove all sandboxes."""
        ids = [entry["id"] for entry in json.loads(self.run("sbrun", "ps", "-a", "--json") or "[]")]
        if ids:
            self.run("sbrun", "rm", "-f", *ids)
        self.run("sbrun", "gc")

    def pull(self):
        return ["sbrun", "pull", "--quiet", self.reference(0)]

    def load(self):
        return ["sbrun", "load", "--name", "python", self.image.archive]

    def rootfs(self):
        return ["sbrun", "run", "--rm", self.reference(0) if self.pulled else "python", "true"]

    def create(self):
        return ["sbrun", "create", "--ttl", "1h", "python"]


class Podman(Tool):
    """podman, with all it keeps in one directory."""
    title, needs = "podman", ("podman",)

    def start(self, stack):
        at = {key: os.path.join(self.where, key) for key in ("graph", "run", "tmp", "volumes", "static", "net")}
        storage, engine = (os.path.join(self.where, name) for name in ("storage.conf", "containers.conf"))
        with open(storage, "w", encoding="utf-8") as file:
            file.write(f'[storage]\ndriver = "overlay"\ngraphroot = "{at["graph"]}"\nrunroot = "{at["run"]}"\n')
        with open(engine, "w", encoding="utf-8") as file:
            # Locks in a file: the others would be in /dev/shm, for all podmans of the host.
            file.write('[engine]\nlock_type = "file"\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n'
                       f'tmp_dir = "{at["tmp"]}"\nvolume_path = "{at["volumes"]}"\nstatic_dir = "{at["static"]}"\n'
                       f'[network]\nnetwork_config_dir = "{at["net"]}"\n')
        self.hide_cache(stack)
        self.env.update(CONTAINERS_STORAGE_CONF=storage, CONTAINERS_CONF=engine)
        self.run("podman", "images")  # sets itself up

    def hide_cache(self, stack):
        """Put a new directory over the one where it remembers blobs, wherever its store is (for us only)."""
        host, ours = "/var/lib/containers", os.path.join(self.where, "host")
        if not os.path.isdir(host):
            os.mkdir(host, 0o700)
            stack.callback(os.rmdir, host)
        os.mkdir(ours)
        quietly("mount", "--bind", ours, host)
        stack.callback(unmount_below, host)

    def pull(self):
        return ["podman", "pull", "--quiet", "--tls-verify=false", self.reference(1)]

    def load(self):
        return ["podman", "load", "--quiet", "--input", self.image.archive]

    def rootfs(self):
        return ["podman", "image", "mount", self.image.id]

    def between(self):
        self.run("podman", "image", "umount", self.image.id)


class Containerd(Tool):
    """ctr with a containerd of its own."""
    title, needs = "containerd", ("containerd", "ctr")

    def start(self, stack):
        address, config = (os.path.join(self.where, name) for name in ("sock", "config.toml"))
        with open(config, "w", encoding="utf-8") as file:
            # Without what makes directories elsewhere on the host.
            file.write(f'version = 2\nroot = "{self.where}/root"\nstate = "{self.where}/state"\n'
                       'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
                       f'[grpc]\naddress = "{address}"\n[ttrpc]\naddress = "{address}.ttrpc"\n')
        self.daemon = Daemon(stack, ["containerd", "--config", config, "--log-level", "error"], config + ".log")
        self.daemon.await_socket(socket.AF_UNIX, address)
        self.ctr = ["ctr", "--address", address, "images"]
        self.run(*self.ctr, "ls")  # the socket is there before the service is
        self.mounts = 0

    def pull(self):
        return [*self.ctr, "pull", "--plain-http", self.reference(0)]

    def load(self):
        return [*self.ctr, "import", "--base-name", f"docker.io/{NAME}", self.image.archive]

    def rootfs(self):
        self.mounts += 1
        target = os.path.join(self.where, f"mount{self.mounts}")
        os.mkdir(target)
        name = self.reference(0) if self.pulled else f"docker.io/{NAME}:{self.image.tag}"
        return [*self.ctr, "mount", name, target]


TOOLS = {"sbrun": Sbrun, "podman": Podman, "containerd": Containerd}


def versions(keys):
    """Return the titles of the columns."""
    titles = {}
    for key in keys:
        text = quietly(key, "--version") if key != "sbrun" else ""
        found = re.search(r"\d+(\.\d+)+", text)
        titles[key] = f"{key} {found.group()}" if found else key
    return titles


# ---- measuring ----------------------------------------------------------------------------------------------

# ms of one command: wall, processor time of it and all that it starts, of its daemon, of the registry; kB
Sample = collections.namedtuple("Sample", "wall cpu daemon registry peak")


class Bench:
    """All samples, by stage and program."""

    def __init__(self, work, image, registry):
        self.work, self.image, self.registry = work, image, registry
        self.samples = collections.defaultdict(list)
        self.steps = collections.defaultdict(list)
        self.amounts, self.notes, self.failures, self.skip = {}, {}, {}, set()
        self.peaks = {}

    def sample(self, tool, words, *flags):
        """Run @words with sb_measure. Return the sample, or raise Failure with what it said."""
        registry = self.registry.cpu_ms() if self.registry else 0
        settle(self.work)
        daemon = tool.cpu_ms()
        # A file, not a pipe: processes that stay keep it open.
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            with subprocess.Popen(["sb_measure", *flags, *words], env=tool.env, text=True, stderr=errors,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
                try:
                    out, _ = process.communicate(timeout=TIME_LIMIT_S)
                finally:
                    process.kill()
            errors.seek(0)
            said = errors.read().strip().splitlines() or ["no message"]
        fields = out.split()
        if process.returncode or fields[3] != "0":
            raise Failure(said[-1])
        used = tool.cpu_ms() - daemon
        registry = self.registry.cpu_ms() - registry if self.registry else 0
        return Sample(float(fields[0]), float(fields[1]), used, registry, int(fields[2]))

    def place(self):
        """Return a new directory."""
        return tempfile.mkdtemp(dir=self.work)

    def chain(self, key, stages, warm):
        """Take the program @key through @stages with an empty store. @warm: to find out whether it can."""
        if (key, stages[0]) in self.skip:
            return
        try:
            with contextlib.ExitStack() as stack:
                tool = TOOLS[key](stack, self.place(), self.image, self.registry)
                for stage, taken in self.stages(tool, stages):
                    if not warm:
                        self.samples[f"{stages[0]}|{stage}", key].append(taken)
                if tool.daemon:
                    what = f"{key}, the daemon, after {stages[0]}"
                    self.peaks[what] = max(self.peaks.get(what, 0), peak_kb(tool.daemon.process.pid))
        except (Failure, subprocess.TimeoutExpired) as error:
            if warm:
                self.skip.add((key, stages[0]))
            if warm and key != "sbrun":
                self.notes[f"{key}, {stages[0]}"] = f"not compared: {error}"
            else:
                self.failures.setdefault((stages[0], key), []).append(str(error))

    def stages(self, tool, stages):
        """Take @tool through @stages. Yield each with its sample."""
        tool.pulled = stages[0] == "pull"
        flags = ["-k"] if stages[0] == "create" else []
        if stages[0] == "create":
            tool.run(*tool.load())
        for stage in stages:
            if stage == "rootfs again":
                tool.between()
            yield stage, self.sample(tool, getattr(tool, stage.split()[0])(), *flags)

    def raw(self, warm):
        """What the bytes cost at least on this machine."""
        found = {}
        if self.registry:
            urls = [word for digest in self.image.layers
                    for word in ("-o", "/dev/null", f"http://{self.registry.hosts[0]}/v2/{NAME}/blobs/{digest}")]
            tool = Tool(None, self.work, self.image, self.registry)
            found["download"] = self.sample(tool, ["curl", "-sSf", "-g", "--parallel", *urls]).wall
        settle(self.work)
        out = quietly("sb_steps", self.place(), *(self.image.blob(digest) for digest in self.image.layers))
        for line in out.splitlines():
            step, ms, amount = line.split("\t")
            found[step], self.amounts[step] = float(ms), int(amount)
        for step, ms in found.items():
            if not warm:
                self.steps[step].append(ms)

    def memory(self, stage):
        """Watch the processes of sbrun-image during a @stage that is not timed."""
        if ("sbrun", stage) in self.skip:
            return
        with contextlib.ExitStack() as stack:
            tool = Sbrun(stack, self.place(), self.image, self.registry)
            found = {}
            with subprocess.Popen(getattr(tool, stage)(), env=tool.env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                while process.poll() is None:
                    for pid in descendants(process.pid):
                        with contextlib.suppress(OSError):
                            if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "sbrun-image":
                                found[pid] = max(found.get(pid, 0), peak_kb(pid))
                    time.sleep(0.001)
        if process.returncode == 0 and found:
            for what, size in ((f"sbrun {stage}, the largest sbrun-image", max(found.values())),
                               (f"sbrun {stage}, all sbrun-image together", sum(found.values()))):
                self.peaks[what] = max(self.peaks.get(what, 0), size)


CHAINS = (("pull", "rootfs", "rootfs again"), ("load", "rootfs", "rootfs again"))


def measure_all(bench, keys, runs):
    """Take all samples; the first time is to warm up."""
    for number in range(runs + 1):
        say(f"images, {number} of {runs}" if number else "images, warming up")
        warm = number == 0
        turn = keys[number % len(keys):] + keys[:number % len(keys)]
        bench.raw(warm)
        for stages in CHAINS if bench.registry else CHAINS[1:]:
            for key in turn:
                bench.chain(key, stages, warm)
        bench.chain("sbrun", ("create", "create again"), warm)
    for _ in range(min(runs, 3)):
        for stage in ("pull", "load") if bench.registry else ("load",):
            bench.memory(stage)


# ---- results ------------------------------------------------------------------------------------------------

# text, stages that are added
ROWS = (
    ("pull", ("pull|pull",)),
    ("pull + first rootfs", ("pull|pull", "pull|rootfs")),
    ("  the rootfs of that", ("pull|rootfs",)),
    ("  rootfs again", ("pull|rootfs again",)),
    ("load", ("load|load",)),
    ("load + first rootfs", ("load|load", "load|rootfs")),
    ("  the rootfs of that", ("load|rootfs",)),
    ("  rootfs again", ("load|rootfs again",)),
    ("create, first after load", ("create|create",)),
    ("create again", ("create|create again",)),
)

CAVEATS = """
What is compared: the time until the command ends, from an empty store, and the processor time of the command, all
that it starts, and containerd. 'rootfs' is 'podman image mount' and 'ctr images mount'; of sbrun it is
'run --rm IMAGE true', which does more: namespaces, limits, network, the command itself, and removing it all.
Before each command the file system is synced. Registry and archive are in the page cache. 'create' leaves a sandbox
behind, so its processor time is not known. Peak memory: the largest process by wait4 (ru_maxrss) in the timed runs;
of each sbrun-image VmHWM, looked at every millisecond in runs of their own. Ratio: sbrun's median by theirs.
The sum of steps is what each costs alone on one processor, divided by two processors; syncfs is not in it.
""".strip()


def spread(bench, stages, key):
    """Return medians and extremes of @stages together, None if not all were measured."""
    lists = [bench.samples.get((stage, key)) for stage in stages]
    if not all(lists):
        return None
    walls = [sum(s.wall for s in turn) for turn in zip(*lists)]
    cpus = [sum(s.cpu + s.daemon for s in turn) for turn in zip(*lists)]
    known = not stages[0].startswith("create")
    return {"n": len(walls), "medianMs": median(walls), "minMs": min(walls), "maxMs": max(walls),
            "cpuMs": median(cpus) if known else None,
            "daemonCpuMs": median([sum(s.daemon for s in turn) for turn in zip(*lists)]) if known else None,
            "registryCpuMs": median([sum(s.registry for s in turn) for turn in zip(*lists)]),
            "peakRssKb": max(s.peak for one in lists for s in one)}


def ratio(mine, theirs, field):
    """Return ours by theirs, None if one is missing."""
    if not mine or not theirs or mine[field] is None or theirs[field] is None:
        return None
    return mine[field] / theirs[field]


def steps_of(bench):
    """Return the median of each step, and the sums over two processors of a pull and a load."""
    steps = {step: median(times) for step, times in bench.steps.items()}
    load = sum(ms for step, ms in steps.items() if step not in ("download", "syncfs")) / 2
    return {"ms": steps, "loadMs": load, "pullMs": load + steps["download"] / 2 if "download" in steps else None}


def judge(results, steps, peaks):
    """Return the targets of the project with what was measured."""
    targets = []
    for what in ("pull", "load"):
        mine = results.get((f"{what} + first rootfs", "sbrun"))
        for key in ("podman", "containerd"):
            theirs = results.get((f"{what} + first rootfs", key))
            for field, text in (("medianMs", "wall"), ("cpuMs", "cpu")):
                targets.append(judged(f"{what} + first rootfs, {text}, by {key}'s", ratio(mine, theirs, field), 0.25,
                                      "without both"))
        floor = steps[f"{what}Ms"]
        targets.append(judged(f"{what} + first rootfs by the sum of steps on 2 processors",
                              mine["medianMs"] / floor if mine and floor else None, 1.6, "without both"))
        peak = peaks.get(f"sbrun {what}, all sbrun-image together")
        targets.append(judged(f"{what}, peak memory of all sbrun-image by 40 MB", peak / 40960 if peak else None, 1.0,
                              "without it"))
    return targets


def print_table(results, titles):
    """Print the times with a group of columns for each program."""
    others = [key for key in titles if key != "sbrun"]
    print(f"{'milliseconds':26}{'sbrun':>24}" + "".join(f"{titles[key]:>40}" for key in others))
    print(f"{'':26}{'wall':>8}{'min':>8}{'cpu':>8}" + f"{'wall':>10}{'min':>8}{'ratio':>7}{'cpu':>8}{'ratio':>7}"
          * len(others))
    for text, _ in rows():
        if not any((text, key) in results for key in titles):
            continue
        mine = results.get((text, "sbrun"))
        line = f"{text.partition(':')[2] or text:26}"
        for key in titles:
            got = results.get((text, key))
            wall, least, cpu = (got[field] if got else None for field in ("medianMs", "minMs", "cpuMs"))
            if key == "sbrun":
                line += cell(wall) + cell(least) + cell(cpu)
            else:
                line += (cell(wall, 10) + cell(least) + cell(ratio(mine, got, "medianMs"), 7)
                         + cell(cpu) + cell(ratio(mine, got, "cpuMs"), 7))
        print(line)


def rows():
    """Return the rows with texts that differ: those of a row above begin with its name and a colon."""
    above, found = "", []
    for text, stages in ROWS:
        if not text.startswith(" "):
            above = text
        found.append((f"{above}:{text}" if text.startswith(" ") else text, stages))
    return found


def report(data, results, titles):
    """Print everything for people."""
    print(f"Images; n = {data['runs']}; load {data['loadBefore']} before, {data['loadAfter']} after")
    image, steps = data["image"], data["steps"]
    print(f"An image like python:3.12-slim: {image['compressedBytes'] / 1e6:.1f} MB in {image['layers']} layers, "
          f"{image['tarBytes'] / 1e6:.1f} MB unpacked, {image['entries']} entries")
    print(f"Stores on {data['scratch']}\n")
    print_table(results, titles)
    if data["registryCpuMs"]:
        print("registry, cpu per pull (not counted): "
              + ", ".join(f"{key} {ms:.0f}" for key, ms in data["registryCpuMs"].items()))
    print("\nsteps, each alone: " + ", ".join(f"{step} {ms:.0f}" for step, ms in steps["ms"].items()))
    for what in ("pull", "load"):
        mine = [results.get((row, "sbrun")) for row in (what, f"{what} + first rootfs")]
        if steps[f"{what}Ms"]:
            ours = "".join(f"; {text} {found['medianMs'] / steps[f'{what}Ms']:.2f} of it"
                           for text, found in zip((what, f"{what} + first rootfs"), mine) if found)
            print(f"sum of steps / 2 processors, {what}: {steps[f'{what}Ms']:.0f}{ours}")
    first, again = (results.get((row, "sbrun")) for row in ("create, first after load", "create again"))
    if first and again:
        print(f"create again by the first: {again['medianMs'] / first['medianMs']:.2f}")
    print(f"\n{'memory, kB':46}{'peak RSS':>12}")
    for what, size in data["peakRssKb"].items():
        print(f"{what:46}{size:>12}")
    print_targets(data["targets"])
    print("\n" + CAVEATS)
    for key, note in data["notes"].items():
        print(f"{key}: {note}")
    for failed in data["failures"]:
        print(f"FAILED: {failed['measure']} of {failed['program']}: {failed['count']} times: {failed['message']}")


# ---- the section --------------------------------------------------------------------------------------------

def prepare(stack, args):
    """Make the image, start the registry. Return the samples-to-be, the programs, where the stores are."""
    work, place = make_scratch(stack, args)
    say("make the image")
    image = Image(work)
    registry, notes = None, {}
    if shutil.which("docker-registry"):
        registry = Registry(stack, work)
        image.push(registry.hosts[1])
    else:
        notes["pull"] = "not measured: docker-registry is not installed: tools/setup --bench"
    keys = []
    for key, tool in TOOLS.items():
        if all(shutil.which(program) for program in tool.needs):
            keys.append(key)
        else:
            notes[key] = "not compared: not installed: tools/setup --bench"
    bench = Bench(work, image, registry)
    bench.notes.update(notes)
    return bench, keys, place


def measure(args):
    """Measure everything. Return the data for --json, and a function that prints it."""
    before = round(os.getloadavg()[0], 2)
    with contextlib.ExitStack() as stack:
        bench, keys, place = prepare(stack, args)
        measure_all(bench, keys, args.runs)
        say("clean up")
    titles = versions(keys)
    results = {}
    for text, stages in rows():
        for key in keys:
            found = spread(bench, stages, key)
            if found:
                results[text, key] = found
    for (stage, key), taken in sorted(bench.samples.items()):
        if stage in ("pull|pull", "load|load"):
            what = "ctr" if key == "containerd" else key
            bench.peaks[f"{what} {stage.partition('|')[0]}, the largest process"] = max(s.peak for s in taken)
    steps = steps_of(bench)
    data = {
        "runs": args.runs, "loadBefore": before, "loadAfter": round(os.getloadavg()[0], 2), "scratch": place,
        "image": {"layers": len(bench.image.layers), "entries": bench.amounts["files"],
                  "compressedBytes": bench.amounts["sha256 of the compressed layers"],
                  "tarBytes": bench.amounts["inflate"]},
        "times": [{"measure": text.replace(":", ",").replace("  ", " "), "program": key, **found}
                  for (text, key), found in results.items()],
        "registryCpuMs": {key: found["registryCpuMs"] for (text, key), found in results.items() if text == "pull"},
        "steps": steps, "peakRssKb": dict(sorted(bench.peaks.items())),
        "targets": judge(results, steps, bench.peaks), "notes": bench.notes,
        "failures": [{"measure": stage, "program": key, "count": len(said), "message": said[-1]}
                     for (stage, key), said in bench.failures.items()],
    }
    return data, lambda: report(data, results, titles)
