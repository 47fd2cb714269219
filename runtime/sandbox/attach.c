/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - run a program in a sandbox as if it were started here
 *
 * Without a terminal our own descriptors are the program's: nothing is copied, and only signals are
 * passed on. With one, the monitor hands us the master of a terminal in the sandbox; we relay bytes
 * between it and our own terminal in raw mode, and restore that on every way out that is not
 * SIGKILL.
 */
#include "runtime/sandbox/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/sandbox/client.h"

#define EOT 4 /* control-D: what a terminal takes for the end of input */

/**
 * struct flow - bytes on their way from one descriptor to another
 * @from:	source; -1 once it has ended
 * @to:		sink
 * @data:	bytes read but not written yet
 * @start:	first of them
 * @end:	behind the last of them
 */
struct flow {
	int from;
	int to;
	char data[16384];
	size_t start;
	size_t end;
};

/**
 * struct session - an attached program
 * @conn:	connection to the monitor
 * @signal_fd:	our signals
 * @exec:	its number; 0 until it runs
 * @early_signal: came before it ran and is passed on then; 0 for none
 * @master_fd:	its terminal; -1 without one
 * @saved:	settings of our terminal
 * @is_raw:	whether they have to be restored
 * @input:	our standard input to the terminal
 * @output:	the terminal to our standard output
 */
struct session {
	int conn;
	int signal_fd;
	int exec;
	int early_signal;
	int master_fd;
	struct termios saved;
	bool is_raw;
	struct flow input;
	struct flow output;
};

static void session_done(struct session *s)
{
	if (s->is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
	sb_close_fd(&s->signal_fd);
	sb_close_fd(&s->master_fd);
}

static void make_raw(struct session *s)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &s->saved) < 0)
		return; /* not a terminal: nothing to set */
	raw = s->saved;
	cfmakeraw(&raw);
	s->is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void copy_size(const struct session *s)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(s->master_fd, TIOCSWINSZ, &size);
}

static int open_signals(struct session *s, struct sb_err *err)
{
	static const int passed_on[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
					 SIGUSR1, SIGUSR2, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SB_ARRAY_SIZE(passed_on); i++)
		sigaddset(&set, passed_on[i]);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return sb_err_set(err, errno, "catch signals");
	return 0;
}

static void pass_on(const struct session *s, int sig)
{
	json_t *request =
		json_pack("{s:s, s:i, s:i}", "op", "kill", "exec", s->exec, "signal", sig);
	struct sb_err ignored = SB_ERR_INIT;

	/* It fails if the monitor has ended; how the program did is still to be read then. */
	(void)sb_client_send(s->conn, request, NULL, 0, &ignored);
}

/*
 * Handle a signal. The program may run already when we do not know it yet: the first one waits for
 * that, and a second one means that the user has lost patience.
 *
 * Return: < 0 if we are to leave: the program then dies with the connection
 */
static int on_signal(struct session *s, bool tty, struct sb_err *err)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGWINCH) {
		if (tty && s->master_fd >= 0)
			copy_size(s);
		return 0;
	}
	if (!tty && !s->exec && !s->early_signal) {
		s->early_signal = (int)info.ssi_signo;
		return 0;
	}
	if (tty || !s->exec) {
		/* Keys arrive through the terminal; a signal from outside is for us. */
		sb_err_set(err, EINTR, "stopped by SIG%s", sigabbrev_np((int)info.ssi_signo));
		err->exit_code = 128 + (int)info.ssi_signo;
		return -err->code;
	}
	pass_on(s, (int)info.ssi_signo);
	return 0;
}

/* Read what is there, or write what can be written; the poll(2) events say which. */
static void pump(struct flow *f, short from_events, short to_events)
{
	ssize_t n;

	if (f->start == f->end && from_events) {
		n = read(f->from, f->data, sizeof(f->data));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		f->start = 0;
		f->end = n > 0 ? (size_t)n : 0;
		if (n <= 0)
			f->from = -1; /* of a terminal EIO: the last program has closed it */
		to_events = POLLOUT;  /* try at once: it is rarely full */
	}
	if (f->start < f->end && to_events) {
		n = write(f->to, f->data + f->start, f->end - f->start);
		if (n > 0)
			f->start += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			f->start = f->end; /* nobody there to take it */
	}
}

static void end_input(struct session *s)
{
	/* A pipe has ended, as opposed to a terminal: tell the program as a key press would. */
	if (!isatty(STDIN_FILENO))
		(void)!write(s->master_fd, (char[1]){ EOT }, 1);
}

/* Handle one message; 1 when the program has ended, with its record in @ret. */
static int on_message(struct session *s, const struct sb_attach *how, json_t **ret,
		      struct sb_err *err)
{
	_cleanup_json_ json_t *msg = NULL;
	json_t *info;
	int64_t exec = 0;
	int fd;

