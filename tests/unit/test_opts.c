/* SPDX-License-Identifier: Apache-2.0 */
/* test_opts.c - option tables */
#include "runtime/cli/opts.h"

#include "tests/unit/unit.h"

#include "runtime/base/err.h"
#include "runtime/base/str.h"

struct opts {
	bool detach;
	bool tty;
	const char *name;
	struct sb_strv env;
	uint16_t port;
	uint64_t memory;
	uint64_t timeout_ms;
	uint32_t cpus;
	uint64_t pids;
	int sig;
};

struct shared {
	bool json;
};

#define OPT(field) offsetof(struct opts, field)
static const struct sb_opt table[] = {
	{ "detach", 'd', SB_OPT_FLAG, OPT(detach), NULL, "run in the background" },
	{ "tty", 't', SB_OPT_FLAG, OPT(tty), NULL, "terminal" },
	{ "name", 'n', SB_OPT_NAME, OPT(name), "NAME", "name" },
	{ "env", 'e', SB_OPT_ENV, OPT(env), "K=V", "variable" },
	{ "port", 'p', SB_OPT_PORT, OPT(port), "N", "port" },
	{ "memory", 'm', SB_OPT_SIZE, OPT(memory), "BYTES", "memory" },
	{ "timeout", 0, SB_OPT_DURATION, OPT(timeout_ms), "D", "time" },
	{ "cpus", 0, SB_OPT_CPUS, OPT(cpus), "N", "processors" },
	{ "pids", 0, SB_OPT_COUNT, OPT(pids), "N", "processes" },
	{ "signal", 's', SB_OPT_SIGNAL, OPT(sig), "SIG", "signal" },
	{ .name = NULL },
};
static const struct sb_opt shared_table[] = {
	{ "json", 0, SB_OPT_FLAG, offsetof(struct shared, json), NULL, "JSON" },
	{ "format", 0, SB_OPT_JSON, offsetof(struct shared, json), "json", "JSON" },
	{ .name = NULL },
};

/* Parse up to eight words; what is left stays at the front of @words. */
static int parse(struct opts *o, struct shared *s, bool options_first, const char **words,
		 struct sb_err *err)
{
	const struct sb_opt_set sets[2] = { { table, o }, { shared_table, s } };
	int n = 0;

	while (words[n])
		n++;
	return sb_opts_parse(sets, options_first, n, words, err);
}

static void every_type_reaches_its_field(void **state)
{
	const char *words[] = { "-dt",       "-nweb", "--port=5000", "-m", "64m",
				"--timeout", "1m30s", "--json",      NULL };
	const char *more[] = { "--cpus", "1.5", "--pids", "7", "-s", "term", "-e", "A=b=c", NULL };
	struct sb_err err = SB_ERR_INIT;
	struct opts o = { 0 };
	struct shared s = { 0 };

	(void)state;
	assert_int_equal(parse(&o, &s, false, words, &err), 0);
	assert_int_equal(parse(&o, &s, false, more, &err), 0);
	assert_true(o.detach && o.tty && s.json);
	assert_string_equal(o.name, "web");
	assert_int_equal(o.port, 5000);
	assert_int_equal(o.memory, 64 << 20);
	assert_int_equal(o.timeout_ms, 90000);
	assert_int_equal(o.cpus, 1500);
	assert_int_equal(o.pids, 7);
	assert_int_equal(o.sig, 15);
	assert_string_equal(sb_strv_get_env(&o.env, "A"), "b=c");
	sb_strv_done(&o.env);
}

static void other_words_are_kept_in_order(void **state)
{
	const char *words[] = { "id1", "-d", "id2", "--", "-t", NULL };
	struct sb_err err = SB_ERR_INIT;
	struct opts o = { 0 };
	struct shared s = { 0 };

	(void)state;
	assert_int_equal(parse(&o, &s, false, words, &err), 3);
	assert_string_equal(words[0], "id1");
	assert_string_equal(words[1], "id2");
	assert_string_equal(words[2], "-t");
	assert_true(o.detach);
	assert_false(o.tty);
}

static void options_of_the_inner_command_are_left_alone(void **state)
{
	const char *words[] = { "-d", "image", "ls", "-t", "--nope", NULL };
	struct sb_err err = SB_ERR_INIT;
	struct opts o = { 0 };
	struct shared s = { 0 };

	(void)state;
	assert_int_equal(parse(&o, &s, true, words, &err), 4);
	assert_string_equal(words[2], "-t");
	assert_true(o.detach);
	assert_false(o.tty);
}

static void bad_words_are_refused_by_name(void **state)
{
	static const struct {
		const char *words[3];
		const char *msg;
	} cases[] = {
		{ { "--nope" }, "unknown option '--nope'" },
		{ { "-x" }, "unknown option '-x'" },
		{ { "-dx" }, "unknown option '-dx'" },
		{ { "--d" }, "unknown option '--d'" },
		{ { "--port" }, "--port needs N" },
		{ { "-p" }, "-p needs N" },
		{ { "--detach=1" }, "--detach takes no argument" },
		{ { "--port", "0" }, "--port: '0' is not accepted" },
		{ { "--port", "-1" }, "--port: '-1' is not accepted" },
		{ { "--port", "65536" }, "--port: '65536' is not accepted" },
		{ { "--port", "abc" }, "--port: 'abc' is not accepted" },
		{ { "--port", "" }, "--port: '' is not accepted" },
		{ { "-m", "12q" }, "--memory: '12q' is not accepted" },
		{ { "--timeout", "5x" }, "--timeout: '5x' is not accepted" },
		{ { "--timeout", "1s2" }, "--timeout: '1s2' is not accepted" },
		{ { "--cpus", "0" }, "--cpus: '0' is not accepted" },
		{ { "--pids", "0" }, "--pids: '0' is not accepted" },
		{ { "-s", "NOSUCH" }, "--signal: 'NOSUCH' is not accepted" },
		{ { "-n", "a b" }, "--name: 'a b' is not accepted" },
		{ { "-e", "=x" }, "--env: '=x' is not NAME=VALUE" },
		{ { "--format", "yaml" }, "--format: 'yaml' is not accepted" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *words[9] = { cases[i].words[0], cases[i].words[1] };
		struct sb_err err = SB_ERR_INIT;
		struct opts o = { 0 };
		struct shared s = { 0 };

		assert_int_equal(parse(&o, &s, false, words, &err), -EINVAL);
		assert_string_equal(err.msg, cases[i].msg);
		sb_strv_done(&o.env);
	}
}

static void a_typing_error_gets_the_word_that_was_meant(void **state)
{
	static const char *const words[] = { "detach", "memory", "exec", "ps" };

	(void)state;
	assert_string_equal(sb_opts_similar("detahc", words, 4), "detach");
	assert_string_equal(sb_opts_similar("exce", words, 4), "exec");
	assert_null(sb_opts_similar("something", words, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_reaches_its_field),
		cmocka_unit_test(other_words_are_kept_in_order),
		cmocka_unit_test(options_of_the_inner_command_are_left_alone),
		cmocka_unit_test(bad_words_are_refused_by_name),
		cmocka_unit_test(a_typing_error_gets_the_word_that_was_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
