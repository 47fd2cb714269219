/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - how far a download is, in memory that all processes of sbrun-image share */
#include "images/transfer.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/futex.h>

#include "runtime/base/err.h"

/**
 * sb_transfers_new() - Make room for downloads, shared with all processes forked later
 * @n:		how many, > 0
 *
 * Return: freed with sb_transfers_free(), or NULL with @err set
 */
struct sb_transfer *sb_transfers_new(size_t n, struct sb_err *err)
{
	void *p = mmap(NULL, n * sizeof(struct sb_transfer), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		return p;
	(void)sb_err_set(err, errno, "share memory");
	return NULL;
}

/**
 * sb_transfers_free() - Give the memory back
 * @transfers:	downloads, or NULL
 * @n:		how many
 */
void sb_transfers_free(struct sb_transfer *transfers, size_t n)
{
	if (transfers)
		(void)munmap(transfers, n * sizeof(*transfers));
}

static void announce(struct sb_transfer *transfer)
{
	atomic_fetch_add(&transfer->turn, 1);
	(void)syscall(SYS_futex, &transfer->turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/**
 * sb_transfer_advance() - Say that more bytes are in the file
 * @transfer:	download
 * @have:	all bytes up to here; fewer than before are ignored
 */
void sb_transfer_advance(struct sb_transfer *transfer, uint64_t have)
{
	if (have <= atomic_load(&transfer->have))
		return;
	atomic_store(&transfer->have, have);
	announce(transfer);
}

/**
 * sb_transfer_end() - Say that no more bytes will come
 * @transfer:	download; one that has failed stays so
 * @state:	how it ended
 */
void sb_transfer_end(struct sb_transfer *transfer, enum sb_transfer_state state)
{
	uint32_t running = SB_TRANSFER_RUNNING;

	(void)atomic_compare_exchange_strong(&transfer->state, &running, state);
	announce(transfer);
}

/**
 * sb_transfer_wait() - Wait until there are bytes behind an offset, or never will be
 * @transfer:	download
 * @offset:	bytes that are read already
 * @ret_have:	bytes there are, more than @offset unless the download is complete
 *
 * Return: 0, or -ECANCELED if the download has failed
 */
int sb_transfer_wait(struct sb_transfer *transfer, uint64_t offset, uint64_t *ret_have)
{
	for (;;) {
		uint32_t turn = atomic_load(&transfer->turn);
		uint32_t state = atomic_load(&transfer->state);
		uint64_t have = atomic_load(&transfer->have);

		if (state == SB_TRANSFER_FAILED)
			return -ECANCELED;
		if (have > offset || state == SB_TRANSFER_COMPLETE) {
			*ret_have = have;
			return 0;
		}
		/* EAGAIN and EINTR: look again. */
		(void)syscall(SYS_futex, &transfer->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
	}
}
