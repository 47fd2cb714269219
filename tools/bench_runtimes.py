# SPDX-License-Identifier: Apache-2.0
"""The section "runtimes" of tools/bench: starting, joining and removing containers, and what stays in memory.

Builds what every program needs from one busybox file system, and times all of them in turn (A B A B ...).
"hot" is back to back, "cold" after 50 ms of idleness, which is what a control plane sees.
"""
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

import mkoci
from bench_common import (REPO, Failure, cell, descendants, judged, print_targets, quietly, reason, say,
                          summary)

IDLE_MS = 50
BURST = 4  # timed runs of a "hot" turn
SEQUENCE, PARALLEL = 100, 20
SECCOMP = "/usr/share/containers/seccomp.json"  # Debian: golang-github-containers-common
UNIFIED = "/sys/fs/cgroup/unified"
# by uname -m: the name in a filter, and in the conditions of that file
SECCOMP_ARCH = {"x86_64": ("SCMP_ARCH_X86_64", "amd64"), "aarch64": ("SCMP_ARCH_AARCH64", "arm64")}


# ---- what is run -------------------------------------------------------------------------------------------

def make_rootfs(layout, out):
    """Unpack the only layer of the OCI image @layout to @out: the others take a directory as it is."""
    def blob(digest):
        return os.path.join(layout, "blobs", *digest.split(":"))
    with open(os.path.join(layout, "index.json"), encoding="utf-8") as file:
        manifest = json.load(file)["manifests"][0]["digest"]
    with open(blob(manifest), encoding="utf-8") as file:
        layer, = json.load(file)["layers"]
    with tarfile.open(blob(layer["digest"])) as tar:
        tar.extractall(out)


def make_layers(rootfs, out):
    """Write an image of five layers to @out, the lowest of them @rootfs."""
    def fill(layer, number):
        layer.dir("data")
        layer.put(f"data/layer{number}", f"{number}\n")
    image = mkoci.Image(out)
    image.layer("busybox", lambda layer: layer.add_tree(rootfs))
    for number in range(2, 6):
        image.layer(f"layer{number}", lambda layer, n=number: fill(layer, n))
    image.finish("latest", {"Env": ["PATH=/bin"], "Cmd": ["sh"]})


def seccomp_for(caps):
    """Return the profile of containers-common in the form of the OCI runtime-spec, for a process with @caps."""
    with open(SECCOMP, encoding="utf-8") as file:
        profile = json.load(file)
    native, arch = SECCOMP_ARCH[platform.machine()]

    def applies(rule):
        within, without = rule.get("includes") or {}, rule.get("excludes") or {}
        return (all(cap in caps for cap in within.get("caps", []))
                and arch in within.get("arches", [arch])
                and not any(cap in caps for cap in without.get("caps", []))
                and arch not in without.get("arches", []))
    rules = []
    for rule in filter(applies, profile["syscalls"]):
        kept = {key: rule[key] for key in ("names", "action", "args", "errnoRet") if rule.get(key)}
        rules.append(kept)
    subs = [sub for entry in profile["archMap"] if entry["architecture"] == native
            for sub in entry["subArchitectures"]]
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": [native, *subs], "syscalls": rules}


def make_bundle(program, rootfs, out, args, seccomp):
    """Write a bundle with the profile that `PROGRAM spec` makes, which runs @args."""
    os.makedirs(out)
    quietly(program, "spec", cwd=out)
    path = os.path.join(out, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    config["root"]["path"] = rootfs
    config["process"].update(terminal=False, args=args, env=["PATH=/bin"])
    if seccomp:
        config["linux"]["seccomp"] = seccomp_for(config["process"]["capabilities"]["bounding"])
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)


