/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_set.c - elements of nftables sets, without the nft program
 *
 * A change is one transaction: a batch of BEGIN, the change, END in one send (linux/netfilter/
 * nfnetlink.h, NFNL_MSG_BATCH_BEGIN). It takes a few microseconds where the nft program takes more
 * than a thousand, and as long with ten thousand elements as with none.
 */
#include "net/nft_set.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "net/nl.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define DUMP_TRIES 16 /* a dump is torn by each transaction that comes in between */

/* Add NFNL_MSG_BATCH_BEGIN or _END. */
static void add_batch_mark(struct sb_nl_batch *b, int type)
{
	struct nfgenmsg nfg = { .nfgen_family = AF_UNSPEC,
				.version = NFNETLINK_V0,
				.res_id = htons(NFNL_SUBSYS_NFTABLES) };

	sb_nl_add(b, type, 0, &nfg, sizeof(nfg));
	sb_nl_what(b, "change firewall");
}

/* End a batch that NFNL_MSG_BATCH_BEGIN has begun, and have the kernel do it. */
static int commit(struct sb_nl *nl, struct sb_nl_batch *b, struct sb_err *err)
{
	add_batch_mark(b, NFNL_MSG_BATCH_END);
	return sb_nl_run(nl, b, NULL, err);
}

/* Add a message of nf_tables, still without attributes. */
static void add_nft(struct sb_nl_batch *b, int type, int flags)
{
	struct nfgenmsg nfg = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };

	sb_nl_add(b, (NFNL_SUBSYS_NFTABLES << 8) | type, flags, &nfg, sizeof(nfg));
}

/* Add which set, and which element of it if @key is not NULL; it ends in @timeout_ms if not 0. */
static void put_element(struct sb_nl_batch *b, const struct sb_nft_set *set, const void *key,
			uint64_t timeout_ms)
{
	const uint64_t timeout = htobe64(timeout_ms);
	struct nlattr *list, *elem, *data;

	sb_nl_put_str(b, NFTA_SET_ELEM_LIST_TABLE, set->table);
	sb_nl_put_str(b, NFTA_SET_ELEM_LIST_SET, set->name);
	if (!key)
		return;
	list = sb_nl_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = sb_nl_nest(b, NFTA_LIST_ELEM);
	data = sb_nl_nest(b, NFTA_SET_ELEM_KEY);
	sb_nl_put(b, NFTA_DATA_VALUE, key, set->key_len);
	sb_nl_nest_end(b, data);
	if (timeout_ms)
		sb_nl_put(b, NFTA_SET_ELEM_TIMEOUT, &timeout, sizeof(timeout));
	sb_nl_nest_end(b, elem);
	sb_nl_nest_end(b, list);
}

/* What answers have told: @n keys of @key_len bytes in @keys, room for @room. */
struct keys {
	char *keys;
	size_t n;
	size_t room;
	size_t key_len;
};

/* Append the key of one element. */
static int take_key(struct nlattr *elem, struct keys *k, struct sb_err *err)
{
	struct nlattr *key = nla_find(nla_data(elem), nla_len(elem), NFTA_SET_ELEM_KEY);
	struct nlattr *value = key ? nla_find(nla_data(key), nla_len(key), NFTA_DATA_VALUE) : NULL;

	if (!value || (size_t)nla_len(value) != k->key_len)
		return sb_err_set(err, EIO, "element of a firewall set has an unknown form");
	if (k->n == k->room) {
		size_t room = k->room ? k->room * 2 : 64;
		char *p = reallocarray(k->keys, room, k->key_len);

		if (!p)
			return sb_err_set(err, ENOMEM, "list firewall set");
		k->keys = p;
		k->room = room;
	}
	memcpy(k->keys + k->n++ * k->key_len, nla_data(value), k->key_len);
	return 0;
}

/*
 * Reader of NFT_MSG_NEWSETELEM: @arg is the struct keys to append to. What is about to end by
 * itself does not count.
 */
static int read_keys(struct nlmsghdr *h, void *arg, struct sb_err *err)
{
	struct nlattr *list, *elem;
	int left;

	if (h->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWSETELEM))
		return 0;
	list = nlmsg_find_attr(h, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
	if (!list)
		return 0;
	nla_for_each_nested(elem, list, left)
	{
		if (!nla_find(nla_data(elem), nla_len(elem), NFTA_SET_ELEM_EXPIRATION) &&
		    take_key(elem, arg, err) < 0)
			return -err->code;
	}
	return 0;
}

/**
 * sb_nft_set_add() - Add an element
 * @nl:		NETLINK_NETFILTER connection; needs CAP_NET_ADMIN over its namespace
 * @set:	set
 * @key:	set->key_len bytes
 *
 * Return: 0 also if it is in already, or a negative errno value (-ENOENT: no such table or set)
 */
int sb_nft_set_add(struct sb_nl *nl, const struct sb_nft_set *set, const void *key,
		   struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;

	add_batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	add_nft(&b, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK);
	sb_nl_what(&b, "add to firewall set '%s'", set->name);
	put_element(&b, set, key, 0);
	return commit(nl, &b, err);
}

