# SPDX-License-Identifier: Apache-2.0
"""The command line: help, options, refusals. A refusal is one clear line and has no side effect."""
import json
import os
import re
import subprocess

import pytest

import lib

COMMANDS = {  # options of its own
    "run": ["name", "env", "pull", "workdir", "user", "memory", "cpus", "pids-limit", "ttl", "detach", "interactive", "tty",
            "rm", "timeout"],
    "create": ["name", "env", "pull", "workdir", "user", "memory", "cpus", "pids-limit", "ttl"],
    "exec": ["detach", "background", "interactive", "tty", "timeout", "env", "workdir", "user"],
    "ps": ["all", "quiet"], "inspect": [], "logs": ["follow"], "ports": [], "wait": ["port", "timeout"],
    "kill": ["signal"], "stop": ["time"], "rm": ["force"], "files": [], "load": ["name"],
    "pull": ["platform", "quiet"], "login": ["username", "password-stdin"], "logout": [], "save": ["output", "format"],
    "images": ["quiet"], "image": [],
    "image ls": ["quiet"], "image inspect": [], "image history": [], "image tag": [], "image rm": ["force"],
    "image prune": ["all"], "image df": [], "gc": [], "info": [], "version": [],
}
COMMON = ["json", "format", "root", "run-dir", "debug", "help"]


@pytest.fixture(scope="module")
def box(sbrun, busybox_image):
    """One sandbox for all refusals; none of them may touch it."""
    sandbox = lib.Sandbox(sbrun, sbrun.ok("create", "--name", "refusals", busybox_image).out.strip())
    sandbox.exec("true")
    yield sandbox
    sbrun.ok("rm", "-f", sandbox.id)


def assert_refused(result, *words, rc=125):
    """A refusal has exit code @rc, no output, and one line on standard error with @words."""
    assert (result.rc, result.out) == (rc, ""), result
    assert result.err.count("\n") == 1 and result.err.startswith("sbrun: "), result.err
    assert all(word in result.err for word in words), result.err


# ---- help ----------------------------------------------------------------------------------------------------

def listed(text):
    """Return the commands that a help lists."""
    return set(re.findall(r"^  ([a-z]+) ", text, re.MULTILINE))


def test_help_of_image_lists_its_commands(sbrun):
    """However it is asked for; and options of all commands may stand before them."""
    texts = {sbrun.ok(*args).out for args in (["image", "--help"], ["help", "image"], ["image", "-h"],
                                              ["--help", "image"], ["image", "--json", "--help"])}
    assert len(texts) == 1
    assert listed(texts.pop()) == {c.split()[1] for c in COMMANDS if " " in c}
    for args in (["image", "rm", "--help"], ["help", "image", "rm"], ["image", "--help", "rm"]):
        assert sbrun.ok(*args).out == sbrun.ok("image", "rm", "-h").out
    assert_refused(sbrun("image"), "missing", "usage: sbrun image")
    assert_refused(sbrun("image", "prun"), "did you mean 'prune'?")
    assert_refused(sbrun("image", "xyzzy"), "'sbrun image --help'")
    assert sbrun("image", "--json", "xyzzy").json()["error"]["code"] == "EINVAL"
    assert sbrun("image", "xyzzy", "--json").json()["error"]["code"] == "EINVAL"
    assert sbrun.ok("image", "--json", "ls").json() == sbrun.ok("--json", "image", "ls").json()


@pytest.mark.parametrize("words, meant", [
    (["rmi"], "did you mean 'image rm'?"), (["tag"], "did you mean 'image tag'?"), (["push"], "does not push"),
    (["history"], "did you mean 'image history'?"), (["image", "pull"], "did you mean 'sbrun pull'?"),
    (["image", "load"], "did you mean 'sbrun load'?"), (["image", "save"], "did you mean 'sbrun save'?"),
    (["image", "push"], "does not push")], ids=str)
def test_words_of_docker_lead_to_ours(sbrun, words, meant):
    """Above all "rmi" does not lead to "rm", which removes sandboxes."""
    assert_refused(sbrun(*words, "x"), "unknown command", meant)


