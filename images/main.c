/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - sbrun-image, the program behind "sbrun load"
 *
 *   sbrun-image load --store DIR [--name REFERENCE] [--json] SOURCE
 *
 * Output and exit codes are as in the text of --help below. The process forks at once: see
 * confine.c for what the two do.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "images/confine.h"
#include "images/image.h"
#include "images/load.h"
#include "images/reference.h"
#include "images/tree.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/path.h"

#define EXIT_FAILED 125 /* as docker run: we failed, as opposed to a command */

static const char help[] =
	"Usage: sbrun-image load --store DIR [--name REFERENCE] [--json] SOURCE\n"
	"\n"
	"Unpack a container image into the store of sbrun. Called by 'sbrun load'.\n"
	"SOURCE is an OCI layout directory, an oci-archive, a docker-archive (both may be\n"
	"compressed by gzip or zstd), or '-' for one of the archives on standard input.\n"
	"\n"
	"  --store DIR        the store; made with mode 0700 if it is missing\n"
	"  --name REFERENCE   name for the image; default: the names in the archive\n"
	"  --json             print "
	"{\"images\":[{\"reference\",\"fullReference\",\"digest\",\"layers\",\n"
	"                     \"sizeBytes\"}]}, or on failure "
	"{\"error\":{\"code\",\"message\",\"hint\"}}\n"
	"  --help             print this text\n"
	"\n"
	"Exit codes: 0 loaded, 125 failed and nothing stored. Errors are one line on standard "
	"error,\n"
	"with --json an object on standard output.\n";

/* The command line. */
struct options {
	const char *store;
	const char *name;
	const char *source;
	bool json;
	bool help;
};

static int print_error(const struct sb_err *err, bool as_json)
{
	char text[SB_ERR_MSG_MAX + SB_ERR_HINT_MAX + 64];
	_cleanup_free_ char *line = NULL;
	json_t *o;

	if (!as_json) {
		dprintf(STDERR_FILENO, "sbrun: load: %s\n", sb_err_text(err, text, sizeof(text)));
		return EXIT_FAILED;
	}
	/* An error is data too: standard output, as everywhere in sbrun. */
	o = sb_json_from_err(err);
	line = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	dprintf(STDOUT_FILENO, "%s\n", line ? line : "{\"error\":{\"code\":\"EIO\"}}");
	json_decref(o);
	return EXIT_FAILED;
}

