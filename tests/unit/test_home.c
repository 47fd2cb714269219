/* SPDX-License-Identifier: Apache-2.0 */
/* test_home.c - names, ids and records of sandboxes on disk */
#include "runtime/sandbox/home.h"

#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "runtime/base/err.h"
#include "runtime/base/path.h"
#include "runtime/sandbox/record.h"

#define ID_A "0123456789abcdef"
#define ID_B "0123ffffffffffff"

/**
 * struct fixture - a home of its own
 * @path:	directory that holds it
 * @store:	path of its store
 * @run:	path of its state
 * @home:	the home, open
 */
struct fixture {
	char path[32];
	char store[48];
	char run[48];
	struct sb_home home;
};

static int setup(void **state)
{
	static struct fixture f;
	struct sb_err err = SB_ERR_INIT;

	unit_need_root();
	close(unit_tmpdir(f.path));
	snprintf(f.store, sizeof(f.store), "%s/store", f.path);
	snprintf(f.run, sizeof(f.run), "%s/run", f.path);
	*state = &f;
	return sb_home_open(f.store, f.run, &f.home, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sb_home_close(&f->home);
	return sb_remove_tree_at(AT_FDCWD, f->path);
}

static void directories_are_closed_to_others(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->store, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(f->run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void a_name_belongs_to_one_sandbox_until_it_is_released(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	char id[SB_ID_LEN];

	assert_int_equal(sb_home_take_name(&f->home, "web", ID_A, &err), 0);
	assert_int_equal(sb_home_take_name(&f->home, "web", ID_B, &err), -EEXIST);
	assert_string_equal(err.msg, "the name 'web' is in use");
	assert_int_equal(sb_home_resolve(&f->home, "web", id, &err), 0);
	assert_string_equal(id, ID_A);
	sb_home_release(&f->home, "names", ID_A);
	assert_int_equal(sb_home_take_name(&f->home, "web", ID_B, &err), 0);
	sb_home_release(&f->home, "names", ID_B);
}

static void ranges_of_user_ids_never_overlap(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	uid_t first, second, again;

	assert_int_equal(sb_home_take_ids(&f->home, ID_A, &first, &err), 0);
	assert_int_equal(sb_home_take_ids(&f->home, ID_A, &second, &err), 0);
	assert_int_equal(first % 65536, 0);
	assert_true(first >= 524288 && first <= 1879048191 - 65535);
	assert_int_equal(second, first + 65536);
	sb_home_release(&f->home, "ids", ID_A);
	assert_int_equal(sb_home_take_ids(&f->home, ID_A, &again, &err), 0);
	assert_int_equal(again, first);
	sb_home_release(&f->home, "ids", ID_A);
}

static void an_id_is_found_by_its_unique_beginning(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	char id[SB_ID_LEN];

	assert_int_equal(mkdirat(f->home.run_fd, ID_A, 0700), 0);
	assert_int_equal(mkdirat(f->home.run_fd, ID_B, 0700), 0);
	assert_int_equal(sb_home_resolve(&f->home, "01234", id, &err), 0);
	assert_string_equal(id, ID_A);
	assert_int_equal(sb_home_resolve(&f->home, ID_B, id, &err), 0);
	assert_string_equal(id, ID_B);
	assert_int_equal(sb_home_resolve(&f->home, "0123", id, &err), -EINVAL);
	assert_int_equal(sb_home_resolve(&f->home, "ffff", id, &err), -ENOENT);
	assert_int_equal(sb_home_resolve(&f->home, "../etc", id, &err), -EINVAL);
	assert_int_equal(sb_home_resolve(&f->home, "", id, &err), -EINVAL);
	assert_int_equal(sb_remove_tree_at(f->home.run_fd, ID_A), 0);
	assert_int_equal(sb_remove_tree_at(f->home.run_fd, ID_B), 0);
}

static void a_sandbox_is_alive_while_its_lock_is_held(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	int fd, dir;

	assert_int_equal(mkdirat(f->home.run_fd, ID_A, 0700), 0);
	assert_false(sb_home_is_alive(&f->home, ID_A));
	assert_int_equal(sb_home_await_end(&f->home, ID_A, false, &err), -ENOENT);
	dir = sb_open_dir_at(f->home.run_fd, ID_A, &err);
	fd = sb_home_hold(dir, &err);
	assert_true(fd >= 0);
	assert_true(sb_home_is_alive(&f->home, ID_A));
	assert_int_equal(sb_home_await_end(&f->home, ID_A, false, &err), -EBUSY);
	close(fd);
	close(dir);
	assert_false(sb_home_is_alive(&f->home, ID_A));
	assert_int_equal(sb_home_await_end(&f->home, ID_A, true, &err), 0);
	assert_int_equal(sb_remove_tree_at(f->home.run_fd, ID_A), 0);
}

static void a_record_survives_the_way_to_disk_and_back(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	struct sb_record r = SB_RECORD_INIT, back;
	int dir;

	strcpy(r.id, ID_A);
	strcpy(r.name, "web");
	strcpy(r.image, "busybox:latest");
	strcpy(r.address, "fd00::1");
	r.status = SB_STATUS_RUNNING;
	r.created_ms = 1795300000123;
	r.stop_at_ms = 1795300600123;
	r.init_pid = 42;
	r.id_base = 1879048191 - 65535;
	r.main_exec = 1;
	r.limits = (struct sb_cgroup_limits){ 1ULL << 40, 100, 1500 };
	r.cwd = strdup("/app");
	r.user = strdup("app");
	assert_int_equal(sb_strv_add(&r.env, "A=b c", &err), 0);
	assert_int_equal(mkdirat(f->home.run_fd, ID_A, 0700), 0);
	dir = sb_open_dir_at(f->home.run_fd, ID_A, &err);
	assert_int_equal(sb_record_save(dir, &r, &err), 0);
	assert_int_equal(sb_record_load(&f->home, ID_A, &back, &err), 0);
	assert_string_equal(back.name, "web");
	assert_int_equal(back.status, SB_STATUS_RUNNING);
	assert_int_equal(back.created_ms, r.created_ms);
	assert_int_equal(back.stop_at_ms, r.stop_at_ms);
	assert_int_equal(back.init_pid, 42);
	assert_int_equal(back.id_base, r.id_base);
	assert_int_equal(back.limits.memory_bytes, 1ULL << 40);
	assert_int_equal(back.limits.cpu_milli, 1500);
	assert_int_equal(back.exit_code, -1);
	assert_string_equal(back.env.v[0], "A=b c");
	assert_string_equal(sb_record_status(&f->home, &back), "dead"); /* nobody holds its lock */
	sb_record_done(&r);
	sb_record_done(&back);
	unit_write(dir, "broken", "{");
	assert_int_equal(renameat(dir, "broken", dir, "state.json"), 0);
	assert_int_equal(sb_record_load(&f->home, ID_A, &back, &err), -EPROTO);
	close(dir);
	assert_int_equal(sb_remove_tree_at(f->home.run_fd, ID_A), 0);
	assert_int_equal(sb_record_load(&f->home, ID_A, &back, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories_are_closed_to_others),
		cmocka_unit_test(a_name_belongs_to_one_sandbox_until_it_is_released),
		cmocka_unit_test(ranges_of_user_ids_never_overlap),
		cmocka_unit_test(an_id_is_found_by_its_unique_beginning),
		cmocka_unit_test(a_sandbox_is_alive_while_its_lock_is_held),
		cmocka_unit_test(a_record_survives_the_way_to_disk_and_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
