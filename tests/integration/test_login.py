# SPDX-License-Identifier: Apache-2.0
"""sbrun login and logout: what is accepted is kept, nothing else is, and no password is ever shown."""
import base64
import contextlib
import http.server
import json
import signal
import socket
import stat
import termios
import threading
from pathlib import Path

import pytest

import lib
from terminal import Terminal

ACCEPTED = "Basic " + base64.b64encode(b"robot:s3:cret").decode()


def owner_of(port):
    """Return the user of the TCP socket that has the local @port, as the kernel knows it."""
    for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            return int(fields[7])
    return None


class Registry(http.server.ThreadingHTTPServer):
    """Lets nobody in but robot with the password s3:cret."""
    address_family = socket.AF_INET6
    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        """GET /v2/ with Basic authentication."""

        def do_GET(self):
            """Answer as registries do."""
            self.server.client_uid = owner_of(self.client_address[1])
            accepted = self.headers.get("Authorization") == ACCEPTED
            self.send_response(200 if accepted else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            """Say nothing."""


@pytest.fixture(scope="module")
def server():
    """A registry on this host."""
    with Registry(("::1", 0), Registry.Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        made.name = f"[::1]:{made.server_address[1]}"
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def registry(server):
    """Its name."""
    return server.name


@pytest.fixture
def home(tmp_path):
    """sbrun with a home directory of its own."""
    command = lib.Sbrun(tmp_path / "store", tmp_path / "run")
    (tmp_path / "config.json").write_text("{}")
    command.env = {**command.env, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path),
                   "SBRUN_CONFIG": str(tmp_path / "config.json")}
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME"):
        command.env.pop(name, None)
    command.file = tmp_path / ".docker/config.json"
    return command


def login(home, registry, password="s3:cret\n", flags=()):
    """Run sbrun login as robot."""
    return home("login", "-u", "robot", "--password-stdin", *flags, registry, stdin=password)


def kept(home):
    """Return what is kept: {registry: "user:password"}."""
    auths = json.loads(home.file.read_text())["auths"] if home.file.exists() else {}
    return {key: base64.b64decode(value["auth"]).decode() for key, value in auths.items()}


def test_accepted_credentials_are_kept_for_the_user_alone(home, registry):
    """In docker's file, mode 0600, whatever the umask is."""
    result = login(home, registry)
    assert (result.rc, result.err) == (0, "")
    assert result.out == f"Logged in: {registry} (kept in {home.file})\n"
    assert kept(home) == {registry: "robot:s3:cret"}
    assert stat.S_IMODE(home.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.file.parent.stat().st_mode) == 0o700


def test_the_network_is_met_by_nobody(home, server):
    """Not by root."""
    assert login(home, server.name).rc == 0
    assert server.client_uid == 65534


def test_json_tells_where(home, registry):
    """Both commands, in camelCase."""
    assert login(home, registry, flags=["--json"]).json() == {
        "registry": registry, "username": "robot", "storedIn": str(home.file)}
    assert home("logout", "--json", registry).json() == {
        "registry": registry, "removed": True, "kept": []}
    assert home("logout", "--json", registry).json() == {
        "registry": registry, "removed": False, "kept": []}


def test_what_is_not_accepted_is_not_kept(home, registry):
    """One line, exit code 125, and the password is not in it."""
    result = login(home, registry, "wr0ng\n")
    assert result.rc == 125
    assert result.err == f"sbrun: login: '{registry}' does not accept the credentials for it\n"
    assert not home.file.exists()
    error = login(home, registry, "wr0ng\n", flags=["--json"]).json()["error"]
    assert (error["code"], error["exitCode"]) == ("EACCES", 125)
    assert not home.file.exists()


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_a_blocked_registry_is_not_asked_and_no_password_is_read(home, tmp_path, spelling):
    """However its name is written: it says so before it complains that there is no terminal."""
    (tmp_path / "config.json").write_text('{"registries": {"localhost:9": {"blocked": true}}}')
    for flags in ([], ["-u", "robot", "--password-stdin"]):
        result = home("login", *flags, spelling("localhost:9"), stdin="", start_new_session=True)
        assert result.rc == 125
        assert result.err == ("sbrun: login: the registry 'localhost:9' is blocked (by registries, 'localhost:9' in "
                              f"'{tmp_path}/config.json')\n")


def test_a_failed_login_leaves_the_old_one(home, registry):
    """The file is as it was."""
    assert login(home, registry).rc == 0
    assert login(home, registry, "wr0ng\n").rc == 125
    assert kept(home) == {registry: "robot:s3:cret"}


def test_logout_forgets_one_registry_and_nothing_else(home, registry):
    """What else is in the file stays; the second time there is nothing to do."""
    home.file.parent.mkdir()
    home.file.write_text('{"auths": {"other.example": {"auth": "YTph"}}, "detachKeys": "ctrl-x"}')
    assert login(home, registry).rc == 0
    assert home.ok("logout", registry).out == f"Logged out: {registry}\n"
    assert json.loads(home.file.read_text()) == {"auths": {"other.example": {"auth": "YTph"}},
                                                 "detachKeys": "ctrl-x"}
    assert home.ok("logout", registry).out == f"Was not logged in: {registry}\n"


def test_logout_shows_what_it_keeps_for_single_repositories(home, registry, tmp_path):
    """Where podman has logged in to them; others are none of its business."""
    assert login(home, registry).rc == 0
    podman = tmp_path / "containers/auth.json"
    podman.parent.mkdir()
    podman.write_text(json.dumps({"auths": {name: {"auth": "YTph"} for name in (
        f"{registry}/team/app", f"{registry}0/x", "other.example/x")}}))
    before = podman.read_text()
    entry = f"{registry}/team/app"
    assert home.ok("logout", registry).out == f"Logged out: {registry}\nstill there: {entry} in {podman}\n"
    assert podman.read_text() == before and kept(home) == {}
    assert home("logout", "--json", registry).json() == {
        "registry": registry, "removed": False, "kept": [{"name": entry, "file": str(podman)}]}


@pytest.mark.parametrize("password", ["", "\n", "two\nlines\n", "nul\0\n", "x" * 65536],
                         ids=["empty", "blank", "lines", "nul", "long"])
def test_what_is_no_password_is_refused(home, registry, password):
    """Before anybody is asked."""
    result = login(home, registry, password)
    assert result.rc == 125
    assert result.err.startswith("sbrun: login: ") and result.err.count("\n") == 1
    assert not home.file.exists()


@pytest.mark.parametrize("name", ["", "noregistry", "https://a.example", "a.example/path", "a.example:x",
                                  "[::1", "-x"])
def test_what_is_no_registry_is_refused(home, name):
    """By both commands."""
    for command in (["login", "-u", "robot", "--password-stdin", "--"], ["logout", "--"]):
        result = home(*command, name, stdin="x\n")
        assert result.rc == 125
        assert "is not a registry" in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize("user", ["", "ro:bot"], ids=["empty", "colon"])
def test_what_is_no_user_name_is_refused(home, registry, user):
    """RFC 7617: no colon."""
    result = home("login", "-u", user, "--password-stdin", registry, stdin="x\n")
    assert result.rc == 125 and "user name" in result.err


def test_without_a_terminal_it_says_what_to_do(home, registry):
    """Nothing waits for an answer that nobody can give."""
    result = home("login", registry, start_new_session=True)
    assert result.rc == 125 and "--password-stdin" in result.err
    result = home("login", "--password-stdin", registry, stdin="x\n")
    assert result.rc == 125 and "'--username'" in result.err


def test_a_registry_that_is_not_there_is_one_line(home):
    """With the kernel's reason."""
    with socket.socket(socket.AF_INET6) as unused:
        unused.bind(("::1", 0))  # not listening
        name = f"[::1]:{unused.getsockname()[1]}"
        result = login(home, name)
    assert result.rc == 125
    assert result.err == f"sbrun: login: connect to '{name}': Connection refused\n"


def test_user_name_and_password_are_asked_for_and_the_password_is_not_shown(home, registry):
    """The terminal is as it was afterwards."""
    with contextlib.closing(Terminal(home, "login", registry)) as terminal:
        terminal.until("Username: ")
        terminal.type("robot\n")
        terminal.until("Password: ")
        terminal.type("s3:cret\n")
        assert terminal.end() == 0
        shown = terminal.rest()
    assert f"Logged in: {registry}" in shown and "cret" not in shown
    assert kept(home) == {registry: "robot:s3:cret"}


def test_an_empty_answer_is_none(home, registry):
    """Ctrl-D as well."""
    for keys in ("\n", "\x04"):
        with contextlib.closing(Terminal(home, "login", "-u", "robot", registry)) as terminal:
            terminal.until("Password: ")
            terminal.type(keys)
            assert terminal.end() == 125
            assert "nothing was entered" in terminal.rest()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_ends_the_question_and_restores_the_terminal(home, registry, name, tmp_path):
    """It dies of the signal, as anybody does."""
    with contextlib.closing(Terminal(home, "login", "-u", "robot", registry, cwd=tmp_path)) as terminal:
        terminal.until("Password: ")
        assert not termios.tcgetattr(terminal.slave)[3] & termios.ECHO
        if name == "SIGINT":
            terminal.type("s3\x03")
        else:
            terminal.client.send_signal(signal.Signals[name])
        assert terminal.end() == -signal.Signals[name]
    assert not home.file.exists()


def test_after_ctrl_z_the_question_comes_again(home, registry):
    """A stop would be seen by a shell; here, without one, the kernel lets it go on at once."""
    with contextlib.closing(Terminal(home, "login", "-u", "robot", registry)) as terminal:
        terminal.until("Password: ")
        terminal.type("\x1a")
        terminal.until("Password: ")
        terminal.type("s3:cret\n")
        assert terminal.end() == 0
    assert kept(home) == {registry: "robot:s3:cret"}


def test_a_credential_helper_gets_the_secret_instead_of_the_file(home, registry, tmp_path):
    """And gives it back; the file stays as it was."""
    helper = tmp_path / "bin/docker-credential-box"
    helper.parent.mkdir()
    helper.write_text(f"""#!/bin/sh
case $1 in
store) cat >'{tmp_path}/box' ;;
get) [ -e '{tmp_path}/box' ] && cat '{tmp_path}/box' || {{ echo 'credentials not found in native keychain'; exit 1; }} ;;
erase) rm '{tmp_path}/box' ;;
esac
""")
    helper.chmod(0o755)
    home.env["PATH"] = f"{helper.parent}:{home.env['PATH']}"
    home.file.parent.mkdir()
    home.file.write_text('{"credsStore": "box"}')
    assert login(home, registry).out == f"Logged in: {registry} (kept in docker-credential-box)\n"
    assert json.loads((tmp_path / "box").read_text()) == {"ServerURL": registry, "Username": "robot",
                                                          "Secret": "s3:cret"}
    assert home.file.read_text() == '{"credsStore": "box"}'
    assert home.ok("logout", registry).out == f"Logged out: {registry}\n"
    assert not (tmp_path / "box").exists()
