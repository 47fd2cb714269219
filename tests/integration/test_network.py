# SPDX-License-Identifier: Apache-2.0
"""IPv6-only networking: reachable at once from the host, from nowhere else; who listens; when it is ready."""
import ipaddress
import json
import os
import socket
import statistics
import struct
import subprocess
import time
from pathlib import Path

import pytest

import lib

pytestmark = pytest.mark.usefixtures("own_network")

LOST_PACKET_S = 0.5  # a lost SYN is sent again after 1 s: RFC 6298 section 2.1


def connect_error(address, port, timeout=5):
    """Connect to [address]:port from the host; return the error's number (0 if it worked) and the seconds."""
    start = time.monotonic()
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            code = sock.connect_ex((address, port))
        except TimeoutError:
            code = -1
    return code, time.monotonic() - start


CONNECT = """
import json, socket, sys, time
results = []
for address, port in json.loads(sys.argv[1]):
    start = time.monotonic()
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.settimeout(3)
    try:
        s.connect((address, port))
        word = "connected"
    except OSError as error:
        word = type(error).__name__
    results.append((word, time.monotonic() - start))
print(json.dumps(results))
"""


def connect_inside(box, *targets):
    """Connect to each (address, port) from inside a sandbox of python_image: [(word, seconds)]."""
    result = box.exec("python3", "-c", CONNECT, json.dumps(targets))
    assert result.rc == 0, result.err
    return result.json()


def address_of(box):
    """Return the address of a sandbox."""
    return box.inspect()["address"]


def httpd(box, listen="[::]:80"):
    """Start busybox's web server; return the name of the session when it can be reached."""
    session = box.sbrun.ok("exec", "-d", box.id, "httpd", "-f", "-p", listen).out.strip()
    box.sbrun.ok("wait", session, "--port", listen.rpartition(":")[2], "--timeout", "10s")
    return session


@pytest.fixture
def host_server():
    """A function that listens on the host: host_server(address) -> port."""
    sockets = []

    def listen(address):
        sock = socket.create_server((address, 0), family=socket.AF_INET6)
        sockets.append(sock)
        return sock.getsockname()[1]

    yield listen
    for sock in sockets:
        sock.close()


# ---- addresses -----------------------------------------------------------------------------------------------

def test_the_address_is_computable_from_prefix_and_id(sbrun, sandbox):
    """prefix:0001:id; the prefix is a unique local one (RFC 4193)."""
    box = sandbox()
    network = ipaddress.ip_network(sbrun.ok("info", "--json").json()["prefix"] + "/48")
    assert network.subnet_of(ipaddress.ip_network("fd00::/8"))
    wanted = int(network.network_address) | 1 << 64 | int(box.id, 16)
    assert ipaddress.ip_address(address_of(box)) == ipaddress.ip_address(wanted)


def test_the_prefix_stays(sbrun):
    """Whoever asks."""
    assert len({sbrun.ok("info", "--json").json()["prefix"] for _ in range(3)}) == 1


def test_the_first_packet_arrives_as_soon_as_create_returns(sandbox):
    """In 30 fresh sandboxes: no duplicate address detection, no lost packet."""
    for _ in range(30):
        box = sandbox()
        code, seconds = connect_error(str(box.sbrun.network[(1 << 64) + int(box.id, 16)]), 9)
        assert code == 111 and seconds < LOST_PACKET_S, (code, seconds)  # ECONNREFUSED: by the sandbox itself