class Runtime:
    """A program under comparison. Each method returns the words of a command, or None if it has no such thing."""
    flags, note, prefix = "", "", ()

    def __init__(self, name, program):
        self.name = name
        text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"\d+\.[\d.]+", text)
        self.title = f"{name} {found.group().rstrip('.')}" if found else name

    def exec(self):
        """Run true in the container "held", which create() has made."""

    def create(self, _id="%i"):
        """Make a container @id that waits for commands."""

    def remove(self, _id="%i"):
        """Remove the running container @id."""

    def clean(self):
        """Remove all that may be left after an interruption."""


class Sbrun(Runtime):
    """Our own program, with a store and a run directory of its own in the environment."""

    def __init__(self, image):
        super().__init__("sbrun", "sbrun")
        self.title, self.image = "sbrun", image

    def start(self):
        return ["sbrun", "version"]

    def run(self, command="true"):
        return ["sbrun", "run", "--rm", self.image, command]

    def create(self, _id="%i"):
        return ["sbrun", "create", "--ttl", "1h", "--name", f"b{_id}", self.image]

    def exec(self):
        return ["sbrun", "exec", "bheld", "true"]

    def remove(self, _id="%i"):
        return ["sbrun", "rm", "-f", f"b{_id}"]

    def clean(self):
        ids = [sandbox["id"] for sandbox in ps_json()]
        if ids:
            quietly("sbrun", "rm", "-f", *ids)
        quietly("sbrun", "gc")


def ps_json():
    """Return all sandboxes of our store."""
    out = quietly("sbrun", "ps", "-a", "--json").strip()
    if not out:
        return []
    return json.loads(out) if out.startswith("[") else [json.loads(line) for line in out.splitlines()]


class OciRuntime(Runtime):
    """crun or runc, on a bundle."""

    def __init__(self, name, work, rootfs, seccomp):
        super().__init__(name, name)
        self.bundles = os.path.join(work, name + ("-seccomp" if seccomp else ""))
        self.base = [name, "--root", self.bundles + ".state"]
        for what, args in (("true", ["true"]), ("sleep", ["sleep", "3600"])):
            make_bundle(name, rootfs, os.path.join(self.bundles, what), args, seccomp)

    def start(self):
        return [self.name, "--version"]

    def run(self, command="true"):
        return [*self.base, "run", "--bundle", os.path.join(self.bundles, command), "b%i"]

    def create(self, _id="%i"):
        return [*self.base, "run", "--detach", "--bundle", os.path.join(self.bundles, "sleep"), f"b{_id}"]

    def exec(self):
        return [*self.base, "exec", "bheld", "true"]

    def remove(self, _id="%i"):
        return [*self.base, "delete", "--force", f"b{_id}"]

    def clean(self):
        left = subprocess.run([*self.prefix, *self.base, "list", "-q"], capture_output=True, text=True,
                              check=False).stdout.split()
        for container in left:
            quietly(*self.prefix, *self.base, "delete", "--force", container)


class Bubblewrap(Runtime):
    """bwrap knows neither images nor containers that go on without it, nor limits."""

    def __init__(self, rootfs):
        super().__init__("bwrap", "bwrap")
        self.title = self.title.replace("bwrap", "bubblewrap")
        self.base = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", rootfs, "/", "--proc", "/proc",
                     "--dev", "/dev", "--setenv", "PATH", "/bin"]

    def start(self):
        return ["bwrap", "--version"]

    def run(self, command="true"):
        return [*self.base, command, *(["3600"] if command == "sleep" else [])]


# ---- a view of the host without its cgroup2 -----------------------------------------------------------------

@contextlib.contextmanager
def cgroup1_view():
    """A mount namespace in which a hybrid cgroup layout looks like pure version 1.

    Debian's crun refuses hybrid layouts. The view is private and ends with us; the host's mounts are compared
    before and after. Yields the path of the namespace, or None if the host has no such layout.
    """
    if not os.path.ismount(UNIFIED):
        yield None
        return
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        before = file.read()
    # It ends when our end of its pipe closes, however we end.
    with subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                           'umount "$0" && echo ready && exec cat', UNIFIED], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, start_new_session=True) as holder:
        ready = holder.stdout.readline()
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            if f" {UNIFIED} " in before and f" {UNIFIED} " not in file.read():
                raise Failure("the private mount namespace is not private")
        yield f"/proc/{holder.pid}/ns/mnt" if ready else None
        holder.stdin.close()


