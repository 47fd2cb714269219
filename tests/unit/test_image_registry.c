/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_registry.c - the registry client against a server that behaves, and one that does not
 */
#include "images/registry.h"

#include "tests/unit/http_bed.h"
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "images/hash.h"
#include "images/reference.h"
#include "images/retry.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define OCI_TYPE "application/vnd.oci.image.manifest.v1+json"
#define BODY     "{\"schemaVersion\":2}"
#define BLOB     "0123456789abcdefghijklmnopqrstuvwxyz"
#define BLOB_LEN 36

/* What the hooks were told. */
struct heard {
	char text[1024];
	int notices;
	bool cancel;
};

static void on_notice(void *ctx, const char *text)
{
	struct heard *h = ctx;

	h->notices++;
	snprintf(h->text, sizeof(h->text), "%s", text);
}

static bool on_cancelled(void *ctx)
{
	return ((struct heard *)ctx)->cancel;
}

/* A client for "<host>/lib/app" at the given hosts. */
static struct sb_registry *client(const struct sb_registry_host *hosts, size_t n,
				  struct heard *heard)
{
	const struct sb_registry_hooks hooks = { .notice = on_notice,
						 .cancelled = on_cancelled,
						 .ctx = heard };
	struct sb_image_ref ref = { .tag = "v1" };
	struct sb_err err = SB_ERR_INIT;
	struct sb_registry *reg;

	snprintf(ref.name, sizeof(ref.name), "%s/lib/app", hosts[n - 1].host);
	reg = sb_registry_new(&ref, hosts, n, &hooks, &err);
	assert_non_null(reg);
	return reg;
}

static struct sb_registry_host plain(const char *host)
{
	return (struct sb_registry_host){ .host = host, .prefix = "", .plain_allowed = true };
}

static int get(const struct sb_registry_host *hosts, size_t n, const char *what,
	       struct heard *heard, struct sb_err *err)
{
	struct sb_registry *reg = client(hosts, n, heard);
	struct sb_registry_manifest m = { .data = NULL };
	int r = sb_registry_get_manifest(reg, what, &m, err);

	sb_registry_manifest_done(&m);
	sb_registry_free(reg);
	return r;
}

/* ---- manifests ----------------------------------------------------------------------------------
 */

static void answer_manifest(struct bed *bed, int conn, const char *request, int n)
{
	(void)n;
	(void)request;
	bed_answer(conn, "200 OK",
		   bed->ctx ? bed->ctx : "Content-Type: " OCI_TYPE "; charset=x\r\n", BODY);
}

static void a_manifest_comes_with_its_type_and_computed_digest(void **state)
{
	struct bed *bed = bed_start(answer_manifest, NULL);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_registry *reg = client(&host, 1, &heard);
	struct sb_registry_manifest m = { .data = NULL };
	struct sb_err err = SB_ERR_INIT;
	char digest[SB_DIGEST_SIZE];

	(void)state;
	assert_int_equal(sb_hash_buffer(BODY, strlen(BODY), digest, &err), 0);
	assert_int_equal(sb_registry_get_manifest(reg, "v1", &m, &err), 0);
	assert_string_equal(m.data, BODY);
	assert_int_equal(m.len, strlen(BODY));
	assert_string_equal(m.type, OCI_TYPE);
	assert_string_equal(m.digest, digest);
	sb_registry_manifest_done(&m);
	/* TLS was tried, once; that nobody speaks it here is remembered. */
	assert_int_equal(sb_registry_get_manifest(reg, digest, &m, &err), 0);
	assert_int_equal(bed->tls_hellos, 1);
	assert_true(bed_was_told(bed, 0, "GET /v2/lib/app/manifests/v1 HTTP/1.1\r\n"));
	assert_true(bed_was_told(bed, 0, "Accept: " OCI_TYPE ", "));
	assert_true(bed_was_told(bed, 0, "application/vnd.docker.distribution.manifest.list.v2"));
	assert_true(bed_was_told(bed, 0, "User-Agent: sbrun/"));
	assert_true(bed_was_told(bed, 1, digest));
	sb_registry_manifest_done(&m);
	sb_registry_free(reg);
	bed_stop(bed);
}

