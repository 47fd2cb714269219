/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.c - ask the person at the terminal
 *
 * While the echo is off, signals that would end or stop us are not delivered but read: the terminal
 * is put right first, then the signal does what it does.
 */
#include "images/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

/* The signals that a person, or the end of the session, may send. */
static void signals_that_matter(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTSTP);
}

/* Wait for a line or a signal. Return: its length, -errno, or 0 with *ret_signal set */
static ssize_t wait_for_line(int tty, int signals, char *buf, size_t size, int *ret_signal)
{
	struct pollfd p[2] = { { .fd = signals, .events = POLLIN },
			       { .fd = tty, .events = POLLIN } };
	struct signalfd_siginfo info;
	ssize_t n;

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (p[0].revents) {
		n = read(signals, &info, sizeof(info));
		*ret_signal = n == sizeof(info) ? (int)info.ssi_signo : SIGTERM;
		return 0;
	}
	n = read(tty, buf, size - 1);
	return n < 0 ? -errno : n;
}

/* One question. Return: as wait_for_line() */
static ssize_t ask(int tty, const char *question, bool is_secret, char *buf, size_t size,
		   int *ret_signal)
{
	struct termios before, silent;
	sigset_t wanted, old;
	ssize_t n;
	int signals;

	signals_that_matter(&wanted);
	signals = signalfd(-1, &wanted, SFD_CLOEXEC);
	if (signals < 0)
		return -errno;
	(void)pthread_sigmask(SIG_BLOCK, &wanted, &old);
	if (tcgetattr(tty, &before) < 0) {
		n = -errno;
	} else {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		silent.c_lflag |= ICANON | ECHONL;
		if (is_secret)
			(void)tcsetattr(tty, TCSAFLUSH, &silent);
		(void)sb_write_all(tty, question, strlen(question));
		n = wait_for_line(tty, signals, buf, size, ret_signal);
		if (is_secret)
			(void)tcsetattr(tty, TCSAFLUSH, &before);
	}
	(void)close(signals);
	if (*ret_signal) {
		(void)sb_write_all(tty, "\n", 1);
		(void)raise(*ret_signal); /* takes effect with the next line */
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return n;
}

/**
 * sb_prompt() - Ask the person at the terminal for a line
 * @question:	what is shown
 * @is_secret:	what is typed is not shown
 * @buf:	the line without its end; the caller wipes it
 * @size:	its size; the kernel takes lines of up to 4095 bytes (termios(3))
 *
 * Return: 0, or a negative errno value (-ENOTTY: no terminal, -ECANCELED: nothing was entered)
 */
int sb_prompt(const char *question, bool is_secret, char *buf, size_t size, struct sb_err *err)
{
	_cleanup_fd_ int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int signo;
	ssize_t n;

	/* A session without a controlling terminal may have been given one all the same. */
	if (tty < 0 && isatty(STDIN_FILENO))
		tty = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (tty < 0)
		return sb_err_refuse(err, ENOTTY, "there is no terminal to ask at");
	do {
		signo = 0;
		n = ask(tty, question, is_secret, buf, size, &signo);
	} while (signo == SIGTSTP);
	if (n < 0)
		return sb_err_set(err, (int)-n, "read from the terminal");
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	if (n == 0)
		return sb_err_refuse(err, ECANCELED, "nothing was entered");
	buf[n] = '\0';
	return 0;
}