static int parse_options(int argc, char **argv, struct options *o, struct sb_err *err)
{
	static const struct option table[] = {
		{ "store", required_argument, NULL, 's' },
		{ "name", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (c == 's')
			o->store = optarg;
		else if (c == 'n')
			o->name = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			o->help = true;
		else
			return sb_err_refuse(err, EINVAL, "option '%.60s' %s", argv[optind - 1],
					     c == ':' ? "needs a value" : "is not known");
	}
	if (o->help)
		return 0;
	if (optind + 2 != argc || strcmp(argv[optind], "load") != 0)
		return sb_err_refuse(err, EINVAL, "expected 'load' and one SOURCE");
	if (!o->store)
		return sb_err_refuse(err, EINVAL, "option '--store' is missing");
	o->source = argv[optind + 1];
	return 0;
}

static int open_source(const char *source, struct sb_err *err)
{
	int fd;

	if (!strcmp(source, "-"))
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else
		fd = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 ? fd : sb_err_set(err, errno, "open '%.150s'", source);
}

static int print_loaded(const struct sb_loaded_list *list, bool as_json, struct sb_err *err)
{
	json_t *images = json_array();
	_cleanup_free_ char *text = NULL;
	json_t *o;

	for (size_t i = 0; i < list->n; i++) {
		const struct sb_loaded *l = &list->v[i];
		char familiar[SB_IMAGE_REFERENCE_SIZE] = "";

		(void)sb_image_familiar(l->reference, familiar, sizeof(familiar));
		if (!as_json)
			printf("Loaded: %s\n", familiar);
		(void)json_array_append_new(
			images,
			json_pack("{s:s, s:s, s:s, s:I, s:I}", "reference", familiar,
				  "fullReference", l->reference, "digest", l->digest, "layers",
				  (json_int_t)l->layers, "sizeBytes", (json_int_t)l->size_bytes));
	}
	o = json_pack("{s:o}", "images", images);
	text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	json_decref(o);
	if (as_json)
		printf("%s\n", text ? text : "");
	return fflush(stdout) != 0 ? sb_err_set(err, errno, "write to standard output") : 0;
}

/* The child: confine, load, report. */
static int run_child(const struct options *o, int store_dirfd, int source_fd, int sock)
{
	struct sb_broker_client client = { .sock = sock, .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct sb_layer_hooks hooks = { .set_opaque = sb_broker_set_opaque, .ctx = &client };
	struct sb_loaded_list loaded = SB_LOADED_LIST_INIT;
	struct sb_err err = SB_ERR_INIT;
	int r;

	umask(0); /* modes are those of the archive */
	/* OpenSSL would read its configuration from the host when it is first used. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	r = sb_confine_enter(&store_dirfd, &source_fd, &err);
	if (r == 0) {
		const struct sb_load load = { .store_dirfd = store_dirfd,
					      .source_fd = source_fd,
					      .name = o->name,
					      .hooks = &hooks };

		r = sb_load_run(&load, &loaded, &err);
	}
	if (r == 0)
		r = print_loaded(&loaded, o->json, &err);
	sb_loaded_list_done(&loaded);
	return r < 0 ? print_error(&err, o->json) : EXIT_SUCCESS;
}

/* The parent: serve the child, then end as it does. */
static int run_parent(pid_t child, int sock, dev_t store_dev, struct sb_err *err)
{
	int r = sb_broker_serve(sock, store_dev, err);
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return sb_err_set(err, errno, "wait for the unpacker");
	if (WIFSIGNALED(status))
		return sb_err_set(err, EIO, "the unpacker was killed by signal %d",
				  WTERMSIG(status));
	return r < 0 ? r : WEXITSTATUS(status);
}

/* Return: an exit code, or a negative errno value with @err set. */
static int load(const struct options *o, struct sb_err *err)
{
	char full[SB_REFERENCE_SIZE];
	_cleanup_fd_ int store = -1, source = -1, mine = -1, theirs = -1;
	int pair[2];
	struct stat st;
	pid_t self = getpid(), pid;

	/* A name that can't be used is refused before anything is made. */
	if (o->name && sb_reference_complete(o->name, full, sizeof(full), err) < 0)
		return -err->code;
	if (geteuid() != 0)
		return sb_err_refuse(err, EPERM, "only root can unpack an image");
	source = open_source(o->source, err);
	if (source < 0)
		return -err->code;
	store = sb_ensure_dir_at(AT_FDCWD, o->store, 0700, err);
	if (store < 0)
		return -err->code;
	if (fstat(store, &st) < 0)
		return sb_err_set(err, errno, "open '%.150s'", o->store);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sb_err_set(err, errno, "make a socket");
	mine = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return sb_err_set(err, errno, "fork");
	if (pid == 0) {
		/* A child must not outlive its parent: nobody would clean up after it. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self)
			_exit(EXIT_FAILED);
		sb_close_fd(&mine);
		_exit(run_child(o, store, source, theirs));
	}
	sb_close_fd(&theirs);
	return run_parent(pid, mine, st.st_dev, err);
}

/**
 * main() - sbrun-image
 * @argc:	see --help
 * @argv:	likewise
 *
 * Return: exit code, see --help
 */
int main(int argc, char **argv)
{
	struct sb_err err = SB_ERR_INIT;
	struct options o = { .json = false };
	int r;

	/* What the caller left open is none of the business of a program that meets strangers. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	if (parse_options(argc, argv, &o, &err) < 0)
		return print_error(&err, o.json);
	if (o.help)
		return fputs(help, stdout) < 0 ? EXIT_FAILED : EXIT_SUCCESS;
	r = load(&o, &err);
	return r < 0 ? print_error(&err, o.json) : r;
}