static void content_that_is_not_of_the_digest_is_refused(void **state)
{
	static const char other[] =
		"sha256:"
		"0000000000000000000000000000000000000000000000000000000000000000";
	char header[] = "Docker-Content-Digest: "
			"sha256:0000000000000000000000000000000000000000000000000000000000000000"
			"\r\n";
	struct bed *bed = bed_start(answer_manifest, NULL);
	struct bed *liar = bed_start(answer_manifest, header);
	struct sb_registry_host honest_last[] = { plain(liar->host), plain(bed->host) };
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(get(&honest_last[1], 1, other, &heard, &err), -EBADMSG);
	assert_int_equal(get(&honest_last[0], 1, "v1", &heard, &err), -EBADMSG);
	/* Wrong content of a mirror is not passed over in silence. */
	honest_last[0].ns = "upstream";
	assert_int_equal(get(honest_last, 2, "v1", &heard, &err), -EBADMSG);
	bed_stop(bed);
	bed_stop(liar);
}

static void answer_endless(struct bed *bed, int conn, const char *request, int n)
{
	char block[8192];

	(void)bed;
	(void)request;
	(void)n;
	memset(block, 'x', sizeof(block));
	bed_say(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	while (send(conn, block, sizeof(block), MSG_NOSIGNAL) > 0)
		;
}

static void a_manifest_without_end_is_refused(void **state)
{
	struct bed *bed = bed_start(answer_endless, NULL);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EMSGSIZE);
	assert_non_null(strstr(err.msg, "4194304 bytes"));
	bed_stop(bed);
}

static void answer_head(struct bed *bed, int conn, const char *request, int n)
{
	(void)n;
	if (!strncmp(request, "HEAD", 4))
		bed_say(conn,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 19\r\n%s\r\n",
			(const char *)bed->ctx);
	else
		bed_answer(conn, "200 OK", "", BODY);
}

static void a_head_gives_the_digest_or_else_a_get_does(void **state)
{
	char header[SB_DIGEST_SIZE + 40], empty[] = "", digest[SB_DIGEST_SIZE], got[SB_DIGEST_SIZE];
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(sb_hash_buffer(BODY, strlen(BODY), digest, &err), 0);
	snprintf(header, sizeof(header), "docker-content-digest: %s\r\n", digest);
	for (int with = 0; with < 2; with++) {
		struct bed *bed = bed_start(answer_head, with ? header : empty);
		struct sb_registry_host host = plain(bed->host);
		struct sb_registry *reg = client(&host, 1, &heard);

		assert_int_equal(sb_registry_head_manifest(reg, "v1", got, &err), 0);
		assert_string_equal(got, digest);
		assert_int_equal(bed->n_requests, with ? 1 : 2);
		sb_registry_free(reg);
		bed_stop(bed);
	}
}

/* ---- authentication -----------------------------------------------------------------------------
 */

/* A registry that wants tokens, and its token server; accepts "Bearer secret-<tokens given>". */
struct token_server {
	int given;
	bool no_post;
	bool no_anonymous;
	char basic[64];
};

static void answer_with_tokens(struct bed *bed, int conn, const char *request, int n)
{
	struct token_server *t = bed->ctx;
	char header[256], want[64];

	(void)n;
	if (strstr(request, " /token")) {
		bool post = !strncmp(request, "POST", 4);

		if (post && t->no_post) {
			bed_answer(conn, "404 Not Found", "", "");
		} else if (!post && ((t->basic[0] && !strstr(request, t->basic)) ||
				     (t->no_anonymous && !strstr(request, "Authorization")))) {
			bed_answer(conn, "401 Unauthorized", "", "");
		} else {
			snprintf(header, sizeof(header),
				 "{\"%s\":\"secret-%d\",\"expires_in\":300}",
				 post ? "access_token" : "token", ++t->given);
			bed_answer(conn, "200 OK", "", header);
		}
		return;
	}
	snprintf(want, sizeof(want), "Authorization: Bearer secret-%d\r\n", t->given);
	if (t->given > 0 && strstr(request, want)) {
		bed_answer(conn, "200 OK", "", BODY);
		return;
	}
	snprintf(header, sizeof(header),
		 "WWW-Authenticate: Basic realm=\"x\"\r\n"
		 "WWW-Authenticate: Bearer realm=\"http://%s/token?a=b\",service=\"the registry\","
		 "scope=\"repository:lib/app:pull,push\"\r\n",
		 bed->host);
	bed_answer(conn, "401 Unauthorized", header, "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}");
}

