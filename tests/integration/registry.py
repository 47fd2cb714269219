# SPDX-License-Identifier: Apache-2.0
"""Registries for the tests: Debian's docker-registry on loopback, a token server, and a client that pushes.

All registries of a session share one storage directory, so an image is pushed once, through the plain one.
"""
import base64
import http.client
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

import lib

USER, PASSWORD = "user", "secret-päss:word"
# htpasswd(1) -nbB with PASSWORD; docker-registry reads nothing but bcrypt.
HTPASSWD = "user:$2b$04$DJ3NDWuiuAscq8jlgFDB0uKHUSoPIEOf8H4d.ztONIpFnYrix9gBK\n"
IDENTITY_TOKEN = "an-identity-token-for-user"
SERVICE, ISSUER = "sbrun tests", "sbrun token server"
EXPIRED_S = 3600  # more than any leeway for clocks


# ---- keys and certificates -----------------------------------------------------------------------------------

class Authority:
    """A certificate authority in a directory. It makes certificates for servers, and says for whom and how long."""

    CONFIG = ("[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = .\ndefault_md = sha256\n"
              "policy = any\nunique_subject = no\nrand_serial = yes\nemail_in_dn = no\n"
              "[any]\ncommonName = supplied\n")

    def __init__(self, folder):
        self.folder = folder
        self.cert = folder / "ca.pem"
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(self.CONFIG)
        self._openssl("req", "-x509", *self._new_key("ca"), "-out", "ca.pem", "-days", "2", "-subj",
                      "/CN=sbrun test authority")

    def _openssl(self, *args):
        done = subprocess.run(["openssl", *args], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    @staticmethod
    def _new_key(name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key"]

    def server(self, name, alt="IP:::1,IP:127.0.0.1,DNS:localhost", start_s=-3600, end_s=86400):
        """Return (certificate, key), paths. @alt: subjectAltName; validity in seconds from now."""
        def stamp(offset):
            return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset))

        (self.folder / (name + ".ext")).write_text(
            f"subjectAltName={alt}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        self._openssl("req", "-new", *self._new_key(name), "-out", name + ".csr", "-subj", "/CN=" + name)
        self._openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
                      "-in", name + ".csr", "-out", name + ".pem", "-extfile", name + ".ext",
                      "-startdate", stamp(start_s), "-enddate", stamp(end_s))
        return self.folder / (name + ".pem"), self.folder / (name + ".key")


# ---- the registry --------------------------------------------------------------------------------------------