def test_help_lists_every_command(sbrun):
    """Also without root or directories to work in; no command at all is a failure."""
    for word in ("--help", "-h", "help"):
        result = sbrun.ok(word)
        assert listed(result.out) == {c for c in COMMANDS if " " not in c} and result.err == ""
    nothing = sbrun()
    assert (nothing.rc, nothing.out) == (125, "") and "Usage: sbrun" in nothing.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_all_its_options(sbrun, command):
    """Fits a terminal of 100 columns; --help wins over missing arguments."""
    for word in ("--help", "-h"):
        result = sbrun.ok(*command.split(), word)
        assert result.err == "" and f"Usage: sbrun {command} " in result.out
        assert not any(line.endswith(" ") for line in result.out.splitlines())
        listed = re.findall(r"^  (?:-\w,|   ) --([a-z-]+)", result.out, re.MULTILINE)
        assert sorted(listed) == sorted({*COMMANDS[command], *COMMON})
        assert max(map(len, result.out.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_root(sbrun, command):
    """It is where people begin."""
    result = as_nobody(sbrun, *command.split(), "--help")
    assert result.returncode == 0 and f"Usage: sbrun {command} ".encode() in result.stdout


# ---- JSON ----------------------------------------------------------------------------------------------------

JSON = {  # arguments that succeed: type of the result
    "ps": (["ps"], list), "ps -a": (["ps", "-a"], list), "ps -q": (["ps", "-q"], list), "images": (["images"], list),
    "info": (["info"], dict), "version": (["version"], dict), "gc": (["gc"], dict),
    "inspect": (["inspect", "refusals"], dict), "inspect 2": (["inspect", "refusals", "refusals"], list),
    "ports": (["ports", "refusals"], list), "exec": (["exec", "refusals", "true"], dict),
    "exec -d": (["exec", "-d", "refusals", "true"], dict), "wait": (["wait", "refusals/1"], dict),
    "image ls": (["image", "ls"], list), "image df": (["image", "df"], dict),
    "image inspect": (["image", "inspect", "busybox"], dict),
    "image inspect 2": (["image", "inspect", "busybox", "busybox"], list),
    "image history": (["image", "history", "busybox"], list), "image prune": (["image", "prune"], dict),
    "image tag": (["image", "tag", "busybox", "busybox"], dict),
    "files read": (["files", "read", "refusals", "/etc/passwd"], dict),
}


@pytest.mark.parametrize("kind", JSON)
def test_json_is_one_value_on_standard_output(sbrun, box, kind):
    """By --json and by --format json; nothing on standard error."""
    assert box
    args, expected = JSON[kind]
    for flags in (["--json"], ["--format", "json"], ["--format=json"]):
        result = sbrun.ok(args[0], *flags, *args[1:])
        assert isinstance(result.json(), expected) and result.err == ""


def test_json_of_create_run_kill_stop_and_rm(sbrun, busybox_image):
    """Those that change something."""
    made = sbrun.ok("create", "--json", busybox_image).json()
    assert re.fullmatch("[0-9a-f]{16}", made["id"]) and made["address"] and made["monitorPid"]
    started = sbrun.ok("exec", "-d", "--json", made["id"], "sleep", "1000").json()
    assert sbrun.ok("kill", "--json", started["id"]).json() == [started["id"]]
    assert sbrun.ok("stop", "--json", made["id"]).json() == [made["id"]]
    assert sbrun.ok("rm", "--json", made["id"]).json() == [made["id"]]
    ran = sbrun.ok("run", "--rm", "--json", busybox_image, "echo", "hello").json()
    assert (ran["stdout"], ran["exitCode"]) == ("hello\n", 0)


ERRORS = {  # arguments: errno name, words of the message
    "unknown sandbox": (["inspect", "nosuch"], "ENOENT", "nosuch"),
    "unknown image": (["create", "--pull=never", "nosuch"], "ENOENT", "nosuch"),
    "unknown option": (["ps", "--bogus"], "EINVAL", "--bogus"),
    "bad value": (["wait", "--port", "0", "x"], "EINVAL", "--port"),
    "missing argument": (["stop"], "EINVAL", "missing"),
    "unknown command": (["frobnicate"], "EINVAL", "frobnicate"),
    "name in use": (["create", "--name", "refusals", "busybox"], "EEXIST", "refusals"),
}


@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize("kind", ERRORS)
def test_json_errors_are_one_object_on_standard_output(sbrun, box, kind, where):
    """With code, message, hint and exit code, wherever --json stands; nothing on standard error."""
    assert box
    args, code, words = ERRORS[kind]
    args = [args[0], "--json", *args[1:]] if where == "first" else [*args, "--json"]
    result = sbrun(*args)
    assert result.rc == 125 and result.err == "", result.err
    error = result.json()["error"]
    assert error["code"] == code and words in error["message"] and error["exitCode"] == 125
    assert error["hint"] is None or isinstance(error["hint"], str)
    assert isinstance(error["errno"], int)


def test_common_options_may_stand_before_the_command(sbrun, box, tmp_path):
    """As with docker, podman and crun; those of one command may not."""
    assert sbrun.ok("--json", "inspect", box.id).json()["id"] == box.id
    assert sbrun.ok("--run-dir", tmp_path / "run", "--root", tmp_path / "store", "ps", "-q").out == ""
    assert "us up" in sbrun.ok("--debug", "run", "--rm", "busybox", "true").err
    assert json.loads(sbrun("--json", "frobnicate").out)["error"]["code"] == "EINVAL"
    assert json.loads(sbrun("--json", "--bogus", "ps").out)["error"]["code"] == "EINVAL"
    assert_refused(sbrun("--all", "ps"), "unknown option", "--help")
    assert_refused(sbrun("--json=yes", "ps"), "--json")
    assert json.loads(sbrun("--json").out)["error"]["message"] == "a command is missing"


def test_help_with_a_command_is_the_help_of_that_command(sbrun):
    """However it is asked for."""
    for command in ("run", "ps"):
        texts = {sbrun.ok(*args).out for args in (["help", command], [command, "--help"], ["--help", command])}
        assert len(texts) == 1 and f"Usage: sbrun {command} " in texts.pop()
    overviews = {sbrun.ok(*args).out for args in (["help"], ["help", "help"], ["help", "-h"], ["--json", "--help"],
                                                  ["help", "--json"])}
    assert overviews == {sbrun.ok("--help").out}
    assert sbrun.ok("--version").out == sbrun.ok("version").out
    assert sbrun.ok("--version", "--json").json() == sbrun.ok("version", "--json").json()


def test_json_errors_of_several_are_still_one_value(sbrun, box):
    """What a program reads is one document, whatever failed."""
    assert box
    result = sbrun("kill", "--json", "nosuch1", "nosuch2")
    assert result.rc == 125 and isinstance(json.loads(result.out), (dict, list))


# ---- refusals ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("word, meant", [("rn", "run"), ("creat", "create"), ("exce", "exec"), ("xyzzy", None),
                                         ("inspct", "inspect"), ("", None), ("Run", "run")])