static void a_token_is_got_once_and_again_when_it_is_refused(void **state)
{
	struct token_server t = { .basic = "Authorization: Basic dXNlcjpwYTpzcw==\r\n" };
	struct bed *bed = bed_start(answer_with_tokens, &t);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_registry_manifest m = { .data = NULL };
	struct sb_err err = SB_ERR_INIT;
	struct sb_registry *reg;

	(void)state;
	host.username = "user";
	host.password = "pa:ss";
	reg = client(&host, 1, &heard);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sb_registry_get_manifest(reg, "v1", &m, &err), 0);
		sb_registry_manifest_done(&m);
	}
	assert_int_equal(t.given, 1);
	assert_int_equal(bed->n_requests, 4); /* 401, token, manifest, manifest */
	/* What is asked for is our own wish, not what the registry suggests. */
	assert_true(bed_was_told(bed, 1,
				 "GET /token?a=b&service=the%20registry&"
				 "scope=repository%3Alib%2Fapp%3Apull HTTP/1.1\r\n"));
	t.given = 7; /* the registry has forgotten it */
	assert_int_equal(sb_registry_get_manifest(reg, "v1", &m, &err), 0);
	assert_int_equal(t.given, 8);
	sb_registry_manifest_done(&m);
	sb_registry_free(reg);
	bed_stop(bed);
}

static void an_identity_token_is_posted_or_else_sent_as_password(void **state)
{
	for (int no_post = 0; no_post < 2; no_post++) {
		struct token_server t = { .no_post = no_post };
		struct bed *bed = bed_start(answer_with_tokens, &t);
		struct sb_registry_host host = plain(bed->host);
		struct heard heard = { .notices = 0 };
		struct sb_err err = SB_ERR_INIT;

		(void)state;
		host.identity_token = "id&token";
		assert_int_equal(get(&host, 1, "v1", &heard, &err), 0);
		assert_true(bed_was_told(bed, 1, "POST /token?a=b HTTP/1.1\r\n"));
		assert_true(bed_was_told(bed, 1, "grant_type=refresh_token&client_id=sbrun&"));
		assert_true(bed_was_told(bed, 1, "&refresh_token=id%26token"));
		if (no_post) /* ":id&token" */
			assert_true(bed_was_told(bed, 2, "Basic OmlkJnRva2Vu\r\n"));
		bed_stop(bed);
	}
}

static void without_credentials_a_refusal_names_the_login(void **state)
{
	struct token_server t = { .no_anonymous = true };
	struct bed *bed = bed_start(answer_with_tokens, &t);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;
	char expect[128];

	(void)state;
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EACCES);
	snprintf(expect, sizeof(expect), "'%s' has no image '%s/lib/app:v1', or wants a login",
		 bed->host, bed->host);
	assert_string_equal(err.msg, expect);
	assert_non_null(strstr(err.hint, "sbrun login [::1]:"));
	/* With the wrong ones it says that. */
	snprintf(t.basic, sizeof(t.basic), "Basic right");
	host.username = "user";
	host.password = "wrong";
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EACCES);
	assert_non_null(strstr(err.msg, "does not accept the credentials"));
	assert_null(strstr(err.msg, "wrong"));
	host.source = "/home/x/.docker/config.json";
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EACCES);
	assert_non_null(strstr(err.msg, "for it from '/home/x/.docker/config.json'"));
	bed_stop(bed);
}

