/* SPDX-License-Identifier: Apache-2.0 */
/* fd.c - whole files by directory descriptor, exact reads and writes, descriptors over sockets */
#include "runtime/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/**
 * sb_write_all() - Write all bytes, however often write(2) stops short
 * @fd:		where to; borrowed, blocking
 * @data:	bytes
 * @len:	how many
 *
 * Return: 0, or a negative errno value; part of the data may have been written then
 */
int sb_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/**
 * sb_open_bytes() - Put bytes into an anonymous file, for a process that reads them from there
 * @name:	what /proc/PID/fd shows of it
 * @data:	bytes
 * @len:	how many
 *
 * memfd_create(2): the file is in memory, and gone with its last descriptor.
 *
 * Return: a descriptor, at the start of the file, that the caller closes, or a negative errno value
 */
int sb_open_bytes(const char *name, const void *data, size_t len, struct sb_err *err)
{
	_cleanup_fd_ int fd = memfd_create(name, MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return sb_err_set(err, errno, "make a temporary file");
	r = sb_write_all(fd, data, len);
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return sb_err_set(err, r < 0 ? -r : errno, "write a temporary file");
	return sb_steal_fd(&fd);
}

/**
 * sb_read_fd() - Read a whole open file into memory
 * @fd:		regular file, at its start; borrowed
 * @name:	what to call it in messages
 * @max:	most bytes it may have
 * @ret_data:	content with a NUL appended; the caller frees it
 * @ret_len:	its length without that NUL; may be NULL
 *
 * Works for files of /proc and /sys, whose size is not known in advance. Never takes more than
 * about twice @max bytes of memory, whatever size the file claims to have.
 *
 * Return: 0, or a negative errno value (-EFBIG: longer than @max, -EINVAL: not a regular file)
 */
int sb_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
	       struct sb_err *err)
{
	_cleanup_free_ char *buf = NULL;
	size_t size = 0, len = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sb_err_set(err, errno, "open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return sb_err_refuse(err, EINVAL, "'%s' is not a regular file", name);
	if ((uint64_t)st.st_size > max)
		return sb_err_refuse(err, EFBIG, "'%s' is longer than %zu bytes", name, max);
	for (;;) {
		ssize_t n;

		if (len + 1 >= size) {
			size_t want = size ? size * 2 : (size_t)st.st_size + 1024;
			char *p = realloc(buf, want);

			if (!p)
				return sb_err_set(err, ENOMEM, "read '%s'", name);
			buf = p;
			size = want;
		}
		n = read(fd, buf + len, size - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_err_set(err, errno, "read '%s'", name);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return sb_err_refuse(err, EFBIG, "'%s' is longer than %zu bytes", name,
					     max);
	}
	buf[len] = '\0';
	if (ret_len)
		*ret_len = len;
	*ret_data = sb_steal_ptr(&buf);
	return 0;
}

/**
 * sb_read_at() - Read a whole file into memory
 * @dirfd:	directory, or AT_FDCWD
 * @name:	path below it; a symbolic link as last component is refused
 * @max:	most bytes it may have
 * @ret_data:	content with a NUL appended; the caller frees it
 * @ret_len:	its length without that NUL; may be NULL
 *
 * Works for files of /proc and /sys, whose size is not known in advance. Never blocks on a FIFO.
 *
 * Return: 0, or a negative errno value (-ENOENT: not there, -EFBIG: longer than @max)
 */
int sb_read_at(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
	       struct sb_err *err)
{
	_cleanup_fd_ int fd =
		openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return sb_err_set(err, errno, "open '%s'", name);
	return sb_read_fd(fd, name, max, ret_data, ret_len, err);
}

/**
 * sb_read_small_at() - Read a short file of /proc or /sys with one read(2)
 * @dirfd:	directory
 * @name:	path below it
 * @buf:	content, cut to fit, NUL-terminated, without trailing newlines
 * @size:	size of @buf
 *
 * Return: length, or a negative errno value
 */
int sb_read_small_at(int dirfd, const char *name, char *buf, size_t size)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return (int)n;
}

/**
 * sb_put_at() - Write a value to a control file of the kernel (cgroup, sysctl, id map)
 * @dirfd:	directory, or AT_FDCWD
 * @name:	path below it; must exist
 * @value:	text, written with one write(2) as these files want it
 *
 * Return: 0, or a negative errno value
 */
int sb_put_at(int dirfd, const char *name, const char *value, struct sb_err *err)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return sb_err_set(err, errno, "open '%s'", name);
	if (write(fd, value, strlen(value)) < 0)
		return sb_err_set(err, errno, "write '%s' to '%s'", value, name);
	return 0;
}

