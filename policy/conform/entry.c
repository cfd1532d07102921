/* The entries of the layers: what each may reveal, and which a later layer hides. A hidden secret
 * is still a secret: everybody who pulls the image has its layer. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/conform/look.h"
#include "policy/conform/packages.h"
#include "policy/conform/signs.h"

#define LIST_MAX      (32u * 1024 * 1024)
#define LICENCES_KEPT 64
#define HEAD_MAX      4096 /* of a file that may be a private key */

static void mark(struct ces_look *look, enum ces_mark_kind kind, const char *path, mode_t mode,
		 size_t finding)
{
	const struct ces_mark made = {.path = (char *)(uintptr_t)path,
				      .layer = look->layer,
				      .kind = kind,
				      .mode = mode,
				      .finding = finding};

	ces_marks_add(&look->marks, &made);
}

static void report(struct ces_look *look, enum ces_conform_rule_index rule, const char *path,
		   const char *text)
{
	struct ces_conform_place place = {.layer = look->layer};
	CES_CLEANUP_FREE char *shown = malloc(strlen(path) + 2);
	size_t found;

	if (shown == NULL) {
		look->conform->no_memory = true;
		return;
	}
	shown[0] = '/';
	memcpy(shown + 1, path, strlen(path) + 1);
	place.path = shown;
	found = ces_conform_add(look->conform, rule, &place, "%s", text);
	if (found != SIZE_MAX)
		mark(look, CES_MARK_FINDING, path, 0, found);
}

static void check_mode(struct ces_look *look, const char *path, mode_t mode, bool directory)
{
	if (!directory && (mode & S_ISUID) != 0)
		report(look, CES_CONFORM_SETUID, path, "a setuid program");
	else if (!directory && (mode & S_ISGID) != 0 && (mode & S_IXGRP) != 0)
		report(look, CES_CONFORM_SETUID, path, "a setgid program");
	if ((mode & S_IWOTH) != 0 && (!directory || (mode & S_ISVTX) == 0))
		report(look, CES_CONFORM_WRITABLE, path,
		       directory ? "everyone may write to the directory, and remove what others "
				   "wrote"
				 : "everyone may write to the file");
}

/* Returns whether this layer has reported the path before. */
static bool is_reported(const struct ces_look *look, const char *path)
{
	const struct ces_mark *found = ces_marks_find(&look->marks, CES_MARK_FINDING, path);

	return found != NULL && found->layer == look->layer;
}

/* The directory itself, or the first file inside: a tar need not name the directory. */
static void check_git(struct ces_look *look, const struct ces_path *path, bool directory)
{
	char whole[PATH_MAX];
	const char *at = path->text;

	while (at != NULL) {
		size_t length = strcspn(at, "/");

		if (length == 4 && strncmp(at, ".git", 4) == 0 && (at[4] == '/' || directory)) {
			size_t n = (size_t)(at - path->text) + 4;

			memcpy(whole, path->text, n);
			whole[n] = '\0';
			if (!is_reported(look, whole))
				report(look, CES_CONFORM_GIT, whole, "a directory of git");
			return;
		}
		at = at[length] == '/' ? at + length + 1 : NULL;
	}
}

/* Reads up to `max` bytes of the entry's data, malloc'd. */
static int read_data(struct archive *archive, size_t max, char **ret, size_t *ret_length,
		     struct ces_error *err)
{
	size_t size = 0, used = 0;
	char *bytes = NULL;

	for (;;) {
		la_ssize_t n;

		if (used == size) {
			char *bigger;

			size = size == 0 ? HEAD_MAX : size * 2;
			bigger = realloc(bytes, size);
			if (bigger == NULL)
				break;
			bytes = bigger;
		}
		if (used >= max) {
			*ret = bytes;
			*ret_length = max;
			return 0;
		}
		n = archive_read_data(archive, bytes + used, size - used);
		if (n == 0) {
			*ret = bytes;
			*ret_length = used;
			return 0;
		}
		if (n < 0) {
			free(bytes);
			return ces_error_set(err, CES_E_IMAGE, "its data cannot be read");
		}
		used += (size_t)n;
	}
	free(bytes);
	return ces_error_set(err, CES_E_INTERNAL, "out of memory");
}

