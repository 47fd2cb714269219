/* SPDX-License-Identifier: Apache-2.0 */
/* image_program.c - sbrun-image, which meets archives and registries for us */
#include "runtime/cli/image_program.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/image.h"
#include "images/platform.h"
#include "images/resolve.h"
#include "images/settings.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/program.h"
#include "runtime/cli/cli.h"

/**
 * sb_image_program_exec() - Become sbrun-image
 * @cli:	our call; --debug is passed on
 * @args:	its name, command and arguments, ended by NULL
 *
 * Return: a negative errno value, or not at all
 */
int sb_image_program_exec(const struct sb_cli *cli, const char *const args[], struct sb_err *err)
{
	_cleanup_free_ const char **all = NULL;
	char path[PATH_MAX];
	size_t n = 0;

	while (args[n])
		n++;
	all = calloc(n + 2, sizeof(*all));
	if (!all)
		return sb_err_set(err, ENOMEM, "execute sbrun-image");
	memcpy(all, args, 2 * sizeof(*all));
	memcpy(all + 2 + cli->debug, args + 2, (n - 2) * sizeof(*all));
	if (cli->debug)
		all[2] = "--debug";
	if (sb_program_find("sbrun-image", path, sizeof(path), err) < 0)
		return -err->code;
	(void)fflush(NULL);
	(void)execv(path, (char **)all);
	return sb_err_set(err, errno, "execute '%s'", path);
}

/* In the child: standard output becomes @out. */
static _Noreturn void run_pull(const struct sb_cli *cli, const char *reference, int out)
{
	const char *progress = cli->json ? "none" : "auto";
	const char *const args[] = { "sbrun-image", "pull",   "--store", cli->store_path,
				     "--progress",  progress, "--json",  "--",
				     reference,     NULL };
	struct sb_err err = SB_ERR_INIT;
	json_t *message;

	/* If we are killed, it is not to go on for nobody. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out, STDOUT_FILENO) >= 0)
		(void)sb_image_program_exec(cli, args, &err);
	message = sb_json_from_err(&err);
	(void)json_dumpfd(message, out, 0);
	_exit(SB_EXIT_FAILED);
}

/* Let sbrun-image pull. Its progress goes to our standard error, its result comes as JSON in a
 * file. */
static int pull(const struct sb_cli *cli, const char *reference, struct sb_err *err)
{
	_cleanup_fd_ int out = memfd_create("result", MFD_CLOEXEC);
	_cleanup_json_ json_t *result = NULL;
	int status;
	pid_t pid;

	if (out < 0)
		return sb_err_set(err, errno, "make a temporary file");
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return sb_err_set(err, errno, "start sbrun-image");
	if (pid == 0)
		run_pull(cli, reference, out);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return sb_err_set(err, errno, "wait for sbrun-image");
	if (lseek(out, 0, SEEK_SET) == 0)
		result = json_loadfd(out, 0, NULL);
	if (!result)
		return sb_err_set(err, EIO, "pull '%.100s': sbrun-image was lost", reference);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return sb_json_to_err(result, err);
}

/* What --pull says, or the configuration. */
static int find_policy(const char *word, enum sb_pull_policy *ret, struct sb_err *err)
{
	struct sb_settings settings = SB_SETTINGS_INIT;

	if (!word) {
		if (sb_settings_load(&settings, err) < 0)
			return -err->code;
		*ret = settings.pull;
		sb_settings_done(&settings);
		return 0;
	}
	if (sb_pull_policy_parse(word, ret) == 0)
		return 0;
	sb_err_refuse(err, EINVAL, "--pull: '%.20s' is no policy", word);
	return sb_err_hint(err, "it is one of always, missing, never and newer");
}

/* It may be meant: an emulator can be registered with the kernel (binfmt_misc). */
static void warn_of_platform(const struct sb_image *image, const char *reference)
{
	struct sb_platform host;

	sb_platform_host(&host);
	if (image->architecture && strcmp(image->architecture, host.architecture) != 0)
		sb_warn("the image '%s' is for linux/%s, this machine is linux/%s", reference,
			image->architecture, host.architecture);
}

/**
 * sb_image_obtain() - Open an image, pulled first if the policy wants that
 * @cli:	our call
 * @reference:	name, digest or id
 * @policy:	what --pull says; NULL: as the configuration has it
 * @ret:	written on success only; sb_image_done() frees it
 *
 * A digest or id is never pulled: it names no registry.
 *
 * Return: 0, or a negative errno value (-ENOENT: not there, and not to be pulled)
 */
int sb_image_obtain(const struct sb_cli *cli, const char *reference, const char *policy,
		    struct sb_image *ret, struct sb_err *err)
{
	enum sb_pull_policy when = SB_PULL_MISSING;
	struct sb_err why = SB_ERR_INIT;
	int r;

	if (find_policy(policy, &when, err) < 0)
		return -err->code;
	r = sb_image_open(cli->home.store_fd, reference, ret, err);
	if (r == 0 && (!ret->reference || when == SB_PULL_MISSING || when == SB_PULL_NEVER)) {
		warn_of_platform(ret, reference);
		return 0;
	}
	if (r == 0)
		sb_image_done(ret);
	else if (r != -ENOENT || when == SB_PULL_NEVER || sb_resolve_is_id(reference))
		return r;
	*err = (struct sb_err)SB_ERR_INIT;
	r = pull(cli, reference, &why);
	if (r < 0 && when != SB_PULL_NEWER) {
		*err = why;
		return r;
	}
	if (sb_image_open(cli->home.store_fd, reference, ret, err) == 0) {
		warn_of_platform(ret, reference);
		if (r < 0)
			sb_warn("use '%s' as it is here: %s", reference, why.msg);
		return 0;
	}
	if (r < 0)
		*err = why;
	return -err->code;
}
