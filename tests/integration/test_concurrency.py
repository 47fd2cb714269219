# SPDX-License-Identifier: Apache-2.0
"""Many at once: every command may run beside every other."""
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import lib

pytestmark = pytest.mark.usefixtures("own_network")


def together(number, function):
    """Call function(0) to function(number - 1) at the same time; return the results in order."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(function, range(number)))


def reached(address):
    """Whether a packet gets to @address: its kernel refuses the connection, as nobody listens on port 9."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        return sock.connect_ex((address, 9)) == 111


def check_all(sbrun, ids):
    """Check that sandboxes are distinct, listed, and reachable."""
    records = {entry["id"]: entry for entry in sbrun.ok("ps", "--json").json()}
    assert set(records) == set(ids) and len(set(ids)) == len(ids)
    assert len({record["address"] for record in records.values()}) == len(ids)
    bases = sorted(record["idBase"] for record in records.values())
    assert all(second - first >= 65536 for first, second in zip(bases, bases[1:]))
    assert all(reached(record["address"]) for record in records.values())


def test_twenty_creates_at_once_all_succeed(no_leaks, sbrun, busybox_image):
    """With ids, addresses and ranges of user ids of their own; and so does their removal."""
    results = together(20, lambda _: sbrun("create", busybox_image))
    assert [(r.rc, r.err) for r in results] == [(0, "")] * 20
    ids = [r.out.strip() for r in results]
    check_all(sbrun, ids)
    assert together(20, lambda n: sbrun.ok("exec", ids[n], "hostname").out.strip()) == ids
    assert {r.rc for r in together(20, lambda n: sbrun("rm", "-f", ids[n]))} == {0}
    assert sbrun.ok("ps", "-aq").out == ""


def test_the_first_twenty_creates_of_a_host_at_once_all_succeed(sbrun, busybox_image):
    """When firewall, address and parent cgroup are not there yet."""
    sbrun.ok("gc")
    results = together(20, lambda _: sbrun("create", busybox_image))
    assert [(r.rc, r.err) for r in results] == [(0, "")] * 20
    ids = [r.out.strip() for r in results]
    check_all(sbrun, ids)
    sbrun.ok("rm", "-f", *ids, timeout=60)


def test_a_hundred_sandboxes_live_at_once(no_leaks, sbrun, busybox_image):
    """Created ten at a time, each executes and is reached, then all go; the host is as before."""
    with ThreadPoolExecutor(10) as pool:
        start = time.monotonic()
        ids = list(pool.map(lambda _: sbrun.ok("create", busybox_image).out.strip(), range(100)))
        created = time.monotonic()
        check_all(sbrun, ids)
        assert list(pool.map(lambda i: sbrun.ok("exec", i, "hostname").out.strip(), ids)) == ids
        ended = time.monotonic()
        assert {r.rc for r in pool.map(lambda i: sbrun("rm", "-f", i), ids)} == {0}
        print(f"100 created in {created - start:.2f} s, removed in {time.monotonic() - ended:.2f} s")
    assert sbrun.ok("ps", "-aq").out == ""


def test_one_rm_removes_a_hundred(no_leaks, sbrun, busybox_image):
    """In one call."""
    with ThreadPoolExecutor(10) as pool:
        ids = list(pool.map(lambda _: sbrun.ok("create", busybox_image).out.strip(), range(100)))
    assert sbrun.ok("rm", "-f", *ids, timeout=60).out.split() == ids


@pytest.mark.parametrize("number", [2, 10])
def test_exactly_one_gets_a_name_that_many_want(no_leaks, sbrun, busybox_image, number):
    """The others are told so, and leave nothing."""
    results = together(number, lambda _: sbrun("create", "--name", "wanted", busybox_image))
    assert sorted(r.rc for r in results) == [0] + [125] * (number - 1)
    for result in results:
        if result.rc:
            assert "'wanted' is in use" in result.err and result.err.count("\n") == 1, result.err
    assert len(sbrun.ok("ps", "-aq").out.split()) == 1
    sbrun.ok("rm", "-f", "wanted")


def test_fifty_execs_at_once_in_one_sandbox(sandbox):
    """Each with its own output and exit code."""
    box = sandbox()
    results = together(50, lambda n: box.exec("sh", "-c", f"echo {n}; echo {n} >&2; exit {n}"))
    assert [(r.rc, r.out, r.err) for r in results] == [(n, f"{n}\n", f"{n}\n") for n in range(50)]
    assert sorted(e["exec"] for e in box.inspect()["execs"]) == list(range(1, 51))


def test_execs_run_beside_each_other(sandbox):
    """Ten that take a second each are done in much less than ten."""
    box = sandbox()
    start = time.monotonic()
    assert {r.rc for r in together(10, lambda _: box.exec("sleep", "1"))} == {0}
    assert time.monotonic() - start < 5


def test_removing_the_same_sandbox_at_once_is_harmless(no_leaks, sbrun, busybox_image):
    """Whoever comes too late finds nothing; nobody hangs and nothing stays."""
    for _ in range(5):
        sandbox_id = sbrun.ok("create", busybox_image).out.strip()
        results = together(5, lambda _, i=sandbox_id: sbrun("rm", "-f", i))
        assert 0 in {r.rc for r in results}
        assert all(r.rc == 0 or r.err.count("\n") == 1 for r in results), [r.err for r in results]
        assert sbrun.ok("ps", "-aq").out == ""


def test_everything_at_once(no_leaks, sbrun, busybox_image):
    """run, create, exec, ps, gc, rm beside each other: nothing fails that need not."""
    def one(number):
        if number % 4 == 0:
            return sbrun("gc").rc
        if number % 4 == 1:
            return sbrun("ps", "-a").rc
        if number % 4 == 2:
            return sbrun("run", "--rm", busybox_image, "true").rc
        sandbox_id = sbrun.ok("create", busybox_image).out.strip()
        return sbrun("exec", sandbox_id, "true").rc + sbrun("stop", sandbox_id).rc + sbrun("rm", sandbox_id).rc

    assert set(together(32, one)) == {0}
    assert sbrun.ok("ps", "-aq").out == ""
    lib.eventually(lambda: not lib.processes(sbrun))