static int check_key(struct ces_look *look, struct archive *archive, const char *path,
		     struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;

	if (read_data(archive, HEAD_MAX, &bytes, &length, err) < 0)
		return -1;
	if (ces_sign_private_key(bytes, length))
		report(look, CES_CONFORM_SECRET_FILE, path, "a private key");
	return 0;
}

static int take_list(struct ces_look *look, struct archive *archive, const char *path,
		     const char *kind, struct ces_error *err)
{
	free(look->list);
	look->list = NULL;
	look->list_length = 0;
	look->kind = kind;
	look->list_path = ces_packages_path(path);
	look->list_layer = look->layer;
	return read_data(archive, LIST_MAX, &look->list, &look->list_length, err);
}

static int check_file(struct ces_look *look, struct archive *archive, const char *path, mode_t mode,
		      struct ces_error *err)
{
	const char *kind = ces_packages_kind(path);

	check_mode(look, path, mode, false);
	if (ces_sign_secret_file(path))
		report(look, CES_CONFORM_SECRET_FILE, path, "a file that is a secret by its name");
	if ((strchr(path, '/') == NULL && ces_sign_licence_file(path)) ||
	    strncmp(path, "usr/share/licenses/", 19) == 0 ||
	    (strncmp(path, "usr/share/doc/", 14) == 0 && strstr(path, "/copyright") != NULL)) {
		if (look->licences++ < LICENCES_KEPT)
			mark(look, CES_MARK_LICENCE, path, mode, SIZE_MAX);
	}
	if (kind != NULL)
		return take_list(look, archive, path, kind, err);
	return ces_sign_key_file(path) ? check_key(look, archive, path, err) : 0;
}

/* "safe_data" and "safe_data/x" both show that there is such a directory. */
static void take_directory(struct ces_look *look, const struct ces_path *path, mode_t mode,
			   bool directory)
{
	static const char *const names[] = {"safe_data", "safe_outputs", "scratch"};

	for (size_t i = 0; i < CES_COUNT(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(path->text, names[i], n) != 0 ||
		    (path->text[n] != '/' && (path->text[n] != '\0' || !directory)))
			continue;
		if (ces_marks_find(&look->marks, CES_MARK_DIRECTORY, names[i]) == NULL)
			mark(look, CES_MARK_DIRECTORY, names[i], mode, SIZE_MAX);
		return;
	}
	for (size_t i = 0; directory && i < CES_LOOK_TMP; i++)
		if (look->tmp[i] != NULL && strcmp(look->tmp[i], path->text) == 0)
			mark(look, CES_MARK_DIRECTORY, path->text, mode, SIZE_MAX);
}

int ces_look_entry(struct ces_look *look, struct archive *archive, struct archive_entry *entry,
		   const struct ces_path *path, mode_t mode, struct ces_error *err)
{
	bool directory = archive_entry_filetype(entry) == AE_IFDIR;

	if (path->length == 0)
		return 0;
	ces_marks_replace(&look->marks, path->text, look->layer, directory);
	take_directory(look, path, mode, directory);
	check_git(look, path, directory);
	if (directory) {
		check_mode(look, path->text, mode, true);
		if (ces_sign_hub_directory(path->text))
			mark(look, CES_MARK_HUB, path->text, mode, SIZE_MAX);
		return 0;
	}
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != NULL)
		return 0;
	return check_file(look, archive, path->text, mode, err);
}

void ces_look_whiteout(struct ces_look *look, const char *path, bool inside)
{
	ces_marks_hide(&look->marks, path, look->layer, inside);
	/* the list of packages goes with its directory */
	if (look->kind != NULL && look->list_layer < look->layer &&
	    ces_packages_below(look->list_path, path))
		look->kind = NULL;
}

/* A later layer mends what matters only in the final image, but not what a layer reveals. */
void ces_look_end(struct ces_look *look)
{
	for (size_t i = 0; i < look->marks.n; i++) {
		const struct ces_mark *one = &look->marks.v[i];
		struct ces_conform_finding *finding;

		if (one->kind != CES_MARK_FINDING || one->hidden == 0)
			continue;
		finding = &look->conform->v[one->finding];
		finding->hidden_in = one->hidden;
		finding->dropped =
		    finding->rule == CES_CONFORM_SETUID || finding->rule == CES_CONFORM_WRITABLE;
	}
	if (look->kind != NULL)
		ces_packages_read(look->kind, look->list, look->list_length,
				  &look->conform->packages);
}
