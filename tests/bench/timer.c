/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer.c - time commands in turn, each from its start until it has ended
 *
 * Usage: sb_bench [-n ROUNDS] [-b BURST] [-i IDLE_MS] [-m NAMESPACE] < PLAN
 *
 * Each line of the plan is one step: LABEL, FLAGS, COUNT and the words of a command, between tabs;
 * "%i" in a word becomes a number that is different for each process of a step and the same in all
 * steps of a round. A round is all steps in their order, so what the machine does meanwhile hits
 * all of them alike. Flags: q   not timed (prepares or removes something) m   run it in the mount
 * namespace NAMESPACE (the path of a file) p   start COUNT processes at once instead of one after
 * the other; the time is that of all of them e   report each of COUNT processes, instead of the
 * time of all of them -b makes a turn of a timed step BURST times its command, after one that is
 * not timed ("hot"); -i waits before each timed command, so that what the kernel keeps warm for a
 * while has gone ("cold").
 *
 * Prints "LABEL<tab>milliseconds<tab>number of failures" for each time taken. What the commands
 * print goes nowhere, except to stderr. The driver is small and starts commands by vfork(2): it
 * costs them nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_STEPS 64
#define MAX_WORDS 48
#define MAX_COUNT 1000
#define WORD_SIZE 256

struct step {
	const char *label;
	bool quiet, elsewhere, parallel, each;
	unsigned int count;
	int nwords;
	char *words[MAX_WORDS];
};

struct bench {
	unsigned int rounds, burst, idle_ms;
	int mnt_fd; /* of the namespace for steps with flag m, or -1 */
	int null_fd;
	struct step steps[MAX_STEPS];
	unsigned int nsteps;
	unsigned int next_id;
};

static void die(const char *what, const char *subject)
{
	fprintf(stderr, "sb_bench: %s '%s'%s%s\n", what, subject, errno ? ": " : "",
		errno ? strerror(errno) : "");
	exit(2);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Runs in the child of a vfork: shares our memory, so it may only make system calls. */
static void become(const struct bench *b, const struct step *step, char *const argv[])
{
	if (step->elsewhere && setns(b->mnt_fd, CLONE_NEWNS) < 0)
		_exit(127);
	if (dup2(b->null_fd, STDIN_FILENO) < 0 || dup2(b->null_fd, STDOUT_FILENO) < 0)
		_exit(127);
	execvp(argv[0], argv);
	_exit(127);
}

static pid_t start(const struct bench *b, const struct step *step, unsigned int id)
{
	char expanded[MAX_WORDS][WORD_SIZE];
	char *argv[MAX_WORDS + 1];
	pid_t pid;

	for (int i = 0; i < step->nwords; i++) {
		char *word = step->words[i], *at = strstr(word, "%i");

		argv[i] = at ? expanded[i] : word;
		if (at && snprintf(expanded[i], WORD_SIZE, "%.*s%u%s", (int)(at - word), word, id,
				   at + 2) >= WORD_SIZE)
			die("a word is too long:", word);
	}
	argv[step->nwords] = NULL;
	pid = vfork();
	if (pid == 0)
		become(b, step, argv);
	if (pid < 0)
		die("start", argv[0]);
	return pid;
}

/* Return: 1 if the process failed, else 0 */
static unsigned int await(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("wait for", "a command");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static void report(const struct step *step, double since, unsigned int failed)
{
	if (!step->quiet)
		printf("%s\t%.4f\t%u\n", step->label, now_ms() - since, failed);
}

static void run_all(const struct bench *b, const struct step *step, unsigned int first_id)
{
	pid_t pids[MAX_COUNT];
	unsigned int failed = 0;
	double since = now_ms();

	if (step->parallel) {
		for (unsigned int i = 0; i < step->count; i++)
			pids[i] = start(b, step, first_id + i);
		for (unsigned int i = 0; i < step->count; i++)
			failed += await(pids[i]);
	}
	for (unsigned int i = 0; i < step->count && !step->parallel; i++) {
		double one = now_ms();
		unsigned int bad = await(start(b, step, first_id + i));

		failed += bad;
		if (step->each)
			report(step, one, bad);
	}
	if (!step->each)
		report(step, since, failed);
}

static void take_turn(struct bench *b, struct step *step, unsigned int id)
{
	const bool quiet = step->quiet;

	if (quiet) {
		run_all(b, step, id);
		return;
	}
	if (b->burst > 1) {
		step->quiet = true;
		run_all(b, step, id);
		step->quiet = quiet;
	}
	for (unsigned int i = 0; i < b->burst; i++) {
		if (b->idle_ms)
			usleep(b->idle_ms * 1000);
		run_all(b, step, id);
	}
}

static unsigned int number(const char *s, unsigned int max)
{
	char *end;
	unsigned long n = s ? strtoul(s, &end, 10) : 0;

	if (!n && (!s || *end || end == s))
		die("not a number:", s ? s : "");
	if (n > max)
		die("too large:", s);
	return (unsigned int)n;
}

static void read_step(struct bench *b, char *line)
{
	struct step *step = &b->steps[b->nsteps];
	const char *flags;

	if (b->nsteps == MAX_STEPS)
		die("too many steps at", line);
	step->label = strtok(line, "\t");
	flags = strtok(NULL, "\t");
	step->count = number(strtok(NULL, "\t"), MAX_COUNT);
	for (char *word; (word = strtok(NULL, "\t"));) {
		if (step->nwords == MAX_WORDS)
			die("too many words in", step->label);
		step->words[step->nwords++] = word;
	}
	if (!step->nwords || !step->count)
		die("nothing to run in", step->label);
	step->quiet = strchr(flags, 'q');
	step->elsewhere = strchr(flags, 'm');
	step->parallel = strchr(flags, 'p');
	step->each = strchr(flags, 'e');
	if (step->elsewhere && b->mnt_fd < 0)
		die("no -m for", step->label);
	b->nsteps++;
}

/* The lines stay allocated: the steps point into them. */
static void read_plan(struct bench *b)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		errno = 0;
		read_step(b, line);
		line = NULL;
		size = 0;
	}
	free(line);
}

static void parse_options(struct bench *b, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:b:i:m:")) != -1) {
		errno = 0;
		if (opt == 'n')
			b->rounds = number(optarg, 1000000);
		else if (opt == 'b')
			b->burst = number(optarg, 1000);
		else if (opt == 'i')
			b->idle_ms = number(optarg, 1000);
		else if (opt != 'm')
			exit(2);
		else if ((b->mnt_fd = open(optarg, O_RDONLY | O_CLOEXEC)) < 0)
			die("open", optarg);
	}
}

int main(int argc, char **argv)
{
	static struct bench b = { .rounds = 1, .burst = 1, .mnt_fd = -1 };

	parse_options(&b, argc, argv);
	b.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (b.null_fd < 0)
		die("open", "/dev/null");
	read_plan(&b);
	for (unsigned int round = 0; round < b.rounds; round++) {
		unsigned int most = 0;

		for (unsigned int i = 0; i < b.nsteps; i++) {
			take_turn(&b, &b.steps[i], b.next_id);
			if (b.steps[i].count > most)
				most = b.steps[i].count;
		}
		b.next_id += most;
	}
	return fflush(stdout) == EOF ? 2 : 0;
}
