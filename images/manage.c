/* SPDX-License-Identifier: Apache-2.0 */
/* manage.c - facade of images/ for the layers above: names of stored images, and their removal */
#include "images/manage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "images/inventory.h"
#include "images/resolve.h"
#include "images/roots.h"
#include "images/store.h"
#include "images/stored.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/**
 * sb_image_tag() - Give an image one more name
 * @store_dirfd:	the store; borrowed
 * @image:	what the user calls it, see sb_resolve()
 * @name:	the name, without a digest; if it stands for another image, it moves
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image, -EINVAL: not a name) with nothing
 * changed
 */
int sb_image_tag(int store_dirfd, const char *image, const char *name, struct sb_err *err)
{
	char full[SB_REFERENCE_SIZE], file[SB_STORE_NAME_SIZE];
	struct sb_stored_manifest m = { .json = NULL };
	struct sb_resolved found;
	struct sb_image_ref ref;
	_cleanup_fd_ int lock = -1;

	if (sb_resolve_is_id(name))
		return sb_err_refuse(err, EINVAL, "'%.80s' is an id, not a name", name);
	if (sb_reference_complete(name, full, sizeof(full), err) < 0 ||
	    sb_reference_parse(full, &ref, err) < 0 || sb_store_ref_file_name(&ref, file, err) < 0)
		return -err->code;
	lock = sb_store_lock(store_dirfd, LOCK_SH, err);
	if (lock < 0 || sb_resolve(store_dirfd, image, &found, err) < 0 ||
	    sb_stored_manifest_read(store_dirfd, found.digest, &m, err) < 0)
		return -err->code;
	sb_stored_manifest_done(&m);
	return sb_store_write_ref(store_dirfd, file, found.digest, found.index, err);
}

/**
 * struct removal - one removal at work
 * @image:	what the user calls the image; NULL: all that no sandbox uses
 * @force:	also several names, and an image that a sandbox uses
 * @changes:	what was done
 * @touched:	digests of the images that lost a name, or were to go
 */
struct removal {
	const char *image;
	bool force;
	struct sb_image_changes *changes;
	struct sb_strv touched;
};

static int unlink_ref(int store_dirfd, const char *reference, struct removal *r, struct sb_err *err)
{
	char file[SB_STORE_NAME_SIZE], path[sizeof(SB_STORE_REFS) + SB_STORE_NAME_SIZE];
	struct sb_image_ref ref;

	if (sb_reference_parse(reference, &ref, err) < 0 ||
	    sb_store_ref_file_name(&ref, file, err) < 0)
		return -err->code;
	snprintf(path, sizeof(path), SB_STORE_REFS "/%s", file);
	if (unlinkat(store_dirfd, path, 0) < 0)
		return sb_err_set(err, errno, "remove the name '%.100s'", reference);
	return sb_strv_add(&r->changes->untagged, reference, err);
}

static int unlink_all(int store_dirfd, const struct sb_root *root, struct removal *r,
		      struct sb_err *err)
{
	for (size_t i = 0; i < root->references.n; i++)
		if (unlink_ref(store_dirfd, root->references.v[i], r, err) < 0)
			return -err->code;
	return 0;
}

static int refuse_used(const struct sb_root *root, const struct removal *r, struct sb_err *err)
{
	const char *id = root->sandboxes.v[0];

	if (root->sandboxes.n == 1)
		sb_err_refuse(err, EBUSY, "image '%.100s' is used by sandbox %s", r->image, id);
	else
		sb_err_refuse(err, EBUSY, "image '%.100s' is used by sandbox %s and %zu more",
			      r->image, id, root->sandboxes.n - 1);
	if (root->references.n == 0)
		return sb_err_hint(err, "it goes with the sandbox: 'sbrun rm -f %s'", id);
	return sb_err_hint(err,
			   "'sbrun rm -f %s' removes the sandbox, 'sbrun gc' what a reboot left of "
			   "it, 'image rm -f' only the name",
			   id);
}

/* The names that are to go; none if @found was found by a name of several. */
static int unname(int store_dirfd, const struct sb_resolved *found, const struct sb_root *root,
		  struct removal *r, struct sb_err *err)
{
	const struct sb_strv *names = &root->references;
	bool by_name = found->reference[0];

	if (!by_name && names->n > 1 && !r->force) {
		sb_err_refuse(err, EBUSY, "image '%.100s' has %zu names", r->image, names->n);
		return sb_err_hint(err, "'%.60s' is one; remove them by name, or all with -f",
				   names->v[0]);
	}
	/* The last name of an image in use stays, unless forced; the image itself stays anyway. */
	if (root->sandboxes.n > 0 && (names->n == 0 || ((!by_name || names->n == 1) && !r->force)))
		return refuse_used(root, r, err);
	return by_name ? unlink_ref(store_dirfd, found->reference, r, err)
		       : unlink_all(store_dirfd, root, r, err);
}

/* A reference that stands for no digest keeps nothing, but every collection refuses because of it.
 */
static bool is_broken(int store_dirfd, const char *text, char *ret_full)
{
	char file[SB_STORE_NAME_SIZE], path[sizeof(SB_STORE_REFS) + SB_STORE_NAME_SIZE];
	char digest[SB_DIGEST_SIZE];
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_image_ref ref;

	if (sb_reference_parse(text, &ref, &ignored) < 0 ||
	    sb_store_ref_file_name(&ref, file, &ignored) < 0)
		return false;
	sb_reference_format(&ref, ret_full, SB_REFERENCE_SIZE);
	snprintf(path, sizeof(path), SB_STORE_REFS "/%s", file);
	return sb_store_read_ref(store_dirfd, path, digest, NULL) == -EPROTO;
}

