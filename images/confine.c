/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.c - what the processes that meet strangers can still reach
 *
 * DOC: Theory of operation
 *
 * sbrun-image is up to three processes. The publisher is root, and it reads nothing that comes from
 * a stranger. It starts the others, which first give up whatever they do not need:
 *
 *   unpacker   all work on archives. It sees no file but its stage, and to read the layers and the
 *              archive; has no network and no credentials; of root's powers it keeps what making
 *              files of any owner and kind takes.
 *   fetcher    all work on registries. It has the network, but no power at all: an unprivileged
 *              user who can read what a resolver needs and write to descriptors it is given.
 *
 * Landlock and a system call filter (lockdown.c) come on top for both.
 */
#include "images/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "images/lockdown.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define NOBODY 65534 /* the kernel's overflow id, everywhere the user with the least to own */

/* Owner, mode and times of files that are somebody else's by then; devices; file capabilities. */
#define UNPACKER_CAPS                                                                     \
	(1U << CAP_CHOWN | 1U << CAP_FOWNER | 1U << CAP_FSETID | 1U << CAP_DAC_OVERRIDE | \
	 1U << CAP_MKNOD | 1U << CAP_SETFCAP)

/* A private view of directory *@fd, from which ".." leads nowhere; replaces the descriptor. */
static int detach(int *fd, uint64_t attrs, struct sb_err *err)
{
	struct mount_attr attr = { .attr_set = attrs };
	_cleanup_fd_ int tree =
		open_tree(*fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return sb_err_set(err, errno, "clone a mount");
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return sb_err_set(err, errno, "restrict a mount");
	sb_close_fd(fd);
	*fd = sb_steal_fd(&tree);
	return 0;
}

/* Make the detached mount @tree our root, on top of the old one. */
static int enter_root(int tree, struct sb_err *err)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) < 0)
		return sb_err_set(err, errno, "make namespaces");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return sb_err_set(err, errno, "make mounts private");
	if (move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(tree) < 0 ||
	    chroot(".") < 0)
		return sb_err_set(err, errno, "change the root");
	return 0;
}

/* Keep only these capabilities, and get no others by any execve(2). */
static int keep_caps(uint32_t kept, struct sb_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = kept, .permitted = kept },
	};

	/* EINVAL: the kernel doesn't know this one, nor those after it. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (syscall(SYS_capset, &head, data) < 0)
		return sb_err_set(err, errno, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sb_err_set(err, errno, "set no_new_privs");
	return 0;
}

/**
 * sb_confine_unpacker() - Give up all that unpacking does not need
 * @dirs:	what is kept
 *
 * Needs CAP_SYS_ADMIN, CAP_SYS_CHROOT and CAP_SETPCAP, and a single thread. On failure the process
 * is in an unusable state between: it should end.
 *
 * Return: 0, or a negative errno value
 */
int sb_confine_unpacker(struct sb_confined *dirs, struct sb_err *err)
{
	const uint64_t quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	struct sb_lockdown_dir reach[3] = { { .writable = true } };
	struct stat st = { .st_mode = 0 };
	int fd;

	if (dirs->source_fd >= 0 && fstat(dirs->source_fd, &st) < 0)
		return sb_err_set(err, errno, "look at the archive");
	/* Before unshare(2): a mount can only be cloned in the namespace it belongs to. */
	if (S_ISDIR(st.st_mode) && detach(&dirs->source_fd, quiet | MOUNT_ATTR_RDONLY, err) < 0)
		return sb_err_prefix(err, "archive");
	if (detach(&dirs->layers_fd, quiet | MOUNT_ATTR_RDONLY, err) < 0 ||
	    detach(&dirs->stage_fd, quiet, err) < 0 || enter_root(dirs->stage_fd, err) < 0)
		return sb_err_prefix(err, "store");
	/* What open_tree(2) gives is O_PATH, which reading a directory doesn't take. */
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sb_err_set(err, errno, "open the store");
	sb_close_fd(&dirs->stage_fd);
	dirs->stage_fd = fd;
	reach[0].fd = dirs->stage_fd;
	reach[1].fd = dirs->layers_fd;
	reach[2].fd = S_ISDIR(st.st_mode) ? dirs->source_fd : -1;
	if (keep_caps(UNPACKER_CAPS, err) < 0 ||
	    sb_lockdown_files(reach, SB_ARRAY_SIZE(reach), err) < 0)
		return -err->code;
	return sb_lockdown_calls(SB_LOCKDOWN_UNPACKER, err);
}

/* What the name service and TLS read: libraries, configuration, certificates, sockets. */
static int lock_files(struct sb_err *err)
{
	static const char *const needed[] = { "/etc", "/usr", "/lib", "/lib64", "/run", "/dev" };
	struct sb_lockdown_dir reach[SB_ARRAY_SIZE(needed)];
	int r;

	for (size_t i = 0; i < SB_ARRAY_SIZE(needed); i++)
		reach[i] = (struct sb_lockdown_dir){ .fd = open(needed[i], O_PATH | O_CLOEXEC) };
	r = sb_lockdown_files(reach, SB_ARRAY_SIZE(needed), err);
	for (size_t i = 0; i < SB_ARRAY_SIZE(needed); i++)
		sb_close_fd(&reach[i].fd);
	return r;
}

/**
 * sb_confine_fetcher() - Give up all that fetching does not need
 *
 * The process becomes nobody, cannot be traced by others of that user (it holds credentials), and
 * can open no file for writing. Needs CAP_SETUID, CAP_SETGID and CAP_SETPCAP, and a single thread.
 * On failure the process should end.
 *
 * Return: 0, or a negative errno value
 */
int sb_confine_fetcher(struct sb_err *err)
{
	pid_t parent = getppid();

	/* Bounding set and no_new_privs first: these take the powers that setresuid(2) ends. */
	if (keep_caps(1U << CAP_SETUID | 1U << CAP_SETGID, err) < 0)
		return -err->code;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return sb_err_set(err, errno, "become an unprivileged user");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return sb_err_set(err, errno, "protect the memory");
	/* The kernel has cleared it with the change of user (prctl(2)). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return sb_err_set(err, ECANCELED, "outlive the parent");
	return lock_files(err) < 0 ? -err->code : sb_lockdown_calls(SB_LOCKDOWN_FETCHER, err);
}
