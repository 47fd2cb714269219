# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a registry that records every request, and breaks those that a test tells it to break.

	with FaultProxy(registry) as proxy:
		fault = proxy.on("blob", digest, do=cut(1000), times=2)
		... pull from proxy.host ...
		assert fault.hits == 2 and proxy.asked("blob", digest)[-1].headers["Range"] == "bytes=1000-"

What a fault does is a function of one argument, an Exchange; those that tests need are at the end.
"""
import http.client
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass

import lib
from registry import Handler, bracketed, serve

CHUNK = 64 << 10
# Headers of one connection (RFC 9110 section 7.6.1), and what we set ourselves.
OWN_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
PATHS = (("manifest", re.compile(r"/v2/(.+)/manifests/([^/]+)$")),
         ("blob", re.compile(r"/v2/(.+)/blobs/([^/]+)$")),
         ("ping", re.compile(r"/v2/?()()$")))


class Gone(Exception):
    """The connection ends here, on purpose or because the client has gone."""


@dataclass
class Request:
    """What a client asked, and what it got: @sent bytes of body with @status. @at: time.monotonic()."""
    method: str
    path: str
    headers: http.client.HTTPMessage
    kind: str  # manifest, blob, ping, other
    name: str  # repository
    what: str  # tag or digest
    at: float
    status: int = None
    sent: int = 0


class Fault:
    """One row of the proxy's script. @hits: how often it was applied; @reached: set when a stall has begun."""

    def __init__(self, do, times):
        self.do, self.left, self.hits = do, times, 0
        self.reached = threading.Event()

    def await_stall(self):
        """Wait until a request is held at the place where stall() holds it."""
        assert self.reached.wait(lib.TIMEOUT_S), "nobody came to where the fault is"


class FaultProxy:
    """The proxy. @host is its name in references, @requests what was asked, in order."""

    def __init__(self, registry, address="::1"):
        self.upstream = (registry.address, registry.port)
        self.requests, self._faults = [], []
        self._changed = threading.Condition()
        self._released = threading.Event()
        self._server = serve(address, _handler(self))
        self.host = f"{bracketed(address)}:{self._server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End it; who is held by stall() is let go."""
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def release(self):
        """End all stalls: their connections are closed."""
        self._released.set()

    def await_release(self):
        """Hold the caller until release() or close()."""
        self._released.wait()

    # ---- the script

    def on(self, kind, what=None, do=None, times=None, method=None):
        """Apply @do to the next @times requests (None: all) of @kind (None: any) for @what. Return the Fault."""
        fault = Fault(do, times)
        with self._changed:
            self._faults.append((kind, what, method, fault))
        return fault

    def clear(self):
        """Break nothing more."""
        with self._changed:
            self._faults.clear()

    def forget(self):
        """Forget what was asked so far."""
        with self._changed:
            self.requests.clear()

    def _fault_for(self, request):
        """Return the Fault for @request or None, and note the request."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            for kind, what, method, fault in self._faults:
                if kind in (None, request.kind) and what in (None, request.what) and \
                        method in (None, request.method) and fault.left != 0:
                    fault.left = fault.left and fault.left - 1
                    fault.hits += 1
                    return fault
        return None

    # ---- what was asked

    def asked(self, kind=None, what=None, method=None):
        """Return the requests of @kind for @what."""
        with self._changed:
            return [r for r in self.requests if kind in (None, r.kind) and what in (None, r.what) and
                    method in (None, r.method)]

    def count(self, kind=None, what=None, method=None):
        """Return how many there were."""
        return len(self.asked(kind, what, method))

    def await_count(self, n, kind=None, what=None):
        """Wait until there have been @n requests of @kind for @what."""
        def enough():
            return sum(kind in (None, r.kind) and what in (None, r.what) for r in self.requests) >= n

        with self._changed:
            assert self._changed.wait_for(enough, lib.TIMEOUT_S), f"only {self.requests}"

    # ---- serving

    def serve(self, handler):
        """Answer one request of @handler's connection."""
        exchange = Exchange(self, handler)
        exchange.fault = self._fault_for(exchange.request)
        try:
            (exchange.fault.do if exchange.fault else forward)(exchange)
        except (Gone, OSError, http.client.HTTPException):
            # A broken pipe is what clients do; a registry that has died is a broken connection for them, too.
            handler.close_connection = True


def _request_of(handler):
    """Return the Request that @handler has just read."""
    for kind, pattern in PATHS:
        match = pattern.match(handler.path.partition("?")[0])
        if match:
            return Request(handler.command, handler.path, handler.headers, kind, *match.groups(), at=time.monotonic())
    return Request(handler.command, handler.path, handler.headers, "other", "", "",
                   at=time.monotonic())


def _handler(proxy):
    """Return a handler class for connections to @proxy."""
    class ProxyHandler(Handler):
        """One connection."""

        def do_GET(self):
            """Any request without a body."""
            proxy.serve(self)

        do_HEAD = do_GET

    return ProxyHandler