static void answer_strangers(struct bed *bed, int conn, const char *request, int n)
{
	(void)bed;
	(void)request;
	(void)n;
	bed_answer(conn, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
}

static void a_registry_that_lets_nobody_in_wants_a_login(void **state)
{
	struct bed *bed = bed_start(answer_strangers, NULL);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;
	char expect[128];

	(void)state;
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EACCES);
	snprintf(expect, sizeof(expect), "'%s' wants a login for image '%s/lib/app:v1'", bed->host,
		 bed->host);
	assert_string_equal(err.msg, expect);
	assert_non_null(strstr(err.hint, "sbrun login [::1]:"));
	bed_stop(bed);
}

static void *get_in_thread(void *arg)
{
	struct sb_registry_manifest m = { .data = NULL };
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(sb_registry_get_manifest(arg, "v1", &m, &err), 0);
	sb_registry_manifest_done(&m);
	return NULL;
}

static void threads_share_one_token(void **state)
{
	struct token_server t = { .given = 0 };
	struct bed *bed = bed_start(answer_with_tokens, &t);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_registry *reg = client(&host, 1, &heard);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, reg), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(t.given, 1);
	sb_registry_free(reg);
	bed_stop(bed);
}

static void answer_basic(struct bed *bed, int conn, const char *request, int n)
{
	(void)bed;
	(void)n;
	if (strstr(request, "Authorization: Basic dTpw\r\n"))
		bed_answer(conn, "200 OK", "", "{}");
	else
		bed_answer(conn, "401 Unauthorized", "www-authenticate: basic realm=x\r\n", "");
}

static void basic_credentials_are_shown_only_when_asked_for(void **state)
{
	struct bed *bed = bed_start(answer_basic, NULL);
	struct sb_registry_host host = plain(bed->host);
	struct sb_err err = SB_ERR_INIT;
	struct sb_registry *reg;

	(void)state;
	host.username = "u";
	host.password = "p";
	reg = sb_registry_new(NULL, &host, 1, NULL, &err);
	assert_non_null(reg);
	assert_int_equal(sb_registry_ping(reg, &err), 0);
	assert_true(bed_was_told(bed, 0, "GET /v2/ HTTP/1.1\r\n"));
	assert_false(bed_was_told(bed, 0, "Authorization"));
	assert_true(bed_was_told(bed, 1, "Authorization"));
	sb_registry_free(reg);
	host.password = "q";
	reg = sb_registry_new(NULL, &host, 1, NULL, &err);
	assert_int_equal(sb_registry_ping(reg, &err), -EACCES);
	sb_registry_free(reg);
	bed_stop(bed);
}

/* ---- blobs --------------------------------------------------------------------------------------
 */

/* A file that a blob goes to, and what progress() said. */
struct sink {
	int fd;
	uint64_t last;
	bool went_back;
};

static void on_progress(void *ctx, uint64_t have)
{
	struct sink *s = ctx;

	s->went_back |= have < s->last;
	s->last = have;
}

/* Get BLOB from @host with @have bytes of it there; what is written is returned. */
static int fetch(const struct sb_registry_host *host, uint64_t have, char ret[BLOB_LEN + 8],
		 struct heard *heard, struct sb_err *err)
{
	char path[32], digest[SB_DIGEST_SIZE];
	int dir = unit_tmpdir(path);
	struct sink sink = { .fd = openat(dir, "blob", O_RDWR | O_CREAT | O_CLOEXEC, 0600) };
	struct sb_registry *reg = client(host, 1, heard);
	struct sb_registry_blob blob = { .digest = digest,
					 .size = BLOB_LEN,
					 .fd = sink.fd,
					 .have = have,
					 .progress = on_progress,
					 .ctx = &sink };
	ssize_t n;
	int r;

	assert_int_equal(sb_hash_buffer(BLOB, BLOB_LEN, digest, err), 0);
	assert_int_equal(pwrite(sink.fd, BLOB, have, 0), have);
	r = sb_registry_get_blob(reg, &blob, err);
	n = pread(sink.fd, ret, BLOB_LEN + 8, 0);
	assert_in_range(n, 0, BLOB_LEN);
	ret[n] = '\0';
	assert_false(sink.went_back);
	close(sink.fd);
	close(dir);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, path), 0);
	sb_registry_free(reg);
	return r;
}

