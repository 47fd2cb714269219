# SPDX-License-Identifier: Apache-2.0
"""The first command of the README, as a new user runs it."""
import re
import subprocess
from pathlib import Path

import lib


def test_quickstart_goes_from_image_to_answer_and_leaves_nothing():
    """It builds a release, says what each step took, and removes all it has made."""
    before = set(Path("/var/tmp").glob("sbrun-quickstart.*"))
    done = subprocess.run([lib.REPO / "tools/quickstart"], capture_output=True, text=True, check=False, timeout=900)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "\nHello from Sandbox!\n" in done.stdout
    assert re.search(r"^PROTO .*\n *tcp +.*5000.*reachable", done.stdout, re.MULTILINE), done.stdout
    assert len(re.findall(r"^\S.{35} +\d+\.\d{3} s ", done.stdout, re.MULTILINE)) >= 10, done.stdout
    assert set(Path("/var/tmp").glob("sbrun-quickstart.*")) == before
