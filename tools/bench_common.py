# SPDX-License-Identifier: Apache-2.0
"""What the sections of tools/bench share: running commands, looking at processes, numbers and columns."""
import os
import subprocess
import sys
from statistics import median

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Failure(Exception):
    """Something the user should read as one line."""


def say(text):
    """Tell what goes on, beside the results."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def quietly(*command, **options):
    """Run @command, return its output; what it says is shown only if it fails."""
    done = subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False,
                          **options)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
        raise Failure(f"'{' '.join(command[:2])}' failed with exit code {done.returncode}")
    return done.stdout


def reason(words):
    """Run @words with their output captured; return why they failed, None if they did not."""
    words = [word.replace("%i", "probe") for word in words]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return lines[-1] if done.returncode else None


def descendants(pid):
    """Return @pid and all below it that exist, with their names."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            found = {pid: file.read().strip()}
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as file:
                for child in file.read().split():
                    found.update(descendants(int(child)))
    except OSError:
        return {}
    return found


def summary(times):
    """Return count, median and 95th percentile of @times (None for less than 20 of them)."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] if len(ordered) >= 20 else None
    return {"n": len(ordered), "medianMs": median(ordered), "p95Ms": p95}


def cell(value, width=8):
    """Return a number in a column, a dash for none."""
    if value is None:
        return f"{'-':>{width}}"
    return f"{value:>{width}.{2 if value < 1000 else 0}f}"


def judged(what, value, limit, missing):
    """Return a target of the project with what was measured; @missing says why @value can be None."""
    return {"what": what, "limit": limit, "ratio": value, "pass": None if value is None else value <= limit,
            "missing": missing}


def print_targets(targets):
    """Print targets and whether they were met."""
    print("\nTargets:")
    for target in targets:
        value = f"cannot say {target['missing']}" if target["ratio"] is None else f"ratio {target['ratio']:.2f}"
        verdict = {True: "pass", False: "miss", None: ""}[target["pass"]]
        print(f"  {verdict:5}{target['what']}: {value}, target <= {target['limit']:.2f}")