enum server_kind { RESUMES, IGNORES_RANGES, REFUSES_RANGES, BREAKS_OFF, OTHER_RANGE };

static void answer_blob(struct bed *bed, int conn, const char *request, int n)
{
	const char *range = strstr(request, "Range: bytes=");
	size_t from = range ? strtoul(range + 13, NULL, 10) : 0;
	enum server_kind kind = *(enum server_kind *)bed->ctx;
	char headers[128];

	(void)n;
	snprintf(headers, sizeof(headers), "Content-Range: bytes %zu-35/36\r\n",
		 from + (kind == OTHER_RANGE));
	if (kind == REFUSES_RANGES && range)
		bed_answer(conn, "416 Range Not Satisfiable", "", "");
	else if (kind == IGNORES_RANGES || !range)
		bed_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n%.*s",
			kind == BREAKS_OFF ? 10 : BLOB_LEN, BLOB);
	else if (kind == BREAKS_OFF)
		bed_say(conn, "HTTP/1.1 206 P\r\nContent-Length: %zu\r\n%s\r\n%.10s", 36 - from,
			headers, &BLOB[from]);
	else
		bed_answer(conn, "206 Partial Content", headers, &BLOB[from]);
}

static void a_blob_is_resumed_where_the_server_can(void **state)
{
	static const struct {
		enum server_kind kind;
		uint64_t have;
		int requests;
		int ret;
	} rows[] = {
		{ RESUMES, 0, 1, 0 },        { RESUMES, 5, 1, 0 },        { RESUMES, 36, 0, 0 },
		{ IGNORES_RANGES, 5, 1, 0 }, { REFUSES_RANGES, 5, 2, 0 }, { BREAKS_OFF, 0, 4, 0 },
		{ OTHER_RANGE, 5, 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		enum server_kind kind = rows[i].kind;
		struct bed *bed = bed_start(answer_blob, &kind);
		struct sb_registry_host host = plain(bed->host);
		struct heard heard = { .notices = 0 };
		struct sb_err err = SB_ERR_INIT;
		char got[BLOB_LEN + 8];

		assert_int_equal(fetch(&host, rows[i].have, got, &heard, &err), rows[i].ret);
		assert_int_equal(bed->n_requests, rows[i].requests);
		if (rows[i].ret == 0)
			assert_string_equal(got, BLOB);
		if (rows[i].have == 5)
			assert_true(bed_was_told(bed, 0, "Range: bytes=5-\r\n"));
		bed_stop(bed);
	}
}

static void answer_other_size(struct bed *bed, int conn, const char *request, int n)
{
	(void)request;
	(void)n;
	if (bed->ctx)
		bed_answer(conn, "200 OK", "", bed->ctx);
	else /* without a length, and too long */
		bed_say(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" BLOB BLOB);
}

static void a_blob_of_another_size_is_refused(void **state)
{
	char longer[] = BLOB "!", shorter[] = "short";
	void *ways[] = { longer, shorter, NULL };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(ways); i++) {
		struct bed *bed = bed_start(answer_other_size, ways[i]);
		struct sb_registry_host host = plain(bed->host);
		struct heard heard = { .notices = 0 };
		struct sb_err err = SB_ERR_INIT;
		char got[BLOB_LEN + 8];

		assert_int_equal(fetch(&host, 0, got, &heard, &err), -EBADMSG);
		assert_int_equal(bed->n_requests, 1); /* asking again would not help */
		bed_stop(bed);
	}
}

static void a_small_blob_is_verified(void **state)
{
	char wrong[] = "0123456789abcdefghijklmnopqrstuvwxyX", right[] = BLOB, longer[] = BLOB "!";
	const struct {
		char *body;
		int ret;
	} rows[] = { { right, 0 }, { wrong, -EBADMSG }, { longer, -EMSGSIZE } };
	char digest[SB_DIGEST_SIZE];
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(sb_hash_buffer(BLOB, BLOB_LEN, digest, &err), 0);
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct bed *bed = bed_start(answer_other_size, rows[i].body);
		struct sb_registry_host host = plain(bed->host);
		struct heard heard = { .notices = 0 };
		struct sb_registry *reg = client(&host, 1, &heard);
		_cleanup_free_ char *got = NULL;

		assert_int_equal(sb_registry_get_small_blob(reg, digest, BLOB_LEN, &got, &err),
				 rows[i].ret);
		if (rows[i].ret == 0)
			assert_string_equal(got, BLOB);
		sb_registry_free(reg);
		bed_stop(bed);
	}
}