def test_an_unknown_command_is_refused_with_what_was_probably_meant(sbrun, word, meant):
    """Or where the list is."""
    assert_refused(sbrun(word), f"'{word}'", f"did you mean '{meant}'?" if meant else "sbrun --help")


@pytest.mark.parametrize("args, meant", [
    (["ps", "--al"], "--all"), (["run", "--memroy", "1g", "x"], "--memory"), (["exec", "--tyy", "x", "y"], "--tty"),
    (["create", "--nmae=x", "y"], "--name"), (["ps", "--jsno"], "--json"), (["ps", "--frobnicate"], None),
    (["ps", "-z"], None), (["ps", "-az"], None), (["ps", "--"+"x" * 5000], None), (["run", "--privileged", "x"], None),
])
def test_an_unknown_option_is_refused_with_what_was_probably_meant(sbrun, args, meant):
    """Never taken for an abbreviation, never ignored."""
    assert_refused(sbrun(*args), "unknown option", f"did you mean '{meant}'?" if meant else "--help")


VALUES = {  # option: values that are none
    "--port": ["0", "-1", "65536", "abc", "", "80x", "0x50", " 80", "8 0", "99999999999999999999", "80.0"],
    "--timeout": ["abc", "-1s", "", "1x", "1s2", "ms", "1.5s", "99999999999d", "1m 30s", "∞"],
    "--memory": ["abc", "-1", "", "1x", "1.5g", "k", "1kk", "99999999999999999999", "17179869184g", "1", "1k"],
    "--cpus": ["0", "-1", "", "abc", "1.5x", "0.0001", "1.2345", "1e3", "nan", "99999999999"],
    "--pids-limit": ["0", "-1", "", "abc", "1.5", "99999999999999999999"],
    "--ttl": ["abc", "-1", "", "10y"],
    "--signal": ["0", "-1", "65", "abc", "", "SIG", "SIGSIGTERM", "TERM ", "9x", "RTMIN+99"],
    "--time": ["abc", "-1", ""],
    "--name": ["", "-x", ".x", "_x", "a b", "a/b", "../x", "x" * 64, "ä", "a\nb", "a:b"],
}
USES = {"--port": ["wait", "refusals"], "--timeout": ["wait", "refusals/1"], "--memory": ["create", "busybox"],
        "--cpus": ["create", "busybox"], "--pids-limit": ["create", "busybox"], "--ttl": ["create", "busybox"],
        "--signal": ["kill", "refusals"], "--time": ["stop", "refusals"], "--name": ["create", "busybox"]}