def test_a_server_is_reachable_from_the_host(sandbox):
    """Bound to ::, fetched at the computed address, first try."""
    for _ in range(5):
        box = sandbox()
        box.sh("mkdir -p /www && echo hello > /www/index.html")
        box.sbrun.ok("exec", "-d", "-w", "/www", box.id, "httpd", "-f", "-p", "[::]:8080")
        box.sbrun.ok("wait", box.id, "--port", "8080", "--timeout", "10s")
        start = time.monotonic()
        assert lib.fetch(address_of(box), 8080, b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\nhello\n")
        assert time.monotonic() - start < LOST_PACKET_S


def test_there_is_no_ipv4_but_the_loopback(sandbox):
    """T29: one address in all, and no route."""
    box = sandbox()
    found = [(e["interface"], e["family"], e["address"], e["prefixLength"])
             for e in box.probe("net") if "family" in e]
    assert sorted(found) == [("eth0", 6, address_of(box), 128), ("lo", 4, "127.0.0.1", 8), ("lo", 6, "::1", 128)]
    assert len(box.sh("cat /proc/net/route").splitlines()) == 1


def test_ipv4_beyond_the_loopback_fails_at_once(sandbox, python_image):
    """T29: a program that tries IPv4 first goes on to IPv6 without delay."""
    box = sandbox(image=python_image)
    for word, seconds in connect_inside(box, ("192.0.2.1", 80), ("10.0.0.1", 80), ("169.254.169.254", 80)):
        assert word == "OSError" and seconds < 0.5


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "own"])
def test_a_sandbox_reaches_itself(sandbox, python_image, address):
    """Over both loopbacks, and by its own address."""
    box = sandbox(image=python_image)
    script = ("import socket; s = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True)\n"
              "while True: s.accept()")
    box.sbrun.ok("exec", "-d", box.id, "python3", "-c", script)
    box.sbrun.ok("wait", box.id, "--port", "7000", "--timeout", "10s")
    [(word, seconds)] = connect_inside(box, (address_of(box) if address == "own" else address, 7000))
    assert word == "connected" and seconds < LOST_PACKET_S


def test_localhost_is_both_loopbacks(sandbox, python_image):
    """With and without AI_ADDRCONFIG, which asks for families that have an address."""
    script = """
import json, socket
def look(family, flags):
    return sorted({a[4][0] for a in socket.getaddrinfo("localhost", 80, family, socket.SOCK_STREAM, 0, flags)})
print(json.dumps([look(socket.AF_INET6, 0), look(socket.AF_INET, 0), look(0, 0), look(0, socket.AI_ADDRCONFIG)]))
"""
    result = sandbox(image=python_image).exec("python3", "-c", script)
    six, four, both, configured = json.loads(result.out)
    assert (six, four, both) == (["::1"], ["127.0.0.1"], ["127.0.0.1", "::1"])
    assert "::1" in configured


def test_the_own_name_is_the_own_address(sandbox, python_image):
    """As many programs take it for granted."""
    box = sandbox("--name", "my-name", image=python_image)
    script = "import socket; print(socket.gethostname(), socket.getaddrinfo(socket.gethostname(), 80)[0][4][0])"
    assert box.exec("python3", "-c", script).out.split() == ["my-name", address_of(box)]


# ---- who reaches whom ----------------------------------------------------------------------------------------

def test_no_service_of_the_host_is_reachable(sbrun, sandbox, python_image, host_server):
    """On all its addresses, the gateway's among them; refused, not ignored."""
    subprocess.run(["ip", "-6", "address", "replace", "2001:db8:1::1/128", "dev", "lo", "nodad"], check=True)
    box = sandbox(image=python_image)
    port = host_server("::")
    gateway = str(sbrun.network[1])
    assert connect_error(gateway, port)[0] == 0 and connect_error("2001:db8:1::1", port)[0] == 0
    targets = [(gateway, port), ("2001:db8:1::1", port), (gateway, 53), ("fe80::1%eth0", port)]
    for word, seconds in connect_inside(box, *targets):
        assert word in ("ConnectionRefusedError", "OSError", "PermissionError"), word
        assert seconds < 1


def test_datagrams_to_the_host_are_dropped(sbrun, sandbox, python_image):
    """The other protocol."""
    box = sandbox(image=python_image)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", 0))
        sock.settimeout(0.3)
        script = f"import socket; socket.socket(10, 2).sendto(b'x', ('{sbrun.network[1]}', {sock.getsockname()[1]}))"
        box.exec("python3", "-c", script)
        with pytest.raises(TimeoutError):
            sock.recv(10)


def test_no_other_sandbox_is_reachable(sandbox, python_image):
    """Though the host reaches both; refused, not ignored."""
    first, second = sandbox(image=python_image), sandbox()
    httpd(second)
    assert connect_error(address_of(second), 80)[0] == 0
    [(word, seconds)] = connect_inside(first, (address_of(second), 80))
    assert word in ("ConnectionRefusedError", "PermissionError") and seconds < 1


