/* SPDX-License-Identifier: Apache-2.0 */
/* test_client.c - answers of a monitor arrive whatever the monitor does next */
#include "runtime/sandbox/client.h"

#include "tests/unit/unit.h"

#include <sys/socket.h>

#include "runtime/base/err.h"

/* The other end of a connection answers and ends without having read what we sent meanwhile. */
static int connection_of_the_dead(const char *answer)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(send(pair[0], "{}", 2, 0), 2);
	if (answer)
		assert_int_equal(send(pair[1], answer, strlen(answer), 0), strlen(answer));
	close(pair[1]);
	return pair[0];
}

static void an_answer_is_read_behind_the_reset_of_its_connection(void **state)
{
	int conn = connection_of_the_dead("{\"ok\":true}");
	struct sb_err err = SB_ERR_INIT;
	json_t *reply = NULL;

	(void)state;
	assert_int_equal(sb_client_recv(conn, &reply, NULL, &err), 0);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	assert_int_equal(sb_client_recv(conn, &reply, NULL, &err), -EPIPE);
	close(conn);
}

static void a_monitor_that_ends_without_an_answer_has_ended(void **state)
{
	int conn = connection_of_the_dead(NULL);
	struct sb_err err = SB_ERR_INIT;
	json_t *reply = NULL;

	(void)state;
	assert_int_equal(sb_client_recv(conn, &reply, NULL, &err), -EPIPE);
	close(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read_behind_the_reset_of_its_connection),
		cmocka_unit_test(a_monitor_that_ends_without_an_answer_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