@pytest.mark.parametrize("option", VALUES)
def test_malformed_values_are_refused_before_anything_happens(no_leaks, sbrun, box, option):
    """Named with what is accepted; as "--option value" and "--option=value"."""
    assert box
    command, *rest = USES[option]
    for value in VALUES[option]:
        for words in ([option, value], [f"{option}={value}"]):
            result = sbrun(command, *words, *rest)
            assert_refused(result, option)
            assert "(" in result.err, f"no hint: {result.err}"
    assert box.inspect()["status"] == "running"
    assert len(sbrun.ok("ps", "-aq").out.split()) == 1


def test_there_is_one_format(sbrun):
    """Which is JSON, so the refusal is too."""
    for value in ("", "yaml", "JSON", "{{.ID}}"):
        result = sbrun("ps", "--format", value)
        assert result.rc == 125 and "--format" in result.json()["error"]["message"]


def test_save_has_formats_of_its_own(sbrun):
    """Those of archives; its errors are JSON by --json only."""
    for value in ("json", "", "tar"):
        assert_refused(sbrun("save", "--format", value, "x"), f"'{value}'", "oci-archive and docker-archive")
    assert_refused(sbrun("save", "--format", "oci-archive", "--nonsense", "x"), "--nonsense")


def test_environment_values_without_a_name_are_refused(no_leaks, sbrun, box):
    """They would be of no use, or worse."""
    for value in ("=x", "="):
        assert_refused(sbrun("exec", "-e", value, box.id, "true"), value)
        assert_refused(sbrun("create", "-e", value, "busybox"), value)


MISSING = [["run"], ["create"], ["exec"], ["exec", "refusals"], ["inspect"], ["logs"], ["ports"], ["wait"], ["kill"],
           ["stop"], ["rm"], ["files"], ["load"], ["exec", "-u"], ["run", "--name"], ["create", "-m"],
           ["wait", "refusals", "--port"], ["kill", "refusals", "-s"], ["image", "inspect"], ["image", "history"],
           ["image", "tag"], ["image", "tag", "busybox"], ["image", "rm"]]


@pytest.mark.parametrize("args", MISSING, ids=" ".join)
def test_a_missing_word_is_refused_with_the_usage(no_leaks, sbrun, box, args):
    """Nothing is guessed."""
    assert box
    result = sbrun(*args)
    assert_refused(result)
    assert "usage: sbrun" in result.err or "needs" in result.err


@pytest.mark.parametrize("args", [["ps", "x"], ["create", "busybox", "sh"], ["info", "x"], ["version", "x"],
                                  ["images", "x"], ["gc", "x"], ["wait", "refusals", "refusals"],
                                  ["logs", "refusals", "x"], ["ports", "refusals", "x"], ["image", "ls", "x"],
                                  ["image", "history", "x", "y"], ["image", "tag", "x", "y", "z"],
                                  ["image", "prune", "x"], ["image", "df", "x"]], ids=" ".join)
def test_a_surplus_word_is_refused(no_leaks, sbrun, box, args):
    """Not ignored: it was meant as something."""
    assert box
    assert_refused(sbrun(*args), "too many arguments")


def test_flags_take_no_value(sbrun, box):
    """--rm=false would otherwise mean --rm."""
    assert_refused(sbrun("ps", "--all=true"), "--all", "no argument")
    assert_refused(sbrun("run", "--rm=false", "busybox", "true"), "--rm", "no argument")
    assert_refused(sbrun("exec", "--tty=", box.id, "true"), "--tty", "no argument")