def probe(runtime, view):
    """Find out how @runtime works here. Return None if it does, or why it does not."""
    why = reason(runtime.run())
    if why and view:
        prefix = ("nsenter", f"--mount={view}")
        if reason([*prefix, *runtime.run()]) is None:
            runtime.flags, runtime.prefix = "m", prefix
            runtime.note = f"in a private mount namespace without {UNIFIED}; as it is: {why}"
            return None
    return why


def find_runtimes(stack, work, rootfs, view):
    """Return the programs that work here, and (name, why not) of the others."""
    def candidates():
        for name in ("crun", "runc"):
            yield name, lambda n=name: OciRuntime(n, work, rootfs, False)
            yield f"{name}+seccomp", lambda n=name: OciRuntime(n, work, rootfs, True)
        yield "bwrap", lambda: Bubblewrap(rootfs)
    found, missing = {}, []
    for key, make in candidates():
        program = key.partition("+")[0]
        if not shutil.which(program):
            missing.append((key, "not installed: tools/setup --bench"))
        elif key != program and not (os.path.exists(SECCOMP) and platform.machine() in SECCOMP_ARCH):
            missing.append((key, f"no {SECCOMP}"))
        else:
            runtime = make()
            why = probe(runtime, view)
            stack.callback(runtime.clean)
            if why:
                missing.append((key, why))
            else:
                found[key] = runtime
    return found, missing


# ---- measuring ----------------------------------------------------------------------------------------------

class Timer:
    """Runs plans with the driver sb_bench and keeps the times, in ms, by measure and program."""

    def __init__(self, view):
        self.view, self.times, self.failures = view, {}, {}

    def plan(self, measure, runtimes, words, flags="", count=1):
        """Return one step for each of @runtimes whose words(runtime) are not None."""
        steps = []
        for key, runtime in runtimes.items():
            command = words(runtime)
            if command:
                steps.append([f"{measure}|{key}", f"-{flags}{runtime.flags}", str(count), *command])
        return steps

    def take(self, steps, rounds, burst=1, idle_ms=0):
        """Take @rounds turns of @steps."""
        options = ["-n", str(max(rounds, 1)), "-b", str(burst), "-i", str(idle_ms)]
        if self.view:
            options += ["-m", self.view]
        # A file, not a pipe: containers that crun and runc detach keep it open.
        with tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(["sb_bench", *options], input="".join("\t".join(s) + "\n" for s in steps),
                                  text=True, stdout=subprocess.PIPE, stderr=errors, check=False)
            errors.seek(0)
            said = errors.read().strip().splitlines()
        if done.returncode:
            raise Failure(f"sb_bench: exit code {done.returncode}: {' '.join(said[-1:])}")
        failed_before = len(self.failures)
        for line in done.stdout.splitlines():
            label, ms, failed = line.split("\t")
            key = tuple(label.split("|"))
            self.times.setdefault(key, []).append(float(ms))
            if int(failed):
                self.failures[key] = self.failures.get(key, 0) + int(failed)
        if said and len(self.failures) > failed_before:
            say(f"a command said: {said[-1]}")