/* ---- redirections -------------------------------------------------------------------------------
 */

static void answer_redirect(struct bed *bed, int conn, const char *request, int n)
{
	char header[128];

	(void)n;
	if (!strstr(request, "Authorization: ")) {
		bed_answer(conn, "401 Unauthorized", "WWW-Authenticate: Basic realm=x\r\n", "");
	} else if (strstr(request, "/again")) {
		snprintf(header, sizeof(header), "Location: http://%s/cdn?signature=x\r\n",
			 (const char *)bed->ctx);
		bed_answer(conn, "302 Found", header, "");
	} else {
		bed_answer(conn, "307 Temporary Redirect", "Location: /again\r\n", "ignored");
	}
}

static void credentials_stay_at_the_host_that_they_are_for(void **state)
{
	enum server_kind kind = RESUMES;
	struct bed *cdn = bed_start(answer_blob, &kind);
	struct bed *bed = bed_start(answer_redirect, cdn->host);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;
	char got[BLOB_LEN + 8];

	(void)state;
	host.username = "u";
	host.password = "p";
	assert_int_equal(fetch(&host, 5, got, &heard, &err), 0);
	assert_string_equal(got, BLOB);
	assert_true(bed_was_told(bed, 1, "Authorization: "));
	assert_true(bed_was_told(bed, 2, "GET /again "));
	assert_true(bed_was_told(bed, 2, "Authorization: ")); /* the same host */
	assert_int_equal(cdn->n_requests, 1);
	assert_true(bed_was_told(cdn, 0, "Range: bytes=5-\r\n"));
	assert_false(bed_was_told(cdn, 0, "Authorization"));
	bed_stop(bed);
	bed_stop(cdn);
}

static void answer_thief(struct bed *bed, int conn, const char *request, int n)
{
	char header[128];

	(void)request;
	(void)n;
	snprintf(header, sizeof(header), "WWW-Authenticate: Bearer realm=\"http://%s/t\"\r\n",
		 bed->host);
	bed_answer(conn, "401 Unauthorized", header, "");
}

static void a_challenge_of_another_host_gets_nothing(void **state)
{
	struct bed *thief = bed_start(answer_thief, NULL);
	struct bed *bed = bed_start(answer_redirect, thief->host);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;
	char got[BLOB_LEN + 8];

	(void)state;
	host.username = "u";
	host.password = "p";
	assert_int_equal(fetch(&host, 0, got, &heard, &err), -EACCES);
	assert_int_equal(thief->n_requests, 1);
	bed_stop(bed);
	bed_stop(thief);
}

static void answer_circle(struct bed *bed, int conn, const char *request, int n)
{
	(void)bed;
	(void)request;
	(void)n;
	bed_answer(conn, "302 Found", "Location: /more\r\n", "");
}

static void redirections_come_to_an_end(void **state)
{
	struct bed *bed = bed_start(answer_circle, NULL);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EPROTO);
	assert_int_equal(bed->n_requests, 6);
	bed_stop(bed);
}

/* ---- refusals, retries, mirrors -----------------------------------------------------------------
 */

static void answer_late(struct bed *bed, int conn, const char *request, int n)
{
	const char *const *headers = bed->ctx;

	(void)request;
	if (n == 0)
		bed_answer(conn, headers[0], headers[1], "{\"errors\":[{\"code\":\"X\\u001b\"}]}");
	else
		bed_answer(conn, "200 OK", "", BODY);
}

