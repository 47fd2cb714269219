/* SPDX-License-Identifier: Apache-2.0 */
/* test_steps.c - step tables, and what a child tells its parent */
#include "runtime/container/steps.h"

#include "tests/unit/unit.h"

#include <sys/wait.h>

#include "runtime/base/err.h"
#include "runtime/container/sync.h"

static int up_ok(void *ctx, struct sb_err *err)
{
	(void)err;
	strcat(ctx, "+");
	return 0;
}

static int up_bad(void *ctx, struct sb_err *err)
{
	strcat(ctx, "!");
	return sb_err_set(err, EBUSY, "no");
}

static void down_a(void *ctx)
{
	strcat(ctx, "a");
}

static void down_b(void *ctx)
{
	strcat(ctx, "b");
}

static void down_c(void *ctx)
{
	strcat(ctx, "c");
}

static void a_failure_undoes_its_own_row_and_those_before_it(void **state)
{
	static const struct sb_step steps[] = {
		{ "one", up_ok, down_a },
		{ "two", NULL, down_b },
		{ "three", up_bad, down_c },
		{ "four", up_ok, down_a },
	};
	struct sb_err err = SB_ERR_INIT;
	char log[16] = "";

	(void)state;
	assert_int_equal(sb_steps_up(steps, 4, log, &err), -EBUSY);
	assert_string_equal(log, "+!cba");
	assert_string_equal(err.msg, "no");
}

static void down_runs_backwards_and_skips_rows_without_one(void **state)
{
	static const struct sb_step steps[] = {
		{ "one", up_ok, down_a },
		{ "two", up_ok, NULL },
		{ "three", up_ok, down_c },
	};
	struct sb_err err = SB_ERR_INIT;
	char log[16] = "";

	(void)state;
	assert_int_equal(sb_steps_up(steps, 3, log, &err), 0);
	sb_steps_down(steps, 3, log);
	assert_string_equal(log, "+++ca");
}

/* Fork a child that reports @code, or executes a program if that is 0; return what we learn. */
static int child_result(int code, struct sb_err *err)
{
	int sync[2], ret;
	pid_t pid;

	assert_int_equal(sb_sync_pair(sync, err), 0);
	pid = fork();
	if (pid == 0) {
		struct sb_err e = SB_ERR_INIT;

		if (code) {
			sb_err_set(&e, code, "open '/no/such'");
			sb_err_hint(&e, "look elsewhere");
			e.exit_code = 126;
			sb_sync_fail(sync[1], &e);
		}
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	close(sync[1]);
	ret = sb_sync_result(sync[0], err);
	close(sync[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return ret;
}

static void a_childs_error_arrives_whole(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(child_result(ENOENT, &err), -ENOENT);
	assert_string_equal(err.msg, "open '/no/such'");
	assert_string_equal(err.hint, "look elsewhere");
	assert_int_equal(err.exit_code, 126);
}

static void a_successful_exec_reads_as_success(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(child_result(0, &err), 0);
	assert_int_equal(err.code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_undoes_its_own_row_and_those_before_it),
		cmocka_unit_test(down_runs_backwards_and_skips_rows_without_one),
		cmocka_unit_test(a_childs_error_arrives_whole),
		cmocka_unit_test(a_successful_exec_reads_as_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
