/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_load.c - archives become images of the store, whole or not at all */
#include "images/load.h"

#include "tests/unit/tarball.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "images/digest.h"
#include "images/hash.h"
#include "images/image.h"
#include "images/limits.h"
#include "images/platform.h"
#include "images/publish.h"
#include "images/source.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"

#define INDEX    "application/vnd.oci.image.index.v1+json"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define CONFIG   "application/vnd.oci.image.config.v1+json"
#define LAYER    "application/vnd.oci.image.layer.v1.tar"

/* A store, and an OCI layout of one image with two layers that tests spoil in one place each. */
struct fixture {
	char path[32];
	int top;
	int store;
	int layout;
	const char *name; /* what sb_load_run() gets */
	char layer[2][SB_DIGEST_SIZE];
	size_t layer_len[2];
	char config[SB_DIGEST_SIZE];
	size_t config_len;
	char manifest[SB_DIGEST_SIZE];
	size_t manifest_len;
	struct sb_loaded_list loaded;
	struct sb_err err;
};

/* What this machine is called in images. */
static const char *host(void)
{
	static struct sb_platform p;

	sb_platform_host(&p);
	return p.architecture;
}

static int open_dir(int dirfd, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(dirfd, name, 0700), 0);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Write a blob into the layout. */
static size_t put_blob(struct fixture *f, const void *data, size_t len, char *ret_digest)
{
	char name[100];

	assert_int_equal(sb_hash_buffer(data, len, ret_digest, &f->err), 0);
	snprintf(name, sizeof(name), "blobs/sha256/%s", ret_digest + 7);
	(void)unlinkat(f->layout, name, 0);
	{
		int fd = openat(f->layout, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		assert_true(fd >= 0);
		assert_int_equal(sb_write_all(fd, data, len), 0);
		close(fd);
	}
	return len;
}

static void put_layer(struct fixture *f, int i, const char *file)
{
	struct tarball t = { .len = 0 };

	tarball_add(&t, &(struct tarent){ .name = file, .body = file });
	tarball_end(&t);
	f->layer_len[i] = put_blob(f, t.data, t.len, f->layer[i]);
	free(t.data);
}

static void put_config(struct fixture *f, const char *arch, const char *diff_ids)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"created\":\"2024-06-01T00:00:00.5Z\",\"architecture\":\"%s\",\"os\":\"linux\","
		 "\"config\":{\"Env\":[\"A=1\",\"HOME\",\"=x\",\"A=2\",\"B=\"],"
		 "\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\",\"d\"],\"WorkingDir\":\"/w\","
		 "\"User\":\"app\",\"StopSignal\":\"SIGINT\",\"ExposedPorts\":{\"80/tcp\":{}}},"
		 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
		 arch, diff_ids);
	f->config_len = put_blob(f, text, strlen(text), f->config);
}

/* @extra goes into the object, ",\"layers\":[…]" included. */
static void put_manifest(struct fixture *f, const char *extra)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST "\",\"config\":{\"mediaType\":"
		 "\"" CONFIG "\",\"digest\":\"%s\",\"size\":%zu}%s}",
		 f->config, f->config_len, extra);
	f->manifest_len = put_blob(f, text, strlen(text), f->manifest);
}

static void put_index(struct fixture *f, const char *manifests)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\",\"manifests\":[%s]}", manifests);
	(void)unlinkat(f->layout, "index.json", 0);
	unit_write(f->layout, "index.json", text);
}

/* A descriptor of the manifest; @more are further keys, with a comma in front. */
static const char *descriptor(const struct fixture *f, const char *more, char *buf, size_t size)
{
	snprintf(buf, size, "{\"mediaType\":\"" MANIFEST "\",\"digest\":\"%s\",\"size\":%zu%s}",
		 f->manifest, f->manifest_len, more);
	return buf;
}

/* Layers as the manifest lists them: type, digest and size of each. */
static const char *layers_of(const struct fixture *f, char *buf, size_t size)
{
	snprintf(buf, size,
		 ",\"layers\":[{\"mediaType\":\"" LAYER "\",\"digest\":\"%s\",\"size\":%zu},"
		 "{\"mediaType\":\"" LAYER "\",\"digest\":\"%s\",\"size\":%zu}]",
		 f->layer[0], f->layer_len[0], f->layer[1], f->layer_len[1]);
	return buf;
}