def free_port(address):
    """Return a TCP port of @address that nobody listens on now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


def bracketed(address):
    """Return @address as it stands before a port."""
    return f"[{address}]" if ":" in address else address


class Registry:
    """A docker-registry that runs. Stop it with stop(); it does not outlive us."""

    def __init__(self, folder, storage, address="::1", tls=None, auth=None):
        """@tls: (certificate, key); @auth: the "auth" section of its configuration."""
        self.folder, self.storage, self.address, self.tls, self.auth = folder, storage, address, tls, auth
        self.port, self.process = None, None
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(10):  # somebody else may take the port before it does
            if self._start():
                return
        raise AssertionError("docker-registry does not start: " + (folder / "log").read_text())

    @property
    def host(self):
        """Its name in references."""
        return f"{bracketed(self.address)}:{self.port}"

    @property
    def url(self):
        """Its address for HTTP clients."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def _config(self):
        """Return the configuration; JSON is YAML."""
        http_ = {"addr": self.host, "secret": "none", "relativeurls": True}
        if self.tls:
            http_["tls"] = {"certificate": str(self.tls[0]), "key": str(self.tls[1])}
        config = {"version": 0.1, "log": {"level": "warn", "accesslog": {"disabled": True}}, "http": http_,
                  "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}}}
        return {**config, "auth": self.auth} if self.auth else config

    def _start(self):
        self.port = free_port(self.address)
        path = self.folder / "config.yml"
        path.write_text(json.dumps(self._config()))
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve", str(path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
        return lib.eventually(self._is_ready, timeout=lib.TIMEOUT_S) == "ready"

    def _is_ready(self):
        if self.process.poll() is not None:
            return "ended"
        try:
            socket.create_connection((self.address, self.port), 1).close()
        except OSError:
            return None
        return "ready"

    def stop(self):
        """Kill it and wait until it has gone."""
        self.process.kill()
        self.process.wait()

    def push(self, image, repository, tag=None):
        """Send @image (ocimage.Image) with all it points to. Return its reference, by digest without @tag."""
        with Pusher(self) as pusher:
            pusher.image(image, repository, tag)
        return f"{self.host}/{repository}" + (f":{tag}" if tag else f"@{image.digest}")

    def delete_tag(self, repository, tag):
        """Forget @tag, as if it had never been pushed (its own file storage; there is no such request)."""
        path = self.storage / "docker/registry/v2/repositories" / repository / "_manifests/tags" / tag
        path.rename(self.folder / f"deleted-{time.monotonic_ns()}")


class Pusher:
    """A connection that pushes to a Registry without authentication."""

    def __init__(self, registry):
        self.connection = http.client.HTTPConnection(registry.address, registry.port, timeout=lib.TIMEOUT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def _ask(self, method, path, good, body=None, **headers):
        """Send a request, return the answer, whose status must be one of @good."""
        self.connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status in good, f"{method} {path}: {answer.status}: {text}"
        return answer

    def blob(self, repository, digest, data):
        """Send a blob unless it is there."""
        if self._ask("HEAD", f"/v2/{repository}/blobs/{digest}", (200, 404)).status == 200:
            return
        place = self._ask("POST", f"/v2/{repository}/blobs/uploads/", (202,)).headers["Location"]
        place += ("&" if "?" in place else "?") + urllib.parse.urlencode({"digest": digest})
        self._ask("PUT", place, (201,), data, Content_Type="application/octet-stream")

    def image(self, image, repository, tag=None):
        """Send an image or index: first what it points to."""
        for child in image.children:
            self.image(child, repository)
        for digest, data in image.blobs.items():
            self.blob(repository, digest, data)
        self._ask("PUT", f"/v2/{repository}/manifests/{tag or image.digest}", (201,), image.manifest,
                  Content_Type=image.media)


def basic_auth(folder):
    """Return the "auth" section for USER and PASSWORD."""
    path = folder / "htpasswd"
    path.write_text(HTPASSWD)
    return {"htpasswd": {"realm": "sbrun tests", "path": str(path)}}


# ---- the token server ----------------------------------------------------------------------------------------

@dataclass
class TokenRequest:
    """What a client asked the token server: @fields of the query or form, each with its list of values."""
    method: str
    path: str
    fields: dict
    authorization: str
    user: str = None  # who it was, None: nobody
    status: int = None
    scopes: list = field(default_factory=list)


def _encode(data):
    """Base64 of JSON or bytes as in JWT (RFC 7515 section 2)."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class TokenServer:
    """A server of bearer tokens that docker-registry trusts: "Token Authentication Specification" of distribution.

    Repositories below public/ may be pulled by everybody, others by USER. Attributes to be set by tests:
    @stale: so many of the next tokens are issued already expired; @allow_post: OAuth2 form known (else 404);
    @token_field: name of the field that holds the token. @requests: all that came.
    """

    def __init__(self, folder, address="::1", tls=None):
        self.folder, self.address = folder, address
        self.stale, self.allow_post, self.token_field = 0, True, "token"
        self.requests, self._lock, self._serial = [], threading.Lock(), 0
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "token.key",
                               "-out", "token.pem", "-days", "2", "-subj", "/CN=" + ISSUER], cwd=folder,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        der = ssl.PEM_cert_to_DER_cert((folder / "token.pem").read_text())
        self._header = _encode({"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]})
        self._server = serve(address, _token_handler(self), tls)
        self.port = self._server.server_address[1]
        self.scheme = "https" if tls else "http"

    @property
    def host(self):
        """Its name in URLs."""
        return f"{bracketed(self.address)}:{self.port}"

    def auth(self):
        """Return the "auth" section of a registry that trusts it."""
        return {"token": {"realm": f"{self.scheme}://{self.host}/token", "service": SERVICE, "issuer": ISSUER,
                          "rootcertbundle": str(self.folder / "token.pem")}}

    def reset(self):
        """Forget what tests asked for and what came."""
        with self._lock:
            self.stale, self.allow_post, self.token_field = 0, True, "token"
            self.requests.clear()

    def stop(self):
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request):
        """Return (status, JSON) for @request, and note it."""
        with self._lock:
            self.requests.append(request)
            request.status, body = self._decide(request)
            return request.status, body

    def _decide(self, request):
        fields = request.fields
        if request.path != "/token" or (request.method == "POST" and not self.allow_post):
            return 404, {"errors": [{"code": "NOT_FOUND", "message": "no such thing here"}]}
        known, request.user = self._who(request)
        if not known:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
        if fields.get("service") != [SERVICE]:
            return 400, {"errors": [{"code": "UNSUPPORTED", "message": f"service {fields.get('service')}"}]}
        request.scopes = [one for value in fields.get("scope", []) for one in value.split()]
        body = {"expires_in": 300, "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        body["access_token" if request.method == "POST" else self.token_field] = self._token(request)
        if request.method == "POST":
            body["scope"] = " ".join(request.scopes)
        if "offline" in fields.get("access_type", []) or "true" in fields.get("offline_token", []):
            body["refresh_token"] = IDENTITY_TOKEN
        return 200, body

    @staticmethod
    def _who(request):
        """Return (whether what came is good, the user or None for nobody)."""
        grant = request.fields.get("grant_type")
        if request.method == "POST" and grant == ["refresh_token"]:
            good = request.fields.get("refresh_token") == [IDENTITY_TOKEN]
        elif request.method == "POST":
            good = grant == ["password"] and request.fields.get("username") == [USER] and \
                request.fields.get("password") == [PASSWORD]
        elif request.authorization is None:
            return True, None
        else:
            good = request.authorization == basic(USER, PASSWORD)
        return good, USER if good else None

    def _token(self, request):
        """Return a signed token for what @request may do of what it asks (RFC 7519)."""
        access = []
        for scope in request.scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            if request.user or name.startswith("public/"):
                allowed = [one for one in actions.split(",") if one == "pull"]
                access.append({"type": kind, "name": name, "actions": allowed})
        self._serial += 1
        offset = 0
        if self.stale > 0:
            self.stale, offset = self.stale - 1, -EXPIRED_S
        now = int(time.time())
        claims = _encode({"iss": ISSUER, "sub": request.user or "", "aud": SERVICE, "exp": now + 300 + offset,
                          "nbf": now - 10 + offset, "iat": now + offset, "jti": str(self._serial),
                          "access": access})
        signed = self._header + b"." + claims
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.folder / "token.key"], input=signed,
                              capture_output=True, check=True)
        return (signed + b"." + _encode(done.stdout)).decode()


def basic(user, password):
    """Return the value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _token_handler(server):
    """Return a handler class for requests to @server."""
    class TokenHandler(Handler):
        """One connection."""

        def do_GET(self):
            """A request with a query."""
            path, _, query = self.path.partition("?")
            self._answer(path, query)

        def do_POST(self):
            """A request with a form."""
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer(self.path.partition("?")[0], form)

        def _answer(self, path, text):
            fields = urllib.parse.parse_qs(text, keep_blank_values=True)
            status, body = server.answer(TokenRequest(self.command, path, fields,
                                                      self.headers.get("Authorization")))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return TokenHandler


# ---- small servers -------------------------------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    """One connection to a small server; silent."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a head would wait for an ACK of the client

    def log_message(self, *_):
        """Say nothing."""

    def handle(self):
        """Answer requests. Who speaks TLS to a server without it is told so at once, as by others."""
        client_hello = b"\x16"  # RFC 8446 section 5.1: a record of the handshake
        if not isinstance(self.connection, ssl.SSLSocket) and \
                self.connection.recv(1, socket.MSG_PEEK) == client_hello:
            self.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return
        super().handle()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """Clients that go away, or do not trust us, are no news."""

    def server_bind(self):
        """As the base class of HTTPServer does: without asking the DNS for our name."""
        http.server.socketserver.TCPServer.server_bind(self)


def serve(address, handler, tls=None):
    """Start a threaded HTTP server on a free port of @address. @tls: (certificate, key)."""
    kind = type("Server", (_Server,), {"address_family": socket.AF_INET6 if ":" in address else socket.AF_INET})
    server = kind((address, 0), handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, tls))
        # The handshake belongs to the thread of the connection, not to the one that accepts.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
