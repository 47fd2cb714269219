# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests.

All sandboxes of a session live in a store and a state directory of their own (SBRUN_ROOT, SBRUN_RUN), so
those of the person who runs the tests stay as they are. Images come from tools/mkimage, which caches them.
"""
import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import lib
import ocimage
import registry as registries
from faults import FaultProxy

MUST_WORK = os.environ.get("SBRUN_MUST_WORK") == "1"


def pytest_collection_modifyitems(items):
    """Without root or the program nothing here can run."""
    why = None
    if os.geteuid() != 0:
        why = "needs root"
    elif not lib.BIN.exists():
        why = f"{lib.BIN} is not built"
    for item in items if why else []:
        item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """With SBRUN_MUST_WORK=1 a skipped test has failed."""
    report = (yield).get_result()
    if MUST_WORK and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but SBRUN_MUST_WORK=1: {report.longrepr}"


def pytest_sessionfinish(session, exitstatus):
    """Exit 77, ctest's "skipped", if no test ran at all."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter.stats.get("skipped") and not reporter.stats.get("passed"):
        session.exitstatus = 77


@pytest.fixture(scope="session")
def sbrun():
    """The command under test. After the session no sandbox may be left."""
    top = Path(tempfile.mkdtemp(prefix="sbrun-test-"))
    os.chmod(top, 0o755)
    command = lib.Sbrun(top / "store", top / "run")
    yield command
    left = command("ps", "-a", "--json")
    command("gc")  # with no sandbox left it takes down what is the host's, too
    shutil.rmtree(top)
    assert left.rc == 0 and not left.json(), f"sandboxes left: {left.out}{left.err}"


@pytest.fixture(scope="module")
def own_network():
    """Give the tests of a file a host network of their own: nobody else's links, routes and nftables."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newnet = 0x40000000  # sched.h
    with open("/proc/self/ns/net", "rb") as home:
        assert libc.unshare(clone_newnet) == 0, os.strerror(ctypes.get_errno())
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
        assert libc.setns(home.fileno(), clone_newnet) == 0, os.strerror(ctypes.get_errno())


@pytest.fixture(scope="session")
def image_dir():
    """A function that returns the directory of a test image: image_dir("busybox")."""
    def make(kind):
        done = subprocess.run([lib.REPO / "tools/mkimage", kind], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())
    return make


def _load(sbrun, image_dir, kind):
    sbrun.ok("load", "--name", kind, image_dir(kind), timeout=300)
    return kind


@pytest.fixture(scope="session")
def busybox_image(sbrun, image_dir):
    """The name of a loaded image: one static program, user app (1000)."""
    return _load(sbrun, image_dir, "busybox")


@pytest.fixture(scope="session")
def python_image(sbrun, image_dir):
    """The name of a loaded image like python:3.12-slim."""
    return _load(sbrun, image_dir, "python")


@pytest.fixture(scope="session")
def layers_image(sbrun, image_dir):
    """The name of a loaded image of twenty layers with everything layers can have."""
    return _load(sbrun, image_dir, "layers")


@pytest.fixture(scope="session")
def web_image(sbrun, image_dir):
    """The name of a loaded image with web frameworks and network tools."""
    return _load(sbrun, image_dir, "web")


@pytest.fixture
def sandbox(sbrun, busybox_image):
    """A function that creates a sandbox: sandbox("-m", "64m", image=python_image); removed afterwards."""
    made = []

    def create(*flags, image=busybox_image):
        result = sbrun.ok("create", *flags, image)
        made.append(result.out.strip())
        return lib.Sandbox(sbrun, made[-1])

    yield create
    known = {entry["id"] for entry in sbrun.ok("ps", "-a", "--json").json()}
    for sandbox_id in made:
        if sandbox_id in known:
            sbrun.ok("rm", "-f", sandbox_id)


@pytest.fixture
def no_leaks(sbrun, busybox_image):
    """The host after the test is as it was before; put it before `sandbox` in the arguments of a test."""
    # A first sandbox installs what stays: the firewall table, the cgroup all sandboxes live in.
    sbrun.ok("rm", "-f", sbrun.ok("create", busybox_image).out.strip())
    before = lib.host_state(sbrun)
    yield
    lib.assert_no_leaks(before, sbrun)


# ---- registries ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def registry_dir(tmp_path_factory):
    """Where the registries of the session keep what they have; `storage` is the storage of all of them."""
    return tmp_path_factory.mktemp("registry")


def _running(registry_dir, name, **options):
    """Yield a Registry and stop it."""
    server = registries.Registry(registry_dir / name, registry_dir / "storage", **options)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def registry(registry_dir):
    """A registry that speaks plain HTTP and asks for no password; images get into the storage through it."""
    yield from _running(registry_dir, "plain")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority that nobody trusts."""
    return registries.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls_registry(registry_dir, authority):
    """A registry with TLS, for ::1 and localhost."""
    yield from _running(registry_dir, "tls", tls=authority.server("tls"))


@pytest.fixture(scope="session")
def basic_registry(registry_dir, authority):
    """A registry with TLS that knows registries.USER and his PASSWORD."""
    auth = registries.basic_auth(registry_dir)
    yield from _running(registry_dir, "basic", tls=authority.server("basic"), auth=auth)


@pytest.fixture(scope="session")
def plain_basic_registry(registry_dir):
    """The same without TLS, so that a FaultProxy can see what is sent."""
    yield from _running(registry_dir, "plain-basic", auth=registries.basic_auth(registry_dir))


@pytest.fixture(scope="session")
def token_registry(registry_dir, session_token_server):
    """A registry that takes tokens of the token server only."""
    yield from _running(registry_dir, "token", auth=session_token_server.auth())


@pytest.fixture(scope="session")
def session_token_server(registry_dir):
    """The server of these tokens."""
    server = registries.TokenServer(registry_dir / "tokens")
    yield server
    server.stop()


@pytest.fixture
def token_server(session_token_server):
    """The token server as it is at the beginning: nothing asked yet, no faults."""
    session_token_server.reset()
    yield session_token_server
    session_token_server.reset()


@pytest.fixture
def proxy(registry):
    """A FaultProxy in front of the plain registry."""
    with FaultProxy(registry) as front:
        yield front


@pytest.fixture(scope="session")
def published(registry, image_dir):
    """A function: published("busybox") is the ocimage.Image that every registry has as public/busybox:latest.

    It is private/busybox:latest, too. Kinds: those of tools/mkimage, and those of ocimage.KINDS.
    """
    done = {}

    def publish(kind):
        if kind not in done:
            make = ocimage.KINDS.get(kind)
            image = make(publish("busybox")) if make else ocimage.from_layout(image_dir(kind))
            for folder in ("public", "private"):
                registry.push(image, f"{folder}/{kind}", "latest")
            done[kind] = image
        return done[kind]

    return publish


@pytest.fixture
def puller(tmp_path):
    """The command with an empty store, and an empty home: no credentials, no settings of the person who tests."""
    command = lib.Sbrun(tmp_path / "store", tmp_path / "run")
    for name in ("HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
        command.env[name] = str(tmp_path / name.lower())
        Path(command.env[name]).mkdir()
    for name in [*command.env]:
        if name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE") or name.lower().endswith("_proxy"):
            del command.env[name]
    yield command
    left = command("ps", "-a", "--json")
    command("gc")
    assert left.rc == 0 and not left.json(), f"sandboxes left: {left.out}{left.err}"