/**
 * sb_nft_set_has() - Ask for one element
 * @nl:		NETLINK_NETFILTER connection; needs CAP_NET_ADMIN over its namespace
 * @set:	set
 * @key:	set->key_len bytes
 *
 * Return: 1 if it is in, 0 if it, the set or the table is not there or it is about to end, or a
 * negative errno value
 */
int sb_nft_set_has(struct sb_nl *nl, const struct sb_nft_set *set, const void *key,
		   struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	struct keys k = { .key_len = set->key_len };
	const struct sb_nl_reader reader = { .fn = read_keys, .arg = &k };
	struct sb_err e = SB_ERR_INIT;
	int ret;

	add_nft(&b, NFT_MSG_GETSETELEM, NLM_F_ACK);
	sb_nl_what(&b, "look into firewall set '%s'", set->name);
	put_element(&b, set, key, 0);
	ret = sb_nl_run(nl, &b, &reader, &e);
	free(k.keys);
	if (ret < 0 && ret != -ENOENT) {
		*err = e;
		return ret;
	}
	return ret == 0 && k.n > 0;
}

/* Delete an element, whatever that costs. */
static int remove_now(struct sb_nl *nl, const struct sb_nft_set *set, const void *key,
		      struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;

	add_batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	add_nft(&b, NFT_MSG_DELSETELEM, NLM_F_ACK);
	sb_nl_what(&b, "remove from firewall set '%s'", set->name);
	sb_nl_tolerate(&b, ENOENT);
	put_element(&b, set, key, 0);
	return commit(nl, &b, err);
}

/**
 * sb_nft_set_expire() - Let an element end
 * @nl:		NETLINK_NETFILTER connection; needs CAP_NET_ADMIN over its namespace
 * @set:	set, with the flag "timeout"
 * @key:	set->key_len bytes
 *
 * It ends by a timeout of one tick of the kernel's clock (4 ms at 250 Hz), and no longer counts as
 * being in the set. To delete it would be paid by others: the kernel frees what a transaction has
 * deleted after an RCU grace period, some 10 ms, and whoever closes a NETLINK_NETFILTER socket
 * meanwhile waits for that with the lock of nf_tables held (nft_rcv_nl_event()), which the making
 * and the end of every network interface need too. What has timed out is freed without any of that.
 *
 * Kernels before Linux 6.12 cannot give an element that is there a timeout: then it is deleted.
 *
 * Return: 0 also if it, the set or the table was not there; 1 if it had to be deleted; or a
 * negative errno value
 */
int sb_nft_set_expire(struct sb_nl *nl, const struct sb_nft_set *set, const void *key,
		      struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	struct sb_err ignored = SB_ERR_INIT;
	int ret = sb_nft_set_has(nl, set, key, err);

	if (ret <= 0) /* the next request would add what is not there */
		return ret;
	add_batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	add_nft(&b, NFT_MSG_NEWSETELEM, NLM_F_ACK);
	sb_nl_what(&b, "end element of firewall set '%s'", set->name);
	put_element(&b, set, key, 1);
	(void)commit(nl, &b, &ignored);
	ret = sb_nft_set_has(nl, set, key, err);
	if (ret <= 0)
		return ret;
	return remove_now(nl, set, key, err) < 0 ? -err->code : 1;
}

/**
 * sb_nft_set_list() - Read all elements
 * @nl:		NETLINK_NETFILTER connection; needs CAP_NET_ADMIN over its namespace
 * @set:	set
 * @ret_keys:	keys, one after another; the caller frees them. NULL if there are none
 * @ret_n:	how many
 *
 * Return: 0 also if there is no such set or table, or a negative errno value (-EINTR: others
 * changed it all the time)
 */
int sb_nft_set_list(struct sb_nl *nl, const struct sb_nft_set *set, void **ret_keys, size_t *ret_n,
		    struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	_cleanup_free_ char *keys = NULL;
	struct keys k = { .key_len = set->key_len };
	const struct sb_nl_reader reader = { .fn = read_keys, .arg = &k };
	struct sb_err e = SB_ERR_INIT;
	int ret = -EINTR;

	add_nft(&b, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	sb_nl_what(&b, "list firewall set '%s'", set->name);
	put_element(&b, set, NULL, 0);
	for (int i = 0; i < DUMP_TRIES && ret == -EINTR; i++) {
		k.n = 0;
		ret = sb_nl_dump(nl, &b, &reader, &e);
	}
	keys = k.keys;
	if (ret < 0 && ret != -ENOENT) {
		*err = e;
		return ret;
	}
	*ret_n = ret < 0 ? 0 : k.n;
	*ret_keys = *ret_n ? sb_steal_ptr(&keys) : NULL;
	return 0;
}

/**
 * sb_nft_table_del() - Remove a table with all that is in it
 * @nl:		NETLINK_NETFILTER connection; needs CAP_NET_ADMIN over its namespace
 * @table:	its name, inet family
 *
 * Return: 0 also if it was not there, or a negative errno value
 */
int sb_nft_table_del(struct sb_nl *nl, const char *table, struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;

	add_batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	add_nft(&b, NFT_MSG_DELTABLE, NLM_F_ACK);
	sb_nl_what(&b, "remove firewall table '%s'", table);
	sb_nl_tolerate(&b, ENOENT);
	sb_nl_put_str(&b, NFTA_TABLE_NAME, table);
	return commit(nl, &b, err);
}
