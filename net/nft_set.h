/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_set.h - elements of nftables sets, without the nft program
 */
#ifndef SB_NET_NFT_SET_H
#define SB_NET_NFT_SET_H

#include <stddef.h>

struct sb_err;
struct sb_nl;

/**
 * struct sb_nft_set - a plain set of the inet family
 * @table:	table that holds it
 * @name:	its name
 * @key_len:	bytes of a key, at most 64
 */
struct sb_nft_set {
	const char *table;
	const char *name;
	size_t key_len;
};

int sb_nft_set_add(struct sb_nl *nl, const struct sb_nft_set *set, const void *key,
		   struct sb_err *err);
int sb_nft_set_has(struct sb_nl *nl, const struct sb_nft_set *set, const void *key,
		   struct sb_err *err);
int sb_nft_set_expire(struct sb_nl *nl, const struct sb_nft_set *set, const void *key,
		      struct sb_err *err);
int sb_nft_set_list(struct sb_nl *nl, const struct sb_nft_set *set, void **ret_keys, size_t *ret_n,
		    struct sb_err *err);
int sb_nft_table_del(struct sb_nl *nl, const char *table, struct sb_err *err);

#endif /* SB_NET_NFT_SET_H */