@pytest.fixture
def outside(sbrun):
    """A machine beyond the host, which forwards: how to run commands there. It has a server on port 80."""
    with subprocess.Popen(["unshare", "-n", "busybox", "httpd", "-f", "-p", "[::]:80"]) as server:
        there = ["nsenter", "-t", str(server.pid), "-n"]
        try:
            here = os.readlink("/proc/self/ns/net")
            lib.eventually(lambda: os.readlink(f"/proc/{server.pid}/ns/net") != here)
            for command in ([*"ip link add up0 type veth peer name out0 netns".split(), str(server.pid)],
                            "ip address add 2001:db8::1/64 dev up0 nodad".split(), "ip link set up0 up".split(),
                            [*there, *"ip address add 2001:db8::2/64 dev out0 nodad".split()],
                            [*there, *"ip link set lo up".split()], [*there, *"ip link set out0 up".split()],
                            [*there, *"ip -6 route add".split(), str(sbrun.network), "via", "2001:db8::1"],
                            ["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"]):
                subprocess.run(command, check=True)
            lib.eventually(lambda: connect_error("2001:db8::2", 80)[0] == 0)
            yield there
        finally:
            subprocess.run(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=0"], check=False)
            subprocess.run(["ip", "link", "del", "up0"], check=False)  # its namespace may take its time
            server.kill()


def test_nothing_outside_is_reachable_even_if_the_host_forwards(sandbox, python_image, outside):
    """No egress yet: refused, not ignored."""
    assert outside
    [(word, seconds)] = connect_inside(sandbox(image=python_image), ("2001:db8::2", 80))
    assert word in ("ConnectionRefusedError", "PermissionError") and seconds < 1


def test_nobody_outside_reaches_a_sandbox_even_if_the_host_forwards(sandbox, outside):
    """Only the host itself does."""
    box = sandbox()
    httpd(box)
    assert connect_error(address_of(box), 80)[0] == 0
    done = subprocess.run([*outside, "busybox", "timeout", "2", "busybox", "wget", "-q", "-O", "-",
                           f"http://[{address_of(box)}]/"], capture_output=True, check=False)
    assert done.returncode != 0


SEND_FROM = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND, linux/in6.h: any address, without privileges
s.bind((sys.argv[1], 9999))
s.sendto(b"answer", (sys.argv[2], int(sys.argv[3])))
"""


def test_a_forged_source_address_is_dropped(sandbox, python_image):
    """T28: not even as an answer that the host waits for from another sandbox."""
    other, liar = sandbox(image=python_image), sandbox(image=python_image)

    def answer_from(box):
        """Ask the other; let @box answer in the other's name. Return what the host hears."""
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            sock.connect((address_of(other), 9999))
            sock.send(b"question")
            assert box.exec("python3", "-c", SEND_FROM, address_of(other), *map(str, sock.getsockname()[:2])).rc == 0
            while True:
                try:
                    return sock.recv(100)
                except ConnectionRefusedError:
                    continue  # nobody listened when the question came
                except TimeoutError:
                    return None

    assert answer_from(other) == b"answer"
    assert answer_from(liar) is None


def router_advertisement():
    """Return a frame: a router on the link that offers a default route and a prefix (RFC 4861 section 4.2)."""
    source, group = socket.inet_pton(10, "fe80::bad"), socket.inet_pton(10, "ff02::1")
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    body += struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(10, "2001:db8:bad::")
    total = sum(struct.unpack(f"!{(len(body) + 40) // 2}H", source + group + struct.pack("!II", len(body), 58) + body))
    total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group
    return bytes.fromhex("333300000001" "025b00000002" "86dd") + header + body


def test_router_advertisements_of_a_sandbox_change_nothing(sandbox):
    """T28: inside nobody can make the socket; and if somebody could, the host would not listen."""
    box = sandbox()
    sockets = {(e["family"], e["type"], e["protocol"]): e["result"] for e in box.probe("sockets")}
    assert sockets["AF_INET6", "SOCK_RAW", "IPPROTO_ICMPV6"] != "ok"
    assert sockets["AF_PACKET", "SOCK_RAW", "0"] != "ok"

    def state():
        return {(kind, json.dumps(entry))
                for kind, rest in (("route", ["table", "all"]), ("address", []), ("neigh", []))
                for entry in lib.json_of("ip", "-6", "-j", kind, "show", *rest)}

    before = state()
    script = ("import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
              "s.send(bytes.fromhex(sys.argv[1]))")
    for _ in range(3):
        subprocess.run(["nsenter", "-t", str(box.inspect()["initPid"]), "-n", "/usr/bin/python3", "-c", script,
                        router_advertisement().hex()], check=True)
    assert connect_error(address_of(box), 9)[0] == 111
    # Nothing new; what is gone belonged to a sandbox of an earlier test that was still dying.
    lib.eventually(lambda: state() <= before)
    [link] = {dev for dst, dev, _ in lib.routes(box.sbrun) if dst == address_of(box)}
    assert Path(f"/proc/sys/net/ipv6/conf/{link}/accept_ra").read_text() == "0\n"


@pytest.mark.parametrize("command", [
    "ip address add 2001:db8::5/64 dev eth0", "ip link set eth0 down", "ip link add x type dummy",
    "ip -6 route add 2001:db8::/64 dev eth0", "ip link set eth0 address 02:00:00:00:00:05", "ifconfig eth0 down",
    "ip neigh add fe80::9 lladdr 02:00:00:00:00:09 dev eth0"])
def test_the_network_cannot_be_changed_from_inside(sandbox, command):
    """Root inside has no CAP_NET_ADMIN."""
    assert sandbox().exec(*command.split()).rc != 0


# ---- firewall ------------------------------------------------------------------------------------------------

def nft(*command):
    """Return what an nft command prints."""
    return subprocess.run(["nft", *command], check=True, capture_output=True, text=True).stdout


def test_there_is_one_table_and_one_element_per_sandbox(sbrun, sandbox):
    """Which goes with the sandbox."""
    addresses = {address_of(sandbox()) for _ in range(5)}
    assert [line for line in nft("list", "tables").splitlines() if "sbrun" in line] == ["table inet sbrun"]
    assert {element for _, _, element in lib.nft_elements(sbrun)} == addresses
    sbrun.ok("rm", "-f", *sbrun.ok("ps", "-q").out.split())
    assert lib.nft_elements(sbrun) == set()


def test_other_tables_are_untouched(sbrun, sandbox):
    """By create, rm and gc."""
    nft("add table inet other; add chain inet other c { type filter hook input priority 5; }; "
        "add set inet other s { type ipv6_addr; elements = { 2001:db8::7 }; }; add rule inet other c counter accept; "
        "add table ip6 sbrun_like")
    before = nft("-s", "list", "table", "inet", "other") + nft("list", "table", "ip6", "sbrun_like")
    box = sandbox()
    httpd(box)
    sbrun.ok("rm", "-f", box.id)
    sbrun.ok("gc")
    assert nft("-s", "list", "table", "inet", "other") + nft("list", "table", "ip6", "sbrun_like") == before
    nft("delete table inet other; delete table ip6 sbrun_like")


def test_a_flushed_ruleset_is_installed_again_by_the_next_create(sandbox, python_image):
    """Somebody restarted the host's firewall: new sandboxes are as closed as ever."""
    nft("flush", "ruleset")
    box, other = sandbox(image=python_image), sandbox()
    httpd(other)
    [(word, _)] = connect_inside(box, (address_of(other), 80))
    assert word in ("ConnectionRefusedError", "PermissionError")


# ---- ports ---------------------------------------------------------------------------------------------------

LISTEN = """
import socket, sys, time, json
keep = []
for family, kind, address, port, only in json.loads(sys.argv[1]):
    s = socket.socket(family, kind)
    if only is not None:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen()
    keep.append(s)
print("ready", flush=True)
time.sleep(600)
"""
TCP, UDP, V4, V6 = 1, 2, 2, 10
SERVERS = {  # port: (what to bind, expected row, what the advice says)
    8001: ((V6, TCP, "::", 8001, 0), ("tcp", "::", "ipv6", False, "reachable"), "reachable at ["),
    8002: ((V6, TCP, "::1", 8002, None), ("tcp", "::1", "ipv6", True, "loopback_only"), "bind to ::"),
    8003: ((V4, TCP, "0.0.0.0", 8003, None), ("tcp", "0.0.0.0", "ipv4", False, "ipv4_only"), "bind to ::"),
    8004: ((V4, TCP, "127.0.0.1", 8004, None), ("tcp", "127.0.0.1", "ipv4", False, "loopback_only"), "127.0.0.1"),
    8005: ((V6, TCP, "own", 8005, None), ("tcp", "own", "ipv6", True, "reachable"), "reachable at ["),
    8006: ((V6, TCP, "::", 8006, 1), ("tcp", "::", "ipv6", True, "reachable"), "reachable at ["),
    8007: ((V6, UDP, "::", 8007, 0), ("udp", "::", "ipv6", False, "reachable"), "reachable at ["),
    8008: ((V4, UDP, "127.0.0.1", 8008, None), ("udp", "127.0.0.1", "ipv4", False, "loopback_only"), "127.0.0.1"),
    8009: ((V6, TCP, "::ffff:127.0.0.1", 8009, 0),
           ("tcp", "::ffff:127.0.0.1", "ipv6", False, "loopback_only"), "127.0.0.1"),
}


@pytest.fixture(scope="module")
def listening(sbrun, python_image, own_network):
    """A sandbox with a server of each kind: (its record, the session's number, rows of ports by port)."""
    sandbox_id = sbrun.ok("create", python_image).out.strip()
    record = sbrun.ok("inspect", sandbox_id).json()
    specs = [[record["address"] if field == "own" else field for field in bind] for bind, _, _ in SERVERS.values()]
    session = sbrun.ok("exec", "-d", sandbox_id, "python3", "-c", LISTEN, json.dumps(specs)).out.strip()
    lib.eventually(lambda: "ready" in sbrun.ok("logs", session).out)
    rows = sbrun.ok("ports", sandbox_id, "--json").json()
    yield record, int(session.rpartition("/")[2]), {row["port"]: row for row in rows}
    sbrun.ok("rm", "-f", sandbox_id)


@pytest.mark.parametrize("port", SERVERS)
def test_ports_tells_address_family_and_reach(listening, port):
    """One row for each server, with one sentence of advice."""
    record, session, rows = listening
    row = rows[port]
    proto, address, family, v6only, reach = SERVERS[port][1]
    assert (row["proto"], row["address"], row["family"], row["v6only"], row["reach"]) == (
        proto, record["address"] if address == "own" else address, family, v6only, reach)
    assert SERVERS[port][2] in row["advice"] and "\n" not in row["advice"]
    assert row["exec"] == session and row["command"] == "python3"


def test_ports_names_the_process_inside_and_outside(sbrun, listening):
    """The same one, by both numbers."""
    record, session, rows = listening
    [outer] = {row["hostPid"] for row in rows.values()}
    [inner] = {row["pid"] for row in rows.values()}
    nspid = [l for l in Path(f"/proc/{outer}/status").read_text().splitlines() if l.startswith("NSpid:")][0].split()
    assert nspid[1:] == [str(outer), str(inner)]
    execs = sbrun.ok("inspect", record["id"]).json()["execs"]
    assert [e["pid"] for e in execs if e["exec"] == session] == [outer]


def test_ports_lists_nothing_else(listening):
    """No ghost rows."""
    assert set(listening[2]) == set(SERVERS)


@pytest.mark.parametrize("port", [p for p, (bind, _, _) in SERVERS.items() if bind[1] == TCP])
def test_the_diagnosis_is_true(listening, port):
    """What is called reachable can be connected to from the host, the rest cannot."""
    record, _, rows = listening
    assert (connect_error(record["address"], port)[0] == 0) == (rows[port]["reach"] == "reachable")


def test_ports_for_people_explains_what_cannot_be_reached(sbrun, listening):
    """In the table, too."""
    lines = sbrun.ok("ports", listening[0]["id"]).out.splitlines()
    assert lines[0].split() == ["PROTO", "ADDRESS", "PORT", "EXEC", "PID", "COMMAND", "REACH"]
    [line] = [line for line in lines if " 8003 " in line]
    assert "ipv4_only: listens on 0.0.0.0" in line and "bind to ::" in line


def test_ports_of_an_idle_sandbox_are_none(sbrun, sandbox):
    """An empty list."""
    assert sbrun.ok("ports", sandbox().id, "--json").json() == []


# ---- readiness -----------------------------------------------------------------------------------------------

ON_DEMAND = """
import socket, sys, time
for line in sys.stdin:
    s = socket.socket(socket.AF_INET6)
    s.bind(("::", int(line)))
    s.listen()
    print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True)
    globals()["keep" + line.strip()] = s
"""


def test_wait_returns_within_20_ms_of_listen(sandbox, python_image):
    """Median of 20, from listen(2) inside to the exit of the command outside."""
    box = sandbox(image=python_image)
    delays = []
    with box.sbrun.start("exec", "-i", box.id, "python3", "-c", ON_DEMAND, stdin=subprocess.PIPE) as server:
        for number, port in enumerate(range(6000, 6020)):
            with box.sbrun.start("wait", box.id, "--port", port, "--timeout", "20s") as wait:
                time.sleep(0.05 + 0.013 * number)  # so that it has long been waiting, and in any phase
                assert wait.poll() is None
                server.stdin.write(b"%d\n" % port)
                server.stdin.flush()
                listened = int(server.stdout.readline())
                assert wait.wait() == 0
                delays.append((time.clock_gettime_ns(time.CLOCK_MONOTONIC) - listened) / 1e6)
        server.stdin.close()
        server.wait(lib.TIMEOUT_S)
    print("wait after listen, ms:", " ".join(f"{d:.1f}" for d in sorted(delays)))
    assert statistics.median(delays) < 20


def test_wait_returns_at_once_if_the_port_is_there(sandbox):
    """And tells what it found."""
    box = sandbox()
    session = httpd(box)
    start = time.monotonic()
    row = box.sbrun.ok("wait", session, "--port", "80", "--json").json()
    assert time.monotonic() - start < 1
    assert (row["port"], row["reach"], row["address"]) == (80, "reachable", "::")


def test_wait_ends_when_the_session_has_died(sandbox):
    """Exit code 1 at once, with the session's name and how it ended."""
    box = sandbox()
    session = box.sbrun.ok("exec", "-d", box.id, "sh", "-c", "sleep 0.3; exit 3").out.strip()
    start = time.monotonic()
    result = box.sbrun("wait", session, "--port", "80", "--timeout", "20s")
    assert result.rc == 1 and time.monotonic() - start < 5
    assert session in result.err and "exit code 3" in result.err and result.err.count("\n") == 1


def test_wait_says_so_if_the_session_was_dead_before(sandbox):
    """It cannot become ready any more."""
    box = sandbox()
    session = box.sbrun.ok("exec", "-d", box.id, "false").out.strip()
    box.sbrun.ok("wait", session)
    result = box.sbrun("wait", session, "--port", "80", "--timeout", "20s")
    assert result.rc == 1 and session in result.err


def test_wait_ends_when_the_sandbox_is_removed(sandbox):
    """It cannot become ready any more."""
    box = sandbox()
    with box.sbrun.start("wait", box.id, "--port", "80", "--timeout", "20s") as wait:
        time.sleep(0.1)
        box.sbrun.ok("rm", "-f", box.id)
        assert wait.wait(5) == 1
        assert box.id.encode() in wait.stderr.read()


@pytest.mark.parametrize("listen, words", [
    ("127.0.0.1:80", ["127.0.0.1", "bind to ::"]), ("0.0.0.0:80", ["IPv4 only", "bind to ::"]),
    ("[::1]:80", ["::1", "bind to ::"]), ("[::]:81", ["nothing listens on it", "81"])])
def test_wait_explains_what_is_wrong_when_the_time_is_up(sandbox, listen, words):
    """Exit code 124 and the diagnosis, in one line."""
    box = sandbox()
    box.sbrun.ok("exec", "-d", box.id, "httpd", "-f", "-p", listen)
    start = time.monotonic()
    result = box.sbrun("wait", box.id, "--port", "80", "--timeout", "700ms")
    assert result.rc == 124 and 0.6 < time.monotonic() - start < 5
    assert all(word in result.err for word in words) and result.err.count("\n") == 1, result.err


def test_wait_on_a_sandbox_depends_on_the_command_of_run(sbrun, busybox_image):
    """run -d prints the sandbox's id: that is enough to wait for its server, or its failure."""
    good = sbrun.ok("run", "-d", busybox_image, "httpd", "-f", "-p", "[::]:80").out.strip()
    bad = sbrun.ok("run", "-d", busybox_image, "sh", "-c", "sleep 0.3; exit 4").out.strip()
    assert sbrun("wait", good, "--port", "80", "--timeout", "10s").rc == 0
    start = time.monotonic()
    result = sbrun("wait", bad, "--port", "80", "--timeout", "20s")
    assert result.rc == 1 and time.monotonic() - start < 5 and bad in result.err
    sbrun.ok("rm", "-f", good, bad)


def test_wait_finds_the_server_that_comes_after_a_useless_one(sandbox):
    """First on 127.0.0.1, then on ::, on the same port."""
    box = sandbox()
    box.sbrun.ok("exec", "-d", box.id, "httpd", "-f", "-p", "127.0.0.1:80")
    with box.sbrun.start("wait", box.id, "--port", "80", "--timeout", "20s") as wait:
        time.sleep(0.3)
        assert wait.poll() is None
        box.sh("killall httpd")
        box.sbrun.ok("exec", "-d", box.id, "httpd", "-f", "-p", "[::]:80")
        assert wait.wait(10) == 0