/* Let @tmp take the place of @name in the same directory; -1 with errno set and nothing changed. */
static int put_in_place(int dirfd, const char *tmp, const char *name)
{
	int saved;

	if (renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE) < 0) {
		/* No old file; or a file system that can't exchange. */
		return errno == ENOENT || errno == EINVAL ? renameat(dirfd, tmp, dirfd, name) : -1;
	}
	if (unlinkat(dirfd, tmp, 0) == 0)
		return 0;
	saved = errno; /* a directory was in the place: put it back */
	(void)renameat2(dirfd, tmp, dirfd, name, RENAME_EXCHANGE);
	errno = saved;
	return -1;
}

/**
 * sb_replace_at() - Write a file so that readers see the old content or the new, never a part
 * @dirfd:	directory
 * @name:	name in it, without a slash
 * @mode:	permission bits
 * @data:	content
 * @len:	its length
 *
 * Writes ".<name>.<pid>" and exchanges it with the old file, which is removed then. A plain
 * rename(2) over a file makes ext4 write the data out first (auto_da_alloc, ext4(5)): milliseconds
 * for a state that a crash of the host makes worthless anyway. Nothing is left behind on failure,
 * the old file is kept.
 *
 * Return: 0, or a negative errno value
 */
int sb_replace_at(int dirfd, const char *name, mode_t mode, const void *data, size_t len,
		  struct sb_err *err)
{
	_cleanup_fd_ int fd = -1;
	char tmp[300];
	int ret;

	snprintf(tmp, sizeof(tmp), ".%s.%d", name, getpid());
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return sb_err_set(err, errno, "create '%s'", tmp);
	ret = sb_write_all(fd, data, len);
	if (ret < 0)
		sb_err_set(err, -ret, "write '%s'", name);
	else if (put_in_place(dirfd, tmp, name) < 0)
		ret = sb_err_set(err, errno, "rename to '%s'", name);
	if (ret < 0)
		(void)unlinkat(dirfd, tmp, 0);
	return ret;
}

/**
 * sb_send_fds() - Send one packet, with descriptors
 * @sock:	SOCK_SEQPACKET socket; borrowed
 * @data:	bytes, at least one
 * @len:	how many
 * @fds:	descriptors, borrowed: the receiver gets copies
 * @n_fds:	at most SB_FDS_MAX; may be 0
 *
 * Return: 0, or a negative errno value (-EPIPE: nobody there; no signal is raised)
 */
int sb_send_fds(int sock, const void *data, size_t len, const int *fds, size_t n_fds)
{
	char control[CMSG_SPACE(sizeof(int) * SB_FDS_MAX)] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > SB_FDS_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	for (;;) {
		if (sendmsg(sock, &msg, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/**
 * sb_recv_fds() - Receive one packet, with descriptors
 * @sock:	SOCK_SEQPACKET socket; borrowed
 * @data:	the packet's bytes
 * @size:	size of @data
 * @ret_fds:	room for SB_FDS_MAX descriptors; the caller owns what arrives, close-on-exec
 * @ret_n_fds:	how many arrived
 *
 * Return: length of the packet, 0 at the end of the stream, or a negative errno value (-EMSGSIZE:
 * the packet was longer than @size; -EAGAIN: nothing there on a non-blocking socket)
 */
ssize_t sb_recv_fds(int sock, void *data, size_t size, int *ret_fds, size_t *ret_n_fds)
{
	char control[CMSG_SPACE(sizeof(int) * SB_FDS_MAX)] __attribute__((aligned(8)));
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	*ret_n_fds = 0;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*ret_n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_fds, CMSG_DATA(c), *ret_n_fds * sizeof(int));
	}
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		while (*ret_n_fds > 0)
			(void)close(ret_fds[--*ret_n_fds]);
		return -EMSGSIZE;
	}
	return n;
}