TARGETS = ["nosuch", "0000000000000000", "ffffffffffffffff", "g" * 16, "../refusals", "/etc", "", "-", "a b", "x" * 500,
           "refusals/", "names", "ids", "refusals\n"]


@pytest.mark.parametrize("command", ["inspect", "exec", "logs", "ports", "wait", "kill", "stop", "rm", "files"])
def test_an_unknown_sandbox_is_refused_by_every_command(sbrun, box, command):
    """Whatever form the word has; no path is made of it."""
    assert box
    for target in TARGETS:
        args = {"exec": ["exec", target, "true"], "files": ["files", "read", target, "/etc/passwd"]}
        result = sbrun(*args.get(command, [command, target]))
        assert result.rc == 125 and result.err.count("\n") == 1 and result.out == "", (target, result)
    assert box.exec("true").rc == 0


@pytest.mark.parametrize("image", ["nosuch", "busybox:nosuch", "/etc", "../busybox", "", "a b", "BusyBox", "x" * 5000,
                                   "busybox@sha256:" + "0" * 64, "busybox@sha256:0", ":", "@", "-"])
@pytest.mark.parametrize("command", ["create", "run", "image inspect", "image history", "image rm"])
def test_an_unknown_image_is_refused(no_leaks, sbrun, command, image):
    """In one line, and nothing is left behind."""
    assert_refused(sbrun(*command.split(), image))


def test_a_name_in_use_is_refused_with_who_has_it(no_leaks, sbrun, box):
    """Nothing of the second sandbox is left, and the name is free after the first is gone."""
    for command in (["create"], ["run", "-d"], ["run", "--rm"]):
        assert_refused(sbrun(*command, "--name", "refusals", "busybox"), "refusals", "in use", box.id, "rm -f")
    for _ in range(2):
        sbrun.ok("create", "--name", "again", "busybox")
        sbrun.ok("rm", "-f", "again")


def test_the_beginning_of_an_id_is_enough_if_only_one_has_it(sbrun, sandbox):
    """Seventeen sandboxes have sixteen first digits between them."""
    boxes = [sandbox() for _ in range(17)]
    ids = [box.id for box in boxes]
    shared = next(p for p in "0123456789abcdef" if sum(i.startswith(p) for i in ids) > 1)
    result = sbrun("inspect", shared)
    assert_refused(result, f"'{shared}'", "several")
    assert_refused(sbrun("rm", "-f", shared), "several")
    known = set(sbrun.ok("ps", "-aq").out.split())
    assert set(ids) <= known
    first = ids[0]
    length = next(n for n in range(1, 17) if sum(i.startswith(first[:n]) for i in known) == 1)
    assert sbrun.ok("inspect", first[:length]).json()["id"] == first


def as_nobody(sbrun, *args):
    """Run sbrun without root; the program may lie where only root can look."""
    with open(lib.BIN, "rb") as program:
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
                               f"/proc/self/fd/{program.fileno()}", *args], env=sbrun.env, capture_output=True,
                              pass_fds=[program.fileno()], check=False, timeout=lib.TIMEOUT_S)


@pytest.mark.parametrize("args", [["ps"], ["create", "busybox"], ["run", "--rm", "busybox", "true"],
                                  ["exec", "refusals", "true"], ["rm", "-f", "refusals"], ["info"],
                                  ["load", "/nosuch"], ["images"], ["image", "rm", "x"], ["gc"], ["files", "read", "refusals", "/x"]],
                         ids=" ".join)
def test_without_root_there_is_one_clear_line(no_leaks, sbrun, box, args):
    """That says what to do; the version is there for everybody."""
    result = as_nobody(sbrun, *args)
    assert (result.returncode, result.stdout) == (125, b"")
    assert result.stderr.count(b"\n") == 1 and b"root" in result.stderr and b"sudo" in result.stderr
    assert as_nobody(sbrun, "version").returncode == 0
    assert box.inspect()["status"] == "running"


# ---- where options may stand -----------------------------------------------------------------------------------