static const char *diff_ids_of(const struct fixture *f, char *buf, size_t size)
{
	snprintf(buf, size, "\"%s\",\"%s\"", f->layer[0], f->layer[1]);
	return buf;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char buf[1024];

	f->top = unit_tmpdir(f->path);
	f->store = open_dir(f->top, "store");
	f->layout = open_dir(f->top, "layout");
	f->name = "test:1";
	close(open_dir(f->layout, "blobs"));
	close(open_dir(f->layout, "blobs/sha256"));
	put_layer(f, 0, "one");
	put_layer(f, 1, "two");
	put_config(f, host(), diff_ids_of(f, buf, sizeof(buf)));
	put_manifest(f, layers_of(f, buf, sizeof(buf)));
	put_index(f, descriptor(f, "", buf, sizeof(buf)));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sb_loaded_list_done(&f->loaded);
	close(f->layout);
	close(f->store);
	close(f->top);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

static int load_from(struct fixture *f, int source_fd)
{
	struct sb_publish p = SB_PUBLISH_INIT;
	const struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;
	struct sb_load load = { .source_fd = source_fd, .name = f->name, .limits = &limits };
	int r;

	sb_loaded_list_done(&f->loaded);
	assert_int_equal(sb_publish_begin(f->store, &p, &f->err), 0);
	sb_platform_host(&load.platform);
	load.stage_dirfd = p.stage.dirfd;
	load.layers_dirfd = p.layers_dirfd;
	r = sb_load_run(&load, &f->loaded, &f->err);
	if (r == 0)
		r = sb_publish_layers(&p, &f->err);
	if (r == 0)
		r = sb_publish_images(&p, f->loaded.v, f->loaded.n, &f->err);
	sb_publish_end(&p);
	return r;
}

static size_t count(struct fixture *f, const char *dir)
{
	int fd = openat(f->store, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void expect_loaded(struct fixture *f, int source_fd)
{
	if (load_from(f, source_fd) < 0)
		fail_msg("%s", f->err.msg);
	assert_int_equal(count(f, "tmp"), 0);
}

static void expect_refused(struct fixture *f, int source_fd, const char *word)
{
	if (load_from(f, source_fd) == 0)
		fail_msg("loaded instead of a refusal with '%s'", word);
	if (!strstr(f->err.msg, word))
		fail_msg("'%s' instead of '%s'", f->err.msg, word);
	assert_int_equal(count(f, "tmp"), 0);
	assert_int_equal(count(f, "refs"), 0);
	assert_int_equal(count(f, "layers"), 0);
	assert_int_equal(count(f, "blobs"), 0);
}

/* The layout as a tar; the caller closes it. With manifest.json if @docker, else index.json. */
static int make_archive(struct fixture *f, const char *docker)
{
	const char *digests[] = { f->layer[0], f->layer[1], f->config, f->manifest };
	struct tarball t = { .len = 0 };
	int fd;

	for (size_t i = 0; i < SB_ARRAY_SIZE(digests); i++) {
		char name[100], *text;
		size_t len;

		snprintf(name, sizeof(name), "blobs/sha256/%s", digests[i] + 7);
		assert_int_equal(sb_read_at(f->layout, name, 1 << 20, &text, &len, &f->err), 0);
		tarball_add(&t, &(struct tarent){ .name = name, .body = text, .body_len = len });
		free(text);
	}
	if (docker) {
		tarball_add(&t, &(struct tarent){ .name = "manifest.json", .body = docker });
	} else {
		char *text;

		assert_int_equal(sb_read_at(f->layout, "index.json", 1 << 20, &text, NULL, &f->err),
				 0);
		tarball_add(&t, &(struct tarent){ .name = "./index.json", .body = text });
		free(text);
	}
	tarball_end(&t);
	fd = openat(f->top, "archive", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(sb_write_all(fd, t.data, t.len), 0);
	free(t.data);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void a_layout_becomes_an_image(void **state)
{
	struct fixture *f = *state;
	struct sb_image image = SB_IMAGE_INIT;
	char path[256], *text;
	struct stat st;

	expect_loaded(f, f->layout);
	assert_int_equal(f->loaded.n, 1);
	assert_string_equal(f->loaded.v[0].reference, "docker.io/library/test:1");
	assert_string_equal(f->loaded.v[0].digest, f->manifest);
	assert_int_equal(f->loaded.v[0].layers, 2);
	assert_int_equal(f->loaded.v[0].size_bytes, 6);

	assert_int_equal(sb_image_open(f->store, "test:1", &image, &f->err), 0);
	assert_string_equal(image.reference, "docker.io/library/test:1");
	assert_string_equal(image.digest, f->manifest);
	assert_int_equal(image.created_ms, 1717200000000);
	assert_int_equal(image.env.n, 2);
	assert_string_equal(image.env.v[0], "A=2");
	assert_string_equal(image.env.v[1], "B=");
	assert_string_equal(image.entrypoint.v[0], "/e");
	assert_int_equal(image.cmd.n, 2);
	assert_string_equal(image.working_dir, "/w");
	assert_string_equal(image.user, "app");
	assert_string_equal(image.stop_signal, "SIGINT");
	assert_string_equal(image.exposed_ports.v[0], "80/tcp");
	assert_int_equal(image.layers.n, 2);
	snprintf(path, sizeof(path), "layers/%s/one", image.layers.v[0]);
	assert_int_equal(sb_read_at(f->store, path, 10, &text, NULL, &f->err), 0);
	assert_string_equal(text, "one");
	free(text);
	assert_int_equal(fstatat(f->store, "layers", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	sb_image_done(&image);
}

static void images_are_found_by_name_digest_and_prefix(void **state)
{
	struct fixture *f = *state;
	struct sb_image image = SB_IMAGE_INIT;
	char prefix[SB_DIGEST_SIZE];
	char buf[1024], other[SB_DIGEST_SIZE];

	assert_int_equal(sb_image_open(f->store, "test:1", &image, &f->err), -ENOENT);
	expect_loaded(f, f->layout);
	assert_int_equal(sb_image_open(f->store, "test", &image, &f->err), -ENOENT);
	assert_non_null(strstr(f->err.hint, "sbrun load"));
	assert_int_equal(sb_image_open(f->store, "UPPER", &image, &f->err), -EINVAL);
	assert_int_equal(sb_image_open(f->store, "docker.io/library/test:1", &image, &f->err), 0);
	sb_image_done(&image);
	assert_int_equal(sb_image_open(f->store, f->manifest, &image, &f->err), 0);
	assert_null(image.reference);
	sb_image_done(&image);
	snprintf(prefix, sizeof(prefix), "%s", f->manifest + 7);
	assert_int_equal(sb_image_open(f->store, prefix, &image, &f->err), 0);
	sb_image_done(&image);
	prefix[4] = '\0';
	assert_int_equal(sb_image_open(f->store, prefix, &image, &f->err), 0);
	sb_image_done(&image);
	prefix[3] = '\0';
	assert_int_equal(sb_image_open(f->store, prefix, &image, &f->err), -ENOENT);
	/* docker's image id. */
	assert_int_equal(sb_image_open(f->store, f->config, &image, &f->err), 0);
	assert_string_equal(image.digest, f->manifest);
	sb_image_done(&image);

	/* A second image whose digest begins alike: made up, for a reference is just a file. */
	memcpy(other, f->manifest, sizeof(other));
	other[SB_DIGEST_LEN - 1] = other[SB_DIGEST_LEN - 1] == '0' ? '1' : '0';
	snprintf(buf, sizeof(buf), "%s\n", other);
	unit_write(f->store, "refs/docker.io%2Flibrary%2Fother:1", buf);
	snprintf(prefix, sizeof(prefix), "%.4s", f->manifest + 7);
	assert_int_equal(sb_image_open(f->store, prefix, &image, &f->err), -EINVAL);
	assert_non_null(strstr(f->err.msg, "ambiguous"));
}

static void the_list_is_sorted_and_knows_sizes(void **state)
{
	struct fixture *f = *state;
	struct sb_image_list list = SB_IMAGE_LIST_INIT;

	assert_int_equal(sb_images_list(f->store, &list, &f->err), 0);
	assert_int_equal(list.n, 0);
	sb_images_list_done(&list);
	f->name = "z/z";
	expect_loaded(f, f->layout);
	f->name = "[::1]:5000/a";
	expect_loaded(f, f->layout);
	assert_int_equal(sb_images_list(f->store, &list, &f->err), 0);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.v[0].reference, "[::1]:5000/a:latest");
	assert_string_equal(list.v[1].reference, "docker.io/z/z:latest");
	assert_int_equal(list.v[0].size_bytes, 6);
	assert_int_equal(list.v[0].created_ms, 1717200000000);
	sb_images_list_done(&list);
}

static void a_layer_that_occurs_twice_is_mounted_once(void **state)
{
	struct fixture *f = *state;
	struct sb_image image = SB_IMAGE_INIT;
	char buf[1024], text[1024];

	/* one, two, one */
	snprintf(buf, sizeof(buf), "\"%s\",\"%s\",\"%s\"", f->layer[0], f->layer[1], f->layer[0]);
	put_config(f, host(), buf);
	snprintf(text, sizeof(text),
		 ",\"layers\":[{\"mediaType\":\"" LAYER "\",\"digest\":\"%s\",\"size\":%zu},"
		 "{\"mediaType\":\"" LAYER "\",\"digest\":\"%s\",\"size\":%zu},"
		 "{\"mediaType\":\"" LAYER "\",\"digest\":\"%s\",\"size\":%zu}]",
		 f->layer[0], f->layer_len[0], f->layer[1], f->layer_len[1], f->layer[0],
		 f->layer_len[0]);
	put_manifest(f, text);
	put_index(f, descriptor(f, "", buf, sizeof(buf)));
	expect_loaded(f, f->layout);
	assert_int_equal(sb_image_open(f->store, "test:1", &image, &f->err), 0);
	assert_int_equal(image.layers.n, 2);
	sb_digest_file_name(f->layer[1], buf);
	assert_string_equal(image.layers.v[0], buf);
	sb_digest_file_name(f->layer[0], buf);
	assert_string_equal(image.layers.v[1], buf);
	sb_image_done(&image);
}

static void an_archive_can_be_a_file_or_a_pipe(void **state)
{
	struct fixture *f = *state;
	_cleanup_fd_ int fd = make_archive(f, NULL);
	int ends[2];
	char buf[20000];
	ssize_t n;

	expect_loaded(f, fd);
	assert_string_equal(f->loaded.v[0].digest, f->manifest);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	n = pread(fd, buf, sizeof(buf), 0);
	assert_true(n > 0 && n < 20000);
	assert_int_equal(write(ends[1], buf, (size_t)n), n);
	close(ends[1]);
	f->name = "piped";
	expect_loaded(f, ends[0]);
	close(ends[0]);
	assert_string_equal(f->loaded.v[0].reference, "docker.io/library/piped:latest");
}

static void a_docker_archive_gets_a_manifest(void **state)
{
	struct fixture *f = *state;
	struct sb_image image = SB_IMAGE_INIT;
	char text[1024];
	int fd;

	snprintf(text, sizeof(text),
		 "[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"a/b:1\",\"c\"],\"Layers\":"
		 "[\"blobs/sha256/%s\",\"blobs/sha256/%s\"]}]",
		 f->config + 7, f->layer[0] + 7, f->layer[1] + 7);
	fd = make_archive(f, text);
	f->name = NULL;
	expect_loaded(f, fd);
	close(fd);
	assert_int_equal(f->loaded.n, 2);
	assert_string_equal(f->loaded.v[0].reference, "docker.io/a/b:1");
	assert_string_equal(f->loaded.v[1].reference, "docker.io/library/c:latest");
	assert_int_equal(sb_image_open(f->store, "c", &image, &f->err), 0);
	assert_int_equal(image.layers.n, 2);
	assert_string_equal(image.digest, f->loaded.v[0].digest);
	assert_int_equal(image.size_bytes, f->config_len + f->layer_len[0] + f->layer_len[1]);
	sb_image_done(&image);
}

static void a_docker_archive_is_verified(void **state)
{
	struct fixture *f = *state;
	char text[1024], zeros[65] = "";
	int fd;

	memset(zeros, '0', 64);
	snprintf(text, sizeof(text),
		 "[{\"Config\":\"blobs/sha256/%s\",\"Layers\":"
		 "[\"blobs/sha256/%s\",\"blobs/sha256/%s\"]}]",
		 f->config + 7, f->layer[1] + 7, f->layer[0] + 7);
	fd = make_archive(f, text);
	expect_refused(f, fd, "the uncompressed layer has digest");
	f->name = NULL;
	expect_refused(f, fd, "has no name");
	assert_non_null(strstr(f->err.hint, "--name"));
	close(fd);
	f->name = "x";
	snprintf(text, sizeof(text), "[{\"Config\":\"../%s\",\"Layers\":[\"/etc/passwd\",\"..\"]}]",
		 f->config + 7);
	fd = make_archive(f, text);
	expect_refused(f, fd, "lacks the file");
	close(fd);
	snprintf(text, sizeof(text), "[{\"Config\":\"blobs/sha256/%s\",\"Layers\":[\"a\"]}]",
		 f->config + 7);
	fd = make_archive(f, text);
	expect_refused(f, fd, "has 1 layers, its config lists 2");
	close(fd);
}

static void names_come_from_annotations(void **state)
{
	struct fixture *f = *state;
	char buf[1024];

	f->name = NULL;
	expect_refused(f, f->layout, "has no name");
	put_index(f,
		  descriptor(f, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"3.12\"}",
			     buf, sizeof(buf)));
	expect_refused(f, f->layout, "no full name, only '3.12'");
	put_index(f,
		  descriptor(f,
			     ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"a/b:3\"}",
			     buf, sizeof(buf)));
	expect_loaded(f, f->layout);
	assert_string_equal(f->loaded.v[0].reference, "docker.io/a/b:3");
}

static void the_image_for_this_machine_is_chosen(void **state)
{
	struct fixture *f = *state;
	char mine[1024], index[3000], right[200];
	char digest[SB_DIGEST_SIZE];
	size_t len;

	snprintf(right, sizeof(right), ",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}",
		 host());
	descriptor(f, right, mine, sizeof(mine));
	len = (size_t)snprintf(
		index, sizeof(index),
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MANIFEST
		"\",\"digest\":\"sha256:00\",\"size\":1,\"platform\":{\"os\":\"unknown\","
		"\"architecture\":\"unknown\"}},{\"mediaType\":\"" MANIFEST
		"\",\"digest\":\"sha256:01\",\"size\":1,\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"vax\"}},{\"mediaType\":\"application/x-new\"},%s]}",
		mine);
	len = put_blob(f, index, len, digest);
	snprintf(mine, sizeof(mine), "{\"mediaType\":\"" INDEX "\",\"digest\":\"%s\",\"size\":%zu}",
		 digest, len);
	put_index(f, mine);
	expect_loaded(f, f->layout);
	assert_string_equal(f->loaded.v[0].digest, f->manifest);
}

static void images_for_other_machines_are_refused(void **state)
{
	struct fixture *f = *state;
	char buf[1024];

	put_index(f, descriptor(f, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"vax\"}", buf,
				sizeof(buf)));
	expect_refused(f, f->layout, "no image for linux/");
	put_config(f, "vax", diff_ids_of(f, buf, sizeof(buf)));
	put_manifest(f, layers_of(f, buf, sizeof(buf)));
	put_index(f, descriptor(f, "", buf, sizeof(buf)));
	expect_refused(f, f->layout, "is for linux/vax");
}

static void blobs_that_are_not_what_they_should_be_are_refused(void **state)
{
	struct fixture *f = *state;
	char buf[1024], name[100];

	/* A layer with one more byte, then with another byte. */
	snprintf(name, sizeof(name), "blobs/sha256/%s", f->layer[1] + 7);
	{
		int fd = openat(f->layout, name, O_RDWR | O_CLOEXEC);

		assert_int_equal(pwrite(fd, "", 1, (off_t)f->layer_len[1]), 1);
		expect_refused(f, f->layout, "bytes, not");
		assert_int_equal(ftruncate(fd, (off_t)f->layer_len[1]), 0);
		assert_int_equal(pwrite(fd, "x", 1, 512), 1);
		expect_refused(f, f->layout, "has digest");
		close(fd);
	}
	put_layer(f, 1, "two");
	unlinkat(f->layout, name, 0);
	expect_refused(f, f->layout, "lacks the file");
	put_layer(f, 1, "two");
	/* diff_ids the wrong way round, one too many, none. */
	snprintf(buf, sizeof(buf), "\"%s\",\"%s\"", f->layer[1], f->layer[0]);
	for (int i = 0; i < 3; i++) {
		char list[1024];

		put_config(f, host(), buf);
		put_manifest(f, layers_of(f, list, sizeof(list)));
		put_index(f, descriptor(f, "", list, sizeof(list)));
		expect_refused(f, f->layout,
			       i == 0 ? "its digest must be its diff_id" : "its config lists");
		snprintf(buf, sizeof(buf), "\"%s\"", f->layer[0]);
		if (i == 1)
			buf[0] = '\0';
	}
}

static void a_config_that_was_tampered_with_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *digests[] = { f->config, f->manifest };

	for (size_t i = 0; i < SB_ARRAY_SIZE(digests); i++) {
		char name[100], byte;
		int fd;

		snprintf(name, sizeof(name), "blobs/sha256/%s", digests[i] + 7);
		fd = openat(f->layout, name, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &byte, 1, 0), 1);
		assert_int_equal(pwrite(fd, " ", 1, 0), 1);
		expect_refused(f, f->layout, i == 0 ? "config has digest" : "manifest has digest");
		assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
		close(fd);
	}
}

static void ambiguous_manifests_are_refused(void **state)
{
	static const struct {
		const char *extra, *word;
	} rows[] = {
		{ ",\"manifests\":[]", "keys of another document" },
		{ ",\"Layers\":[]", "has the key 'Layers'" },
		{ ",\"schemaVersion\":2", "duplicate" },
		{ "", "no list of layers" },
		{ ",\"layers\":[{\"mediaType\":\"" LAYER "+xz\",\"size\":1,\"digest\":\"sha256:"
		  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]",
		  "layer.v1.tar+xz' are not supported" },
		{ ",\"layers\":[{\"mediaType\":\"" LAYER
		  "\",\"size\":1,\"digest\":\"sha256:../../x\"}]",
		  "not 64 hex digits" },
		{ ",\"layers\":[{\"mediaType\":\"" LAYER "\",\"size\":-1,\"digest\":\"sha256:"
		  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]",
		  "no valid size" },
	};
	struct fixture *f = *state;
	char buf[1024];

	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		put_manifest(f, rows[i].extra);
		put_index(f, descriptor(f, "", buf, sizeof(buf)));
		expect_refused(f, f->layout, rows[i].word);
	}
	put_index(f, "");
	expect_refused(f, f->layout, "holds no image");
	put_index(f, "{}");
	expect_refused(f, f->layout, "'mediaType' is missing");
}

static void leftovers_of_the_dead_are_swept_those_of_the_living_not(void **state)
{
	struct fixture *f = *state;
	int living;

	expect_loaded(f, f->layout);
	close(open_dir(f->store, "tmp/load-1-0"));
	close(open_dir(f->store, "tmp/load-1-0/sub"));
	unit_write(f->store, "tmp/file", "x");
	living = open_dir(f->store, "tmp/load-2-0");
	assert_int_equal(flock(living, LOCK_EX), 0);
	assert_int_equal(load_from(f, f->layout), 0);
	assert_int_equal(faccessat(f->store, "tmp/load-1-0", F_OK, 0), -1);
	assert_int_equal(faccessat(f->store, "tmp/file", F_OK, 0), -1);
	assert_int_equal(faccessat(f->store, "tmp/load-2-0", F_OK, 0), 0);
	close(living);
	assert_int_equal(load_from(f, f->layout), 0);
	assert_int_equal(count(f, "tmp"), 0);
}

static void a_name_that_moves_on_leaves_the_old_image(void **state)
{
	struct fixture *f = *state;
	struct sb_image image = SB_IMAGE_INIT;
	char buf[1024], old[SB_DIGEST_SIZE];

	expect_loaded(f, f->layout);
	memcpy(old, f->manifest, sizeof(old));
	put_layer(f, 1, "three");
	put_config(f, host(), diff_ids_of(f, buf, sizeof(buf)));
	put_manifest(f, layers_of(f, buf, sizeof(buf)));
	put_index(f, descriptor(f, "", buf, sizeof(buf)));
	expect_loaded(f, f->layout);
	assert_int_equal(sb_image_open(f->store, "test:1", &image, &f->err), 0);
	assert_string_equal(image.digest, f->manifest);
	sb_image_done(&image);
	assert_int_equal(sb_image_open(f->store, old, &image, &f->err), 0);
	sb_image_done(&image);
}

int main(void)
{
#define LOAD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		LOAD_TEST(a_layout_becomes_an_image),
		LOAD_TEST(images_are_found_by_name_digest_and_prefix),
		LOAD_TEST(the_list_is_sorted_and_knows_sizes),
		LOAD_TEST(a_layer_that_occurs_twice_is_mounted_once),
		LOAD_TEST(an_archive_can_be_a_file_or_a_pipe),
		LOAD_TEST(a_docker_archive_gets_a_manifest),
		LOAD_TEST(a_docker_archive_is_verified),
		LOAD_TEST(names_come_from_annotations),
		LOAD_TEST(the_image_for_this_machine_is_chosen),
		LOAD_TEST(images_for_other_machines_are_refused),
		LOAD_TEST(blobs_that_are_not_what_they_should_be_are_refused),
		LOAD_TEST(a_config_that_was_tampered_with_is_refused),
		LOAD_TEST(ambiguous_manifests_are_refused),
		LOAD_TEST(leftovers_of_the_dead_are_swept_those_of_the_living_not),
		LOAD_TEST(a_name_that_moves_on_leaves_the_old_image),
	};

	unit_need_root();
	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