static void what_may_pass_is_tried_again(void **state)
{
	static const char *const rows[][2] = {
		{ "429 Too Many Requests", "Retry-After: 1\r\n" },
		{ "503 Service Unavailable", "" },
		{ "408 Request Timeout", "" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct bed *bed = bed_start(answer_late, (void *)rows[i]);
		struct sb_registry_host host = plain(bed->host);
		struct heard heard = { .notices = 0 };
		struct sb_err err = SB_ERR_INIT;

		assert_int_equal(get(&host, 1, "v1", &heard, &err), 0);
		assert_int_equal(bed->n_requests, 2);
		assert_int_equal(heard.notices, 1);
		assert_non_null(strstr(heard.text, "trying again in "));
		bed_stop(bed);
	}
}

static void what_does_not_pass_is_told_at_once(void **state)
{
	static const struct {
		const char *answer[2];
		int ret;
		const char *text;
	} rows[] = {
		{ { "429 Too Many Requests", "Retry-After: 3600\r\n" }, -EBUSY, "3600 s" },
		{ { "403 Forbidden", "" }, -EACCES, "denies access to image '" },
		{ { "404 Not Found", "" }, -ENOENT, "no image '" },
		{ { "501 Not Implemented", "" }, -EREMOTEIO, "status 501: X?" },
		{ { "402 Payment Required", "" }, -EPROTO, "status 402" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct bed *bed = bed_start(answer_late, (void *)rows[i].answer);
		struct sb_registry_host host = plain(bed->host);
		struct heard heard = { .notices = 0 };
		struct sb_err err = SB_ERR_INIT;

		assert_int_equal(get(&host, 1, "v1", &heard, &err), rows[i].ret);
		assert_non_null(strstr(err.msg, rows[i].text));
		assert_int_equal(bed->n_requests, 1);
		assert_int_equal(heard.notices, 0);
		bed_stop(bed);
	}
}

static void answer_status(struct bed *bed, int conn, const char *request, int n)
{
	(void)request;
	(void)n;
	bed_answer(conn, bed->ctx, "", "");
}

static void tries_come_to_an_end(void **state)
{
	char status[] = "502 Bad Gateway";
	struct bed *bed = bed_start(answer_status, status);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EREMOTEIO);
	assert_int_equal(bed->n_requests, SB_RETRY_TRIES);
	bed_stop(bed);
}

static void a_mirror_comes_first_and_the_registry_after_it(void **state)
{
	char missing[] = "404 Not Found";
	struct bed *mirror = bed_start(answer_status, missing);
	struct bed *bed = bed_start(answer_manifest, NULL);
	char name[sizeof(bed->host)];
	struct sb_registry_host hosts[] = { plain(mirror->host), plain(name) };
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	memcpy(name, bed->host, sizeof(name));
	hosts[0].ns = name;
	hosts[0].prefix = "proxy/hub";
	assert_int_equal(get(hosts, 2, "v1", &heard, &err), 0);
	assert_true(
		bed_was_told(mirror, 0, "GET /v2/proxy/hub/lib/app/manifests/v1?ns=%5B%3A%3A1"));
	assert_true(bed_was_told(bed, 0, "GET /v2/lib/app/manifests/v1 HTTP/1.1"));
	bed_stop(bed);
	/* Nobody has it: the registry's word is the error, the mirror's is mentioned. */
	assert_int_equal(get(hosts, 2, "v1", &heard, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.msg, "after mirror '[::1]:"));
	assert_non_null(strstr(err.msg, "' (has no such image)"));
	assert_non_null(strstr(err.msg, "connect to '[::1]:"));
	bed_stop(mirror);
}

static void answer_warning(struct bed *bed, int conn, const char *request, int n)
{
	(void)bed;
	(void)request;
	(void)n;
	bed_answer(conn, "200 OK", "Warning: 299 - \"going \x1b[31maway\" \"date\"\r\n", BODY);
}

static void a_warning_is_told_once(void **state)
{
	struct bed *bed = bed_start(answer_warning, NULL);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_registry *reg = client(&host, 1, &heard);
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sb_registry_manifest m = { .data = NULL };

		assert_int_equal(sb_registry_get_manifest(reg, "v1", &m, &err), 0);
		sb_registry_manifest_done(&m);
	}
	assert_int_equal(heard.notices, 1);
	assert_non_null(strstr(heard.text, "warns: going ?[31maway"));
	sb_registry_free(reg);
	bed_stop(bed);
}