	if (sb_client_recv(s->conn, &msg, &fd, err) < 0) {
		/* To a signal that came too late: how the program ended is told next. */
		if (s->exec && err->code == ESRCH)
			return 0;
		return -err->code;
	}
	if (fd >= 0) {
		s->master_fd = fd;
		s->output.from = s->input.to = fd;
		s->output.to = STDOUT_FILENO;
		s->input.from = how->interactive ? STDIN_FILENO : -1;
		copy_size(s);
		if (how->interactive)
			make_raw(s);
	}
	info = json_object_get(msg, "exited");
	if (!info && how->background)
		info = json_object_get(msg, "started");
	if (info) {
		*ret = json_incref(info);
		return 1;
	}
	info = json_object_get(msg, "started");
	if (info && sb_json_get_int(info, "exec", &exec, err) < 0)
		return -err->code;
	if (info)
		s->exec = (int)exec;
	if (info && s->early_signal)
		pass_on(s, s->early_signal);
	return 0;
}

/* The program has ended: show what it has written before. */
static void drain(struct session *s)
{
	struct pollfd p = { .fd = s->master_fd, .events = POLLIN };

	/* Bounded: a terminal holds less than that, and processes left behind may write for ever.
	 */
	for (int i = 0; i < 32 && s->master_fd >= 0 && s->output.from >= 0; i++) {
		if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
			break;
		pump(&s->output, POLLIN, POLLOUT);
	}
	while (s->output.start < s->output.end)
		pump(&s->output, 0, POLLOUT);
}

static int loop(struct session *s, const struct sb_attach *how, json_t **ret, struct sb_err *err)
{
	enum { CONN, SIGNAL, INPUT, INPUT_TO, OUTPUT, OUTPUT_TO, N };

	for (;;) {
		bool in_full = s->input.start < s->input.end;
		bool out_full = s->output.start < s->output.end;
		bool had_input = s->input.from >= 0;
		struct pollfd p[N] = {
			[CONN] = { .fd = s->conn, .events = POLLIN },
			[SIGNAL] = { .fd = s->signal_fd, .events = POLLIN },
			[INPUT] = { .fd = in_full ? -1 : s->input.from, .events = POLLIN },
			[INPUT_TO] = { .fd = in_full ? s->master_fd : -1, .events = POLLOUT },
			[OUTPUT] = { .fd = out_full ? -1 : s->output.from, .events = POLLIN },
			[OUTPUT_TO] = { .fd = out_full ? STDOUT_FILENO : -1, .events = POLLOUT },
		};
		int r;

		if (poll(p, N, -1) < 0) {
			if (errno == EINTR)
				continue;
			return sb_err_set(err, errno, "wait for the session");
		}
		if (p[SIGNAL].revents && on_signal(s, how->tty, err) < 0)
			return -err->code;
		if (s->master_fd >= 0) {
			pump(&s->input, p[INPUT].revents, p[INPUT_TO].revents);
			pump(&s->output, p[OUTPUT].revents, p[OUTPUT_TO].revents);
		}
		if (had_input && s->input.from < 0)
			end_input(s);
		if (!p[CONN].revents)
			continue;
		r = on_message(s, how, ret, err);
		if (r > 0)
			drain(s);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

/**
 * sb_attach_exec() - Run a program in a sandbox as if it were started here
 * @conn:	connection to the monitor; borrowed
 * @request:	{"args", "env", …} as in sb_session_start(); taken over
 * @how:	how the caller takes part
 * @ret:	record of the session: of its end, or in the background of its start; the caller
 *		drops it
 *
 * Blocks the signals that it passes on, for the rest of the process.
 *
 * Return: 0, or a negative errno value: @err then has the exit code that tells 125, 126 and 127
 * apart
 */
int sb_attach_exec(int conn, json_t *request, const struct sb_attach *how, json_t **ret,
		   struct sb_err *err)
{
	_cleanup_(session_done) struct session s = { .conn = conn,
						     .signal_fd = -1,
						     .master_fd = -1,
						     .input = { .from = -1, .to = -1 },
						     .output = { .from = -1, .to = -1 } };
	_cleanup_fd_ int null = -1;
	struct winsize size;
	int fds[3] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	size_t n_fds = how->tty || how->background ? 0 : 3;

	(void)json_object_set_new(request, "op", json_string("exec"));
	(void)json_object_set_new(request, "tty", json_boolean(how->tty));
	(void)json_object_set_new(request, "background", json_boolean(how->background));
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		(void)json_object_set_new(request, "rows", json_integer(size.ws_row));
		(void)json_object_set_new(request, "columns", json_integer(size.ws_col));
	}
	if (n_fds && !how->interactive) {
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		fds[0] = null;
	}
	if (!how->background && open_signals(&s, err) < 0) {
		json_decref(request);
		return -err->code;
	}
	if (sb_client_send(conn, request, fds, n_fds, err) < 0)
		return -err->code;
	return loop(&s, how, ret, err);
}
