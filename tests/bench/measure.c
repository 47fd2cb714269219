/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure.c - wall time, processor time and memory of one command and all that it starts
 *
 * Usage: sb_measure [-k] COMMAND [ARGUMENT]...
 *
 * Prints "wall ms<tab>cpu ms<tab>peak kB<tab>failed". The wall time ends with the command itself.
 * Processes that it leaves behind come to us (PR_SET_CHILD_SUBREAPER) and are waited for, so that
 * their processor time counts: user and system time of everything below us (getrusage(2),
 * RUSAGE_CHILDREN). With -k they are to live on, and what they use is not known. The peak is that
 * of the largest single process, as the kernel keeps it (ru_maxrss). What the command prints goes
 * nowhere, except to stderr. This program is small on purpose: ru_maxrss of a child begins with
 * what its parent had.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "sb_measure: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double ms_of(const struct timeval *tv)
{
	return (double)tv->tv_sec * 1e3 + (double)tv->tv_usec / 1e3;
}

static void become(char **argv)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Who interrupts us ends the command as well. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || null_fd < 0 ||
	    dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
		_exit(127);
	execvp(argv[0], argv);
	_exit(127);
}

/* Return: whether @pid failed */
static bool await(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("wait for the command");
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int main(int argc, char **argv)
{
	bool keep = argc > 1 && !strcmp(argv[1], "-k");
	struct rusage used;
	double since, wall;
	bool failed;
	pid_t pid;

	argv += keep ? 2 : 1;
	if (!argv[0]) {
		fputs("Usage: sb_measure [-k] COMMAND [ARGUMENT]...\n", stderr);
		return 2;
	}
	if (!keep && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("become a subreaper");
	since = now_ms();
	pid = fork();
	if (pid == 0)
		become(argv);
	if (pid < 0)
		die("fork");
	failed = await(pid);
	wall = now_ms() - since;
	while (!keep && (wait(NULL) >= 0 || errno == EINTR))
		;
	if (getrusage(RUSAGE_CHILDREN, &used) < 0)
		die("getrusage");
	printf("%.4f\t%.4f\t%ld\t%d\n", wall, ms_of(&used.ru_utime) + ms_of(&used.ru_stime),
	       used.ru_maxrss, failed);
	return fflush(stdout) == EOF ? 2 : 0;
}