static void answer_nothing(struct bed *bed, int conn, const char *request, int n)
{
	char c;

	(void)request;
	(void)n;
	((struct heard *)bed->ctx)->cancel = true;
	(void)recv(conn, &c, 1, 0); /* until the client closes */
}

static void a_request_can_be_cancelled(void **state)
{
	struct heard heard = { .notices = 0 };
	struct bed *bed = bed_start(answer_nothing, &heard);
	struct sb_registry_host host = plain(bed->host);
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -ECANCELED);
	bed_stop(bed);
}

static void plain_http_needs_permission(void **state)
{
	struct bed *bed = bed_start(answer_manifest, NULL);
	struct sb_registry_host host = plain(bed->host);
	struct heard heard = { .notices = 0 };
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	host.plain_allowed = false;
	assert_int_equal(get(&host, 1, "v1", &heard, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "does not speak TLS"));
	assert_non_null(strstr(err.hint, "insecure"));
	assert_int_equal(bed->n_requests, 0);
	bed_stop(bed);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	const int64_t now = INT64_C(784111777) * 1000; /* RFC 9110 section 5.6.7's example */

	(void)state;
	assert_int_equal(sb_retry_after_ms("120", now), 120000);
	assert_int_equal(sb_retry_after_ms("0", now), 0);
	assert_int_equal(sb_retry_after_ms("Sun, 06 Nov 1994 08:50:07 GMT", now), 30000);
	assert_int_equal(sb_retry_after_ms("Sun, 06 Nov 1994 08:00:00 GMT", now), 0);
	assert_int_equal(sb_retry_after_ms("", now), -1);
	assert_int_equal(sb_retry_after_ms("-5", now), -1);
	assert_int_equal(sb_retry_after_ms("soon", now), -1);
	assert_int_equal(sb_retry_after_ms("99999999999999999999", now), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_comes_with_its_type_and_computed_digest),
		cmocka_unit_test(content_that_is_not_of_the_digest_is_refused),
		cmocka_unit_test(a_manifest_without_end_is_refused),
		cmocka_unit_test(a_head_gives_the_digest_or_else_a_get_does),
		cmocka_unit_test(a_token_is_got_once_and_again_when_it_is_refused),
		cmocka_unit_test(an_identity_token_is_posted_or_else_sent_as_password),
		cmocka_unit_test(without_credentials_a_refusal_names_the_login),
		cmocka_unit_test(a_registry_that_lets_nobody_in_wants_a_login),
		cmocka_unit_test(threads_share_one_token),
		cmocka_unit_test(basic_credentials_are_shown_only_when_asked_for),
		cmocka_unit_test(a_blob_is_resumed_where_the_server_can),
		cmocka_unit_test(a_blob_of_another_size_is_refused),
		cmocka_unit_test(a_small_blob_is_verified),
		cmocka_unit_test(credentials_stay_at_the_host_that_they_are_for),
		cmocka_unit_test(a_challenge_of_another_host_gets_nothing),
		cmocka_unit_test(redirections_come_to_an_end),
		cmocka_unit_test(what_may_pass_is_tried_again),
		cmocka_unit_test(what_does_not_pass_is_told_at_once),
		cmocka_unit_test(tries_come_to_an_end),
		cmocka_unit_test(a_mirror_comes_first_and_the_registry_after_it),
		cmocka_unit_test(a_warning_is_told_once),
		cmocka_unit_test(a_request_can_be_cancelled),
		cmocka_unit_test(plain_http_needs_permission),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
