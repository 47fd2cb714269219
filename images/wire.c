/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - messages between the processes of sbrun-image */
#include "images/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"

#define END(text) ((text)[sizeof(text) - 1] = '\0')

/* Fit for a terminal: our own messages are printable ASCII, a captured sender's may be anything. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

/**
 * sb_wire_send() - Send a message
 * @sock:	socket; borrowed
 * @msg:	message
 * @fds:	descriptors that go with it; borrowed, NULL for none
 * @n_fds:	how many, at most SB_FDS_MAX
 *
 * Return: 0, or a negative errno value (-EPIPE: nobody there)
 */
int sb_wire_send(int sock, const struct sb_wire *msg, const int *fds, size_t n_fds)
{
	return sb_send_fds(sock, msg, sizeof(*msg), fds, n_fds);
}

/* An image whose texts are what they should be. */
static int check_image(struct sb_loaded *image, struct sb_err *err)
{
	struct sb_image_ref ref;

	END(image->reference);
	END(image->digest);
	END(image->config_digest);
	if (sb_digest_check(image->digest, "image manifest", err) < 0 ||
	    sb_digest_check(image->config_digest, "image config", err) < 0)
		return -err->code;
	return image->reference[0] ? sb_reference_parse(image->reference, &ref, err) : 0;
}

/**
 * sb_wire_recv() - Wait for a message
 * @sock:	socket; borrowed
 * @ret:	message, its texts ended and its digests and references checked
 * @ret_fds:	descriptors that came with it; released with sb_wire_close()
 *
 * Return: 1, 0 if the other side has closed the socket, or a negative errno value (-EPROTO: not
 * such a message)
 */
int sb_wire_recv(int sock, struct sb_wire *ret, struct sb_wire_fds *ret_fds, struct sb_err *err)
{
	ssize_t n = sb_recv_fds(sock, ret, sizeof(*ret), ret_fds->v, &ret_fds->n);
	int r = 1;

	if (n == 0 || n == -ECONNRESET)
		return 0;
	if (n < 0)
		return sb_err_set(err, (int)-n, "receive a message");
	if ((size_t)n != sizeof(*ret)) {
		r = sb_err_refuse(err, EPROTO, "a message has %zd bytes", n);
	} else if (ret->type == SB_WIRE_IMAGE) {
		r = check_image(&ret->image, err) < 0 ? -err->code : 1;
	} else if (ret->type == SB_WIRE_FAILED) {
		END(ret->err.msg);
		END(ret->err.hint);
		make_printable(ret->err.msg);
		make_printable(ret->err.hint);
		if (ret->err.code <= 0)
			ret->err.code = EIO;
	}
	if (r < 0)
		sb_wire_close(ret_fds);
	return r;
}

/**
 * sb_wire_close() - Close descriptors that came with a message
 * @fds:	empty afterwards
 */
void sb_wire_close(struct sb_wire_fds *fds)
{
	while (fds->n > 0)
		(void)close(fds->v[--fds->n]);
}