def measure_run(timer, runtimes, five, n):
    """Starting the program itself, and a container that ends at once."""
    # The label of the image with five layers: nothing of the others compares with it but their one directory.
    reference = [["reference hot|busybox", "-", "1", "/bin/busybox", "true"]]
    layers = [["run 5 layers hot|sbrun", "-", "1", *five.run()]]
    plain = {key: runtime for key, runtime in runtimes.items() if "+" not in key}
    say("start-up and run, hot")
    timer.take(reference + timer.plan("version", plain, lambda r: r.start())
               + timer.plan("run hot", runtimes, lambda r: r.run()) + layers, -(-n // BURST), BURST)
    say("run, cold")
    reference[0][0], layers[0][0] = "reference cold|busybox", "run 5 layers cold|sbrun"
    timer.take(reference + timer.plan("run cold", runtimes, lambda r: r.run()) + layers, n, 1, IDLE_MS)


def measure_exec(timer, runtimes, n):
    """A command in a container that is there."""
    timer.take(timer.plan("held", runtimes, lambda r: r.create("held"), "q"), 1)
    steps = timer.plan("exec hot", runtimes, lambda r: r.exec())
    say("exec, hot")
    timer.take(steps, -(-n // BURST), BURST)
    say("exec, cold")
    timer.take([["exec cold|" + label.partition("|")[2], *rest] for label, *rest in steps], n, 1, IDLE_MS)
    timer.take(timer.plan("held", runtimes, lambda r: r.remove("held"), "q"), 1)


def measure_life(timer, runtimes, n, quick):
    """Making and removing containers: one, many in a row, many at once."""
    plain = {key: runtime for key, runtime in runtimes.items() if "+" not in key}
    say("create and rm")
    timer.take(timer.plan("create", runtimes, lambda r: r.create())
               + timer.plan("rm", runtimes, lambda r: r.remove()), n)
    for what, flags, count, rounds in (("in sequence", "", SEQUENCE, 1 if quick else 3),
                                       ("in parallel", "p", PARALLEL, 3 if quick else 20)):
        say(f"{count} creates {what}")
        steps = []
        for key, runtime in plain.items():  # one after the other: never two of the crowds at once
            one = {key: runtime}
            steps += timer.plan(f"{count} creates {what}", one, lambda r: r.create(), flags, count)
            steps += timer.plan("rm", one, lambda r: r.remove(), flags + "q", count)
        timer.take(steps, rounds)


# ---- memory -------------------------------------------------------------------------------------------------

def memory(pids):
    """Return the memory of the processes @pids together, in kB."""
    total = {"peakRss": 0, "rss": 0, "pss": 0, "uss": 0}
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            total["peakRss"] += int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            text = file.read()
        for key, fields in (("rss", ("Rss",)), ("pss", ("Pss",)), ("uss", ("Private_Clean", "Private_Dirty"))):
            total[key] += sum(int(re.search(rf"^{f}:\s+(\d+)", text, re.M).group(1)) for f in fields)
    return total


def memory_of_foreground(runtime):
    """Return the memory of what stays of @runtime beside its container, None if nothing came up."""
    words = [word.replace("%i", "mem") for word in [*runtime.prefix, *runtime.run("sleep")]]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        tree = {}
        while "sleep" not in tree.values() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)  # nothing tells us
            tree = descendants(process.pid)
        started = "sleep" in tree.values()
        sizes = memory([pid for pid, name in tree.items() if name != "sleep"]) if started else None
        # With its process the container ends, and with that the program in the foreground, which cleans up.
        for pid in [pid for pid, name in tree.items() if name == "sleep"] or [process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return sizes


def measure_memory(runtimes):
    """Return the memory of the processes that stay while a container lives, by what they are."""
    say("memory")
    quietly(*runtimes["sbrun"].create("mem"))
    for _ in range(20):
        quietly("sbrun", "exec", "bmem", "true")
    sandbox = json.loads(quietly("sbrun", "inspect", "bmem"))
    found = {"sbrun: monitor, after 20 execs": memory([sandbox["monitorPid"]]),
             "sbrun-init, process 1": memory([sandbox["initPid"]])}
    quietly(*runtimes["sbrun"].remove("mem"))
    for key in ("crun", "runc", "bwrap"):
        sizes = memory_of_foreground(runtimes[key]) if key in runtimes else None
        if sizes:
            found[f"{key} in the foreground"] = sizes
        elif key in runtimes:
            say(f"{key} did not start in the foreground: no memory figures")
    return found


# ---- results ------------------------------------------------------------------------------------------------

# text, measure of sbrun, measure of the others, variant of the others, divided by
ROWS = (
    ("version (of the program itself)", "version", "version", "", 1),
    ("run --rm IMAGE true, hot", "run hot", "run hot", "", 1),
    ("  5 layers", "run 5 layers hot", "run hot", "", 1),
    ("  others with seccomp", "run hot", "run hot", "+seccomp", 1),
    ("run --rm IMAGE true, cold", "run cold", "run cold", "", 1),
    ("  5 layers", "run 5 layers cold", "run cold", "", 1),
    ("  others with seccomp", "run cold", "run cold", "+seccomp", 1),
    ("exec ID true, hot", "exec hot", "exec hot", "", 1),
    ("  others with seccomp", "exec hot", "exec hot", "+seccomp", 1),
    ("exec ID true, cold", "exec cold", "exec cold", "", 1),
    ("  others with seccomp", "exec cold", "exec cold", "+seccomp", 1),
    ("create", "create", "create", "", 1),
    ("  others with seccomp", "create", "create", "+seccomp", 1),
    ("rm -f ID", "rm", "rm", "", 1),
    (f"{SEQUENCE} creates in sequence", f"{SEQUENCE} creates in sequence", None, "", 1),
    ("  each", f"{SEQUENCE} creates in sequence", None, "", SEQUENCE),
    (f"{PARALLEL} creates in parallel", f"{PARALLEL} creates in parallel", None, "", 1),
    ("  each", f"{PARALLEL} creates in parallel", None, "", PARALLEL),
)

TARGETS = (
    ("run --rm true no slower than crun with a bare bundle and its own profile", "run hot", 1.0),
    ("the same, cold", "run cold", 1.0),
    ("exec at least twice as fast as crun exec", "exec hot", 0.5),
    ("the same, cold", "exec cold", 0.5),
)

CAVEATS = """
What is compared: sbrun runs an image (overlay root, writable, its own user namespace and id range, seccomp
filter, memory, cpu and pids groups, an IPv6 address with route and firewall entry, a monitor). The others have
no image and no network: they get the same files as a ready directory, read-only, and an empty network namespace.
crun and runc have the profile of their own 'spec' command (no seccomp, no user namespace); "with seccomp" adds
Debian's container profile (libseccomp at run time). 'create' is their 'run --detach' of a process that sleeps;
'rm -f' their 'delete --force'. bubblewrap has no cgroups, no seccomp filter and nothing that goes on without it.
Hot: back to back. Cold: 50 ms of idleness before. Ratio: sbrun's median by theirs; below 1 sbrun is faster.
""".strip()


def print_table(results, titles):
    """Print the times with a group of columns for each program."""
    keys = [key for key in ("crun", "runc", "bwrap") if key in titles]
    print(f"{'milliseconds':36}{'sbrun':>16}" + "".join(f"{titles[key]:>25}" for key in keys))
    print(f"{'':36}{'median':>8}{'p95':>8}" + f"{'median':>10}{'p95':>8}{'ratio':>7}" * len(keys))
    for text, ours, theirs, variant, divisor in ROWS:
        mine = results.get((ours, "sbrun"))
        if mine is None:
            continue
        line = f"{text:36}"
        for key in ("sbrun", *(key + variant for key in keys)):
            got = mine if key == "sbrun" else results.get((theirs or ours, key))
            part = [got[f] / divisor if got and got[f] is not None else None for f in ("medianMs", "p95Ms")]
            line += cell(part[0], 8 if key == "sbrun" else 10) + cell(part[1])
            if key != "sbrun":
                line += f"{mine['medianMs'] / got['medianMs']:>7.2f}" if got else f"{'-':>7}"
        print(line)


def report(data, results, titles):
    """Print everything for people."""
    print(f"Containers; n = {data['runs']}; load {data['loadBefore']} before, {data['loadAfter']} after")
    for when in ("hot", "cold"):
        print(f"A static program that ends at once (busybox true), {when}: "
              f"{results[f'reference {when}', 'busybox']['medianMs']:.2f} ms")
    print()
    print_table(results, titles)
    print(f"\n{'memory, kB':36}{'peak RSS':>12}{'RSS':>10}{'PSS':>10}{'USS':>10}")
    for what, sizes in data["memoryKb"].items():
        print(f"{what:36}{sizes['peakRss']:>12}{sizes['rss']:>10}{sizes['pss']:>10}{sizes['uss']:>10}")
    print_targets(data["targets"])
    print("\n" + CAVEATS)
    for key, note in data["notes"].items():
        print(f"{key}: {note}")
    for failed in data["failures"]:
        print(f"FAILED: {failed['measure']} of {failed['program']}: {failed['count']} times: "
              "do not trust its time")


def judge(results):
    """Return the targets of the project with what was measured."""
    targets = []
    for what, measure, limit in TARGETS:
        ours, theirs = results.get((measure, "sbrun")), results.get((measure, "crun"))
        ratio = ours["medianMs"] / theirs["medianMs"] if ours and theirs else None
        targets.append(judged(what, ratio, limit, "without crun"))
    return targets


# ---- the section --------------------------------------------------------------------------------------------

def prepare(stack):
    """Load the images, find the other programs. Return the runtimes, sbrun with 5 layers, view, missing."""
    # On the same kinds of file system as /var/lib/sbrun and /run/sbrun.
    work = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbrun-bench-", dir="/var/tmp"))
    run = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbrun-bench-", dir="/run"))
    os.environ.update(SBRUN_ROOT=os.path.join(work, "store"), SBRUN_RUN=run)
    say("make the images")
    layout = quietly(os.path.join(REPO, "tools/mkimage"), "busybox").strip()
    rootfs, layers = os.path.join(work, "rootfs"), os.path.join(work, "layers")
    make_rootfs(layout, rootfs)
    make_layers(rootfs, layers)
    quietly("sbrun", "load", "--name", "busybox", layout)
    quietly("sbrun", "load", "--name", "layers", layers)
    ours, five = Sbrun("busybox"), Sbrun("layers")
    stack.callback(ours.clean)
    for runtime in (ours, five):
        why = reason(runtime.run())
        if why:
            raise Failure(why)
    view = stack.enter_context(cgroup1_view())
    others, missing = find_runtimes(stack, work, rootfs, view)
    return {"sbrun": ours, **others}, five, view, missing


def measure(args):
    """Measure everything. Return the data for --json, and a function that prints it."""
    with contextlib.ExitStack() as stack:
        runtimes, five, view, missing = prepare(stack)
        before = round(os.getloadavg()[0], 2)
        timer = Timer(view)
        measure_run(timer, runtimes, five, args.runs)
        measure_exec(timer, runtimes, args.runs)
        measure_life(timer, runtimes, args.runs, args.quick)
        sizes = measure_memory(runtimes)
        say("clean up")
    results = {key: summary(times) for key, times in timer.times.items()}
    notes = {key: runtime.note for key, runtime in runtimes.items() if runtime.note}
    notes.update((key, f"not compared: {why}") for key, why in missing)
    data = {
        "runs": args.runs, "loadBefore": before, "loadAfter": round(os.getloadavg()[0], 2),
        "times": [{"measure": measure, "program": program, **values}
                  for (measure, program), values in results.items()],
        "memoryKb": sizes, "targets": judge(results), "notes": notes,
        "failures": [{"measure": measure, "program": program, "count": count}
                     for (measure, program), count in timer.failures.items()],
    }
    titles = {key: runtime.title for key, runtime in runtimes.items()}
    return data, lambda: report(data, results, titles)