def test_options_may_follow_the_id(sbrun, busybox_image):
    """As people type them; not after the command of run and exec begins."""
    for rm in (["rm", "x", "-f"], ["rm", "--force", "x"], ["rm", "-f", "--", "x"], ["rm", "--", "x"]):
        sbrun.ok("create", busybox_image, "--name", "x")
        if "--" == rm[1]:
            sbrun.ok("stop", "x", "-t", "0")
        sbrun.ok(*rm)
    sbrun.ok("create", "--name=x", "-m64m", busybox_image)
    assert sbrun.ok("inspect", "x").json()["limits"]["memoryBytes"] == 64 << 20
    assert sbrun.ok("exec", "x", "echo", "-d", "--json", "--help").out == "-d --json --help\n"
    sbrun.ok("stop", "x", "--time=0")
    sbrun.ok("rm", "x")


def test_two_dashes_end_the_options(sbrun, box):
    """What follows is a word, and a later "--" belongs to the command."""
    assert sbrun.ok("exec", "--", box.id, "echo", "--", "-i").out == "-- -i\n"
    assert sbrun.ok("exec", box.id, "echo", "--", "x").out == "-- x\n"
    assert_refused(sbrun("inspect", "--", "--json"), "--json")


def test_short_options_cluster(sbrun, box):
    """With a value at the end, beside it or after it."""
    assert sbrun.ok("exec", "-iu1000", box.id, "sh", "-c", "id -u; cat", stdin="in").out == "1000\nin"
    assert sbrun.ok("exec", "-iu", "1000", box.id, "id", "-u").out == "1000\n"
    assert sbrun.ok("exec", "-it", box.id, "tty").out.startswith("/dev/pts/")
    assert sbrun.ok("ps", "-aq").out.split() == [box.id]
    assert_refused(sbrun("exec", "-ui", box.id, "id"), "user 'i'", rc=126)


def test_the_last_of_two_equal_options_wins(sbrun, box):
    """As everywhere."""
    assert sbrun.ok("exec", "-u", "0", "-u", "1000", box.id, "id", "-u").out == "1000\n"


def test_the_environment_says_where_sandboxes_are_and_options_win(sbrun, tmp_path):
    """SBRUN_ROOT and SBRUN_RUN, --root and --run-dir; empty means unset."""
    other = lib.Sbrun(tmp_path / "store", tmp_path / "run")
    seen = sbrun.ok("info", "--json", "--root", other.root, f"--run-dir={other.run}").json()
    assert (seen["store"], seen["runDir"]) == (str(other.root), str(other.run))
    assert other.ok("info", "--json").json()["prefix"] == seen["prefix"]
    assert other.ok("ps", "-aq").out == ""


# ---- output ----------------------------------------------------------------------------------------------------

def test_a_full_disk_on_standard_output_is_a_failure(sbrun, box):
    """What cannot be written must not look like success."""
    for args in (["ps"], ["ps", "--json"], ["ps", "-aq"], ["version"], ["version", "--json"], ["info"], ["images"],
                 ["inspect", box.id], ["ports", box.id], ["wait", f"{box.id}/1"], ["--help"], ["ps", "--help"]):
        with open("/dev/full", "wb") as full:
            client = sbrun.start(*args, stdout=full)
            client.communicate(timeout=lib.TIMEOUT_S)
        assert client.returncode not in (0, None), args


def test_a_reader_that_has_gone_is_no_endless_loop(sbrun, box):
    """sbrun … | head -0."""
    assert box
    for args in (["ps"], ["info", "--json"], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        client = sbrun.start(*args, stdout=write)
        os.close(write)
        client.communicate(timeout=lib.TIMEOUT_S)
        assert client.returncode != 0


def test_control_characters_of_the_user_do_not_reach_the_terminal(sbrun):
    """An error quotes what it refuses; escapes in it must not steer the reader's terminal."""
    for args in (["\x1b[31mred"], ["ps", "--\x1b[2J"], ["inspect", "\x1b]0;title\x07"], ["create", "\x1b[1m"]):
        result = sbrun(*args)
        assert result.rc == 125 and result.err.count("\n") == 1
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", result.err)


def test_closed_standard_streams_do_no_harm(sbrun, box):
    """The descriptors 0 to 2 of a careless caller: nothing of ours may land there."""
    script = f'exec "$0" exec {box.id} sh -c "exec >/tmp/fds; ls /proc/\\$\\$/fd; true" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", script, lib.BIN], env=sbrun.env, check=False, timeout=lib.TIMEOUT_S)
    assert done.returncode in (0, 125)
    if done.returncode == 0:
        assert box.sh("cat /tmp/fds").split() == ["0", "1", "2"]
