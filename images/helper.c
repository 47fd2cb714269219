/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper.c - run a credential helper, "docker-credential-NAME"
 *
 * The protocol is that of docker-credential-helpers: one verb as argument, input on standard input,
 * the answer, or what went wrong, on standard output. Helpers keep secrets in key rings and clouds,
 * so they may need a while, other programs, and a person at a terminal.
 */
#include "images/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/http.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"

#define NAME_MAX_BYTES 64
#define OUTPUT_MAX     (64 << 10)
#define TIME_LIMIT_MS  30000
/* The words of the protocol for "there are none" (docker-credential-helpers, credentials/error.go)
 */
#define NOT_FOUND "credentials not found in native keychain"

/* A helper that runs. */
struct helper {
	char program[NAME_MAX_BYTES + 24];
	pid_t pid;
	int out_fd;
	uint64_t deadline_ms;
	char *output;
	size_t len;
};

/* The name becomes part of a file name: no path, no option. */
static bool name_is_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-_.");

	return len > 0 && len <= NAME_MAX_BYTES && !name[len];
}

/* What helpers document that they read: where programs and settings are, and how to reach the key
 * ring, gpg, or the account at a cloud. Everything else of our environment is none of their
 * business.
 */
static bool is_for_helpers(const char *assignment)
{
	static const char *const names[] = {
		"PATH=",        "HOME=",     "USER=",       "LOGNAME=",        "LANG=",
		"LC_ALL=",      "TERM=",     "DISPLAY=",    "GPG_TTY=",        "GNUPGHOME=",
		"XDG_",         "DBUS_",     "WAYLAND_",    "PASSWORD_STORE_", "AWS_",
		"GOOGLE_",      "CLOUDSDK_", "AZURE_",      "DOCKER_CONFIG=",  "http_proxy=",
		"https_proxy=", "no_proxy=", "HTTP_PROXY=", "HTTPS_PROXY=",    "NO_PROXY=",
	};

	for (size_t i = 0; i < SB_ARRAY_SIZE(names); i++)
		if (!strncmp(assignment, names[i], strlen(names[i])))
			return true;
	return false;
}

static int make_environment(struct sb_strv *env, struct sb_err *err)
{
	for (char **e = environ; *e; e++)
		if (is_for_helpers(*e) && sb_strv_add(env, *e, err) < 0)
			return -err->code;
	return 0;
}

/* The child. Only the exit code can tell why it failed. */
static void __attribute__((noreturn))
become(const struct helper *h, const char *verb, int in_fd, int out_fd, struct sb_strv *env)
{
	char *argv[] = { strdup(h->program), strdup(verb), NULL };
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* A group of its own, so that what it starts can be ended with it. */
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(null_fd, STDERR_FILENO) < 0)
		_exit(126);
	(void)execvpe(argv[0], argv, env->v);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Start it with @input, which a file holds: a helper that does not read it hurts nobody. */
static int start(struct helper *h, const char *verb, const char *input, struct sb_err *err)
{
	_cleanup_fd_ int in_fd = sb_open_bytes("input", input, strlen(input), err);
	_cleanup_fd_ int out_fd = -1;
	struct sb_strv env = SB_STRV_INIT;
	int pair[2];

	if (in_fd < 0)
		return in_fd;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return sb_err_set(err, errno, "prepare for '%s'", h->program);
	h->out_fd = pair[0];
	out_fd = pair[1];
	if (make_environment(&env, err) < 0) {
		sb_strv_done(&env);
		return -err->code;
	}
	h->deadline_ms = sb_now_ms() + TIME_LIMIT_MS;
	h->pid = fork();
	if (h->pid == 0)
		become(h, verb, in_fd, out_fd, &env);
	sb_strv_done(&env);
	if (h->pid < 0)
		return sb_err_set(err, errno, "start '%s'", h->program);
	(void)setpgid(h->pid, h->pid); /* also here: whoever is first */
	return 0;
}

/* Read until the end of its output. */
static int collect(struct helper *h, struct sb_err *err)
{
	h->output = calloc(1, OUTPUT_MAX + 1);
	if (!h->output)
		return sb_err_set(err, ENOMEM, "read from '%s'", h->program);
	for (;;) {
		struct pollfd p = { .fd = h->out_fd, .events = POLLIN };
		uint64_t now = sb_now_ms();
		ssize_t n;

		if (now >= h->deadline_ms)
			return sb_err_refuse(err, ETIMEDOUT, "'%s' has not answered in %d s",
					     h->program, TIME_LIMIT_MS / 1000);
		n = poll(&p, 1, (int)(h->deadline_ms - now));
		if (n == 0 || (n < 0 && errno == EINTR))
			continue;
		n = read(h->out_fd, h->output + h->len, OUTPUT_MAX + 1 - h->len);
		if (n < 0)
			return sb_err_set(err, errno, "read from '%s'", h->program);
		if (n == 0)
			return 0;
		h->len += (size_t)n;
		if (h->len > OUTPUT_MAX)
			return sb_err_refuse(err, EMSGSIZE, "'%s' writes more than %d bytes",
					     h->program, OUTPUT_MAX);
	}
}

/* Its end, and that of all it has started if it is too late. Return: a wait status or -errno */
static int reap(const struct helper *h, bool kill_it)
{
	int status;

	if (kill_it)
		(void)kill(-h->pid, SIGKILL);
	while (waitpid(h->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

/* What a wait status means. Return: 0, 1: there are no credentials, or -errno */
static int judge(const struct helper *h, int status, struct sb_err *err)
{
	char shown[120];

	if (status == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && h->len == 0) {
		sb_err_refuse(err, ENOENT, "the credential helper '%s' is not installed",
			      h->program);
		return sb_err_hint(err, "credsStore or credHelpers name it in the file of "
					"credentials");
	}
	if (strstr(h->output, NOT_FOUND))
		return 1;
	return sb_err_refuse(
		err, EIO, "'%s' failed: %s", h->program,
		sb_http_shown(h->output, strcspn(h->output, "\r\n"), shown, sizeof(shown)));
}

/**
 * sb_helper_run() - Ask a credential helper, without a shell and for at most 30 s
 * @name:	what follows "docker-credential-"; checked
 * @verb:	"get", "store" or "erase"
 * @input:	for its standard input; may be secret
 * @ret_output:	what it wrote, with a NUL appended, may be secret; the caller wipes and frees it.
 *		NULL: not wanted
 *
 * It is looked up in PATH, gets a few variables of our environment only, and is killed with all it
 * has started when its time is up.
 *
 * Return: 0, 1: it has no such credentials, or a negative errno value (-ENOENT: not installed)
 */
int sb_helper_run(const char *name, const char *verb, const char *input, char **ret_output,
		  struct sb_err *err)
{
	struct helper h = { .out_fd = -1 };
	int r, status;

	if (!name_is_valid(name))
		return sb_err_refuse(err, EINVAL, "not a valid name of a credential helper");
	snprintf(h.program, sizeof(h.program), "docker-credential-%s", name);
	r = start(&h, verb, input, err);
	if (r == 0) {
		r = collect(&h, err);
		status = reap(&h, r < 0);
		if (r == 0)
			r = status < 0 ? sb_err_set(err, -status, "wait for '%s'", h.program)
				       : judge(&h, status, err);
	}
	sb_close_fd(&h.out_fd);
	if (r == 0 && ret_output)
		*ret_output = sb_steal_ptr(&h.output);
	if (h.output)
		explicit_bzero(h.output, OUTPUT_MAX);
	free(h.output);
	return r;
}