class Exchange:
    """One request, and the means to answer it."""

    def __init__(self, proxy, handler):
        self.proxy, self.handler, self.fault = proxy, handler, None
        self.request = _request_of(handler)

    def fetch(self, without=()):
        """Ask the registry the same, @without some headers (lower case). The body of the answer is to be read."""
        connection = http.client.HTTPConnection(*self.proxy.upstream, timeout=lib.TIMEOUT_S)
        headers = {k: v for k, v in self.handler.headers.items()
                   if k.lower() not in OWN_HEADERS and k.lower() not in without}
        connection.request(self.request.method, self.request.path, headers={**headers, "Connection": "close"})
        return connection.getresponse()

    def begin(self, status, headers, length):
        """Send the head of an answer whose body has @length bytes."""
        self.request.status = status
        self.handler.send_response(status)
        for name, value in headers:
            if name.lower() not in OWN_HEADERS:
                self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(length))
        self.handler.end_headers()

    def write(self, data):
        """Send a part of the body."""
        if self.request.method != "HEAD":
            self.handler.wfile.write(data)
            self.request.sent += len(data)

    def copy(self, answer, limit=None):
        """Send the body of @answer, or its first @limit bytes. Return whether that was all of it."""
        left = limit
        while left is None or left > 0:
            data = answer.read(CHUNK if left is None else min(CHUNK, left))
            if not data:
                return True
            self.write(data)
            left = left and left - len(data)
        return not answer.read(1)

    def close(self):
        """Close the connection, in good order for TCP."""
        self.handler.wfile.flush()
        raise Gone

    def reset(self):
        """Reset the connection: what it has not read yet is lost to the client."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # rfile and wfile hold the socket, too; this closes it for all of them.
        self.handler.rfile.close()
        self.handler.wfile.close()
        self.handler.connection.close()
        raise Gone


def _length(answer):
    """Return the length of the body that @answer announces."""
    return int(answer.getheader("Content-Length", 0))


# ---- faults --------------------------------------------------------------------------------------------------

def forward(exchange):
    """No fault: what the registry says."""
    reply = exchange.fetch()
    exchange.begin(reply.status, reply.getheaders(), _length(reply))
    exchange.copy(reply)


def _part(n, then):
    """Return a fault: head and the first @n bytes of the body, then @then(exchange)."""
    def do(exchange):
        reply = exchange.fetch()
        exchange.begin(reply.status, reply.getheaders(), _length(reply))
        exchange.copy(reply, n)
        then(exchange)
    return do


def cut(n):
    """Close the connection after @n bytes of the body."""
    return _part(n, Exchange.close)


def reset(n):
    """Reset the connection after @n bytes of the body."""
    return _part(n, Exchange.reset)


def refuse_connection(exchange):
    """Close the connection without an answer."""
    exchange.close()


def stall(n):
    """Say nothing more after @n bytes of the body, until the proxy is released; then close the connection."""
    def hold(exchange):
        exchange.fault.reached.set()
        exchange.proxy.await_release()
        exchange.close()
    return _part(n, hold)


def drip(size, pause_s):
    """Send the body in pieces of @size bytes with a pause after each: a slow line."""
    def do(exchange):
        reply = exchange.fetch()
        exchange.begin(reply.status, reply.getheaders(), _length(reply))
        for data in iter(lambda: reply.read(size), b""):
            exchange.write(data)
            exchange.handler.wfile.flush()
            time.sleep(pause_s)
    return do


def answer(status, headers=(), body=b""):
    """Answer @status without asking the registry. @headers: pairs."""
    def do(exchange):
        exchange.begin(status, headers, len(body))
        exchange.write(body)
    return do


def error(status, code="UNAVAILABLE", message="not now", headers=()):
    """Answer @status with the JSON that registries give (distribution-spec "Error Codes")."""
    body = f'{{"errors":[{{"code":"{code}","message":"{message}"}}]}}\n'.encode()
    return answer(status, [("Content-Type", "application/json"), *headers], body)


def redirect(location, status=307):
    """Send the client to @location, or to @location(exchange.request)."""
    def do(exchange):
        place = location(exchange.request) if callable(location) else location
        exchange.begin(status, [("Location", place)], 0)
    return do


def ignore_range(exchange):
    """Answer a request for a part with the whole: a server that does not know Range (RFC 9110 section 14.2)."""
    reply = exchange.fetch(without=("range", "if-range"))
    exchange.begin(reply.status, [h for h in reply.getheaders() if h[0].lower() != "accept-ranges"],
                   _length(reply))
    exchange.copy(reply)


def header(name, value):
    """Forward with the header @name set to @value (None: taken away)."""
    def do(exchange):
        reply = exchange.fetch()
        headers = [h for h in reply.getheaders() if h[0].lower() != name.lower()]
        exchange.begin(reply.status, headers + ([(name, value)] if value is not None else []), _length(reply))
        exchange.copy(reply)
    return do


def wrong_part(exchange):
    """Answer a request for bytes=N- with 206 and the bytes from N+1 on, and say so in Content-Range."""
    reply = exchange.fetch()
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", reply.getheader("Content-Range", ""))
    if reply.status != 206 or not match:
        exchange.begin(reply.status, reply.getheaders(), _length(reply))
        exchange.copy(reply)
        return
    start, end, size = map(int, match.groups())
    headers = [h for h in reply.getheaders() if h[0].lower() != "content-range"]
    exchange.begin(206, [*headers, ("Content-Range", f"bytes {start + 1}-{end}/{size}")], end - start)
    reply.read(1)
    exchange.copy(reply)


def body(change):
    """Forward with the body that @change(bytes) returns; its length is announced as it is."""
    def do(exchange):
        if exchange.request.method == "HEAD":
            return forward(exchange)
        reply = exchange.fetch()
        data = change(reply.read())
        exchange.begin(reply.status, reply.getheaders(), len(data))
        return exchange.write(data)
    return do


def flip(at):
    """Change one bit of the body, @at bytes from its beginning, or -@at from its end."""
    def change(data):
        data = bytearray(data)
        data[at] ^= 1
        return bytes(data)
    return body(change)


def too_long(extra):
    """Send @extra bytes more than the blob has."""
    return body(lambda data: data + b"\0" * extra)


def truncate(n):
    """Send the first @n bytes of the body as if that were all."""
    return body(lambda data: data[:n])
