/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_files.c - sbrun files */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/files.h"
#include "runtime/sandbox/record.h"

#define JSON_MAX (64 << 20) /* a file read as JSON is held in memory */

static int write_file(struct sb_cli *cli, const struct sb_record *rec, const char *path,
		      struct sb_err *err)
{
	char full[PATH_MAX];
	uint64_t bytes;

	if (sb_files_absolute(rec, path, full, sizeof(full), err) < 0 ||
	    sb_files_write(&cli->home, rec, path, STDIN_FILENO, &bytes, err) < 0)
		return -err->code;
	if (cli->json)
		sb_out_json(
			json_pack("{s:s, s:I}", "path", full, "bytesWritten", (json_int_t)bytes));
	return 0;
}

static int read_file(struct sb_cli *cli, const struct sb_record *rec, const char *path,
		     struct sb_err *err)
{
	_cleanup_fd_ int mem = -1;
	_cleanup_free_ char *data = NULL;
	char full[PATH_MAX];
	json_t *o, *text;
	size_t len;

	if (!cli->json)
		return sb_files_read(&cli->home, rec, path, STDOUT_FILENO, UINT64_MAX, err);
	mem = memfd_create("sbrun-read", MFD_CLOEXEC);
	if (mem < 0)
		return sb_err_set(err, errno, "make a buffer");
	if (sb_files_absolute(rec, path, full, sizeof(full), err) < 0 ||
	    sb_files_read(&cli->home, rec, path, mem, JSON_MAX, err) < 0)
		return -err->code;
	if (lseek(mem, 0, SEEK_SET) < 0 || sb_read_fd(mem, full, JSON_MAX, &data, &len, err) < 0)
		return err->code ? -err->code : sb_err_set(err, errno, "read '%s'", full);
	o = json_pack("{s:s, s:I}", "path", full, "bytes", (json_int_t)len);
	text = json_stringn(data, len);
	(void)json_object_set_new(o, "content",
				  text ? text : sb_out_base64(data, len, o, "content"));
	sb_out_json(o);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct sb_cli *cli, const struct sb_record *rec, const char *path,
		  struct sb_err *err);
} verbs[] = {
	{ "write", write_file },
	{ "read", read_file },
};

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;

	(void)opts;
	(void)argc;
	for (size_t i = 0; i < SB_ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[0], verbs[i].name) != 0)
			continue;
		if (sb_target_running(cli, argv[1], &rec, err) < 0)
			return -err->code;
		return verbs[i].fn(cli, &rec, argv[2], err);
	}
	sb_err_refuse(err, EINVAL, "unknown verb '%.40s'", argv[0]);
	return sb_err_hint(err, "'sbrun files read' or 'sbrun files write'");
}

const struct sb_cmd sb_cmd_files = {
	.name = "files",
	.args = "read|write ID PATH",
	.summary = "read or write a file of a running sandbox",
	.text = "'write' takes the content from standard input and replaces the file at once or "
		"not at\n"
		"all; missing directories are made. Relative paths start at the sandbox's working "
		"directory.\n"
		"Nothing is run in the sandbox for it.\n\n"
		"Examples:\n"
		"  sbrun files write web server.py < server.py\n"
		"  sbrun files read web /etc/os-release\n",
	.min_args = 3,
	.max_args = 3,
	.run = run,
};
