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
	image->stands_for[0] = '\0'; /* not the sender's to say */
	if (sb_digest_check(image->digest, "image manifest", err) < 0 ||
	    sb_digest_check(image->config_digest, "image config", err) < 0)
		return -err->code;
	return image->reference[0] ? sb_reference_parse(image->reference, &ref, err) : 0;
}

static int check(struct sb_wire *msg, struct sb_err *err)
{
	END(msg->digest);
	END(msg->diff_id);
	END(msg->err.msg);
	END(msg->err.hint);
	make_printable(msg->err.msg);
	make_printable(msg->err.hint);
	if (msg->err.code <= 0)
		msg->err.code = EIO;
	if ((msg->type == SB_WIRE_IMAGE || msg->type == SB_WIRE_FOUND) &&
	    check_image(&msg->image, err) < 0)
		return -err->code;
	if ((msg->type == SB_WIRE_FOUND || msg->type == SB_WIRE_LAYER ||
	     msg->type == SB_WIRE_DOCUMENT) &&
	    sb_digest_check(msg->digest, "blob", err) < 0)
		return -err->code;
	return msg->type == SB_WIRE_LAYER ? sb_digest_check(msg->diff_id, "layer", err) : 0;
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
	int r;

	if (n == 0 || n == -ECONNRESET)
		return 0;
	if (n < 0)
		return sb_err_set(err, (int)-n, "receive a message");
	r = (size_t)n == sizeof(*ret) ? check(ret, err)
				      : sb_err_refuse(err, EPROTO, "a message has %zd bytes", n);
	if (r < 0)
		sb_wire_close(ret_fds);
	return r < 0 ? r : 1;
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