static int unname_one(int store_dirfd, void *arg, struct sb_err *err)
{
	char full[SB_REFERENCE_SIZE];
	struct removal *r = arg;
	struct sb_roots roots;
	struct sb_resolved found;
	const struct sb_root *root;
	int ret;

	if (is_broken(store_dirfd, r->image, full))
		return unlink_ref(store_dirfd, full, r, err);
	if (sb_resolve(store_dirfd, r->image, &found, err) < 0 ||
	    sb_strv_add(&r->touched, found.digest, err) < 0 ||
	    sb_roots_read(store_dirfd, &roots, err) < 0)
		return -err->code;
	root = sb_roots_find(&roots, found.digest);
	/* Without a root, nothing but the collection that follows is needed. */
	ret = root ? unname(store_dirfd, &found, root, r, err) : 0;
	sb_roots_done(&roots);
	return ret;
}

/* No name goes if files could not: what stays has to be readable. */
static int unname_unused(int store_dirfd, void *arg, struct sb_err *err)
{
	struct removal *r = arg;
	struct sb_inventory stays;
	struct sb_roots roots;
	int ret;

	if (sb_inventory_read(store_dirfd, SB_INVENTORY_STRICT | SB_INVENTORY_IN_USE, &stays, err) <
	    0)
		return -err->code;
	sb_inventory_done(&stays);
	ret = sb_roots_read(store_dirfd, &roots, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; ret == 0 && i < roots.n; i++) {
		const struct sb_root *root = &roots.v[i];

		if (root->sandboxes.n > 0)
			continue;
		ret = sb_strv_add(&r->touched, root->digest, err);
		if (ret == 0)
			ret = unlink_all(store_dirfd, root, r, err);
	}
	sb_roots_done(&roots);
	return ret;
}

/*
 * The collection has met something unreadable. A name that is gone has told all there is to tell
 * if another one keeps the image.
 */
static int explain(int store_dirfd, const struct removal *r, struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_roots roots;
	bool kept;

	if (r->changes->untagged.n == 0)
		return sb_err_prefix(err, "nothing is removed");
	if (r->touched.n > 0 && sb_roots_read(store_dirfd, &roots, &ignored) == 0) {
		kept = sb_roots_find(&roots, r->touched.v[0]);
		sb_roots_done(&roots);
		if (kept)
			return 0;
	}
	return sb_err_prefix(err, "the name is gone, but files stay until this is solved");
}

/* Which of the images that were touched are gone. */
static int list_deleted(int store_dirfd, struct removal *r, struct sb_err *err)
{
	for (size_t i = 0; i < r->touched.n; i++) {
		char name[SB_DIGEST_SIZE], path[sizeof(SB_STORE_BLOBS) + SB_DIGEST_SIZE];

		sb_digest_file_name(r->touched.v[i], name);
		snprintf(path, sizeof(path), SB_STORE_BLOBS "/%s", name);
		if (faccessat(store_dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		    sb_strv_add(&r->changes->deleted, r->touched.v[i], err) < 0)
			return -err->code;
	}
	return 0;
}

static int remove_images(const struct sb_collection *how, struct removal *r, struct sb_err *err)
{
	int ret = sb_collect(how, &r->changes->collected, err);

	if (ret == -EPROTO)
		ret = explain(how->store_dirfd, r, err);
	if (ret == 0)
		ret = list_deleted(how->store_dirfd, r, err);
	sb_strv_done(&r->touched);
	return ret;
}

/**
 * sb_image_remove() - Remove a name of an image, or all, and the image when it has none left
 * @store_dirfd:	the store; borrowed
 * @image:	what the user calls it, see sb_resolve(): by a name, that name goes; by a digest all
 * @force:	also several names by digest, and the last name of an image that a sandbox uses; its
 *		layers stay until the sandbox is removed
 * @ret:	empty; what was done, also as far as it came on failure. sb_image_changes_done()
 *frees it
 *
 * The name goes also if the image cannot be read.
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image; -EBUSY: a sandbox uses it, it has
 * several names, or see sb_store_lock(); -EPROTO: another image cannot be read, so no files were
 * removed; the name is gone)
 */
int sb_image_remove(int store_dirfd, const char *image, bool force, struct sb_image_changes *ret,
		    struct sb_err *err)
{
	struct removal r = { .image = image, .force = force, .changes = ret };
	const struct sb_collection how = { .store_dirfd = store_dirfd,
					   .unname = unname_one,
					   .arg = &r };

	return remove_images(&how, &r, err);
}

/**
 * sb_images_prune() - Remove what nothing keeps, and unfinished downloads
 * @store_dirfd:	the store; borrowed
 * @all:	also the images that no sandbox uses, with their names
 * @ret:	as for sb_image_remove()
 *
 * Return: 0, or a negative errno value, see sb_collect(). No name goes if files cannot go: -EPROTO
 */
int sb_images_prune(int store_dirfd, bool all, struct sb_image_changes *ret, struct sb_err *err)
{
	struct removal r = { .changes = ret };
	const struct sb_collection how = { .store_dirfd = store_dirfd,
					   .all_partials = true,
					   .unname = all ? unname_unused : NULL,
					   .arg = &r };

	return remove_images(&how, &r, err);
}

/**
 * sb_image_changes_done() - Free what a removal has told; it is empty afterwards
 * @changes:	changes
 */
void sb_image_changes_done(struct sb_image_changes *changes)
{
	sb_strv_done(&changes->untagged);
	sb_strv_done(&changes->deleted);
	*changes = (struct sb_image_changes)SB_IMAGE_CHANGES_INIT;
}
