/* Reads a directory of evidence. Others may be able to write there: it must take only regular
 * files, follow no link, and take a file only if its digest is its name. */
#include "policy/evidence/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "helper/unpack/json_scan.h"
#include "policy/evidence/judge.h"
#include "policy/evidence/part.h"
#include "policy/evidence/store_names.h"
#include "policy/parsed.h"

int ces_store_open(const char *path, int *ret_fd, struct ces_error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	*ret_fd = fd;
	return 0;
}

char *ces_store_beside(const char *policy)
{
	const char *slash = strrchr(policy, '/');
	char *path = NULL;

	if (asprintf(&path, "%.*sevidence.d", slash != NULL ? (int)(slash + 1 - policy) : 0,
		     policy) < 0)
		return NULL;
	return path;
}

void ces_store_folder(const char *digest, char ret[CES_STORE_NAME])
{
	snprintf(ret, CES_STORE_NAME, "sha256-%s", digest + 7);
}

void ces_store_name(const char *kind, const char *digest, char ret[CES_STORE_NAME])
{
	snprintf(ret, CES_STORE_NAME, "%s-%s.json", kind, digest + 7);
}

bool ces_store_digest(const char *name, const char *before, const char *after,
		      char ret[CES_DIGEST_LENGTH + 1])
{
	size_t n = strlen(before);

	if (strncmp(name, before, n) != 0 || strlen(name) != n + 64 + strlen(after) ||
	    strcmp(name + n + 64, after) != 0)
		return false;
	snprintf(ret, CES_DIGEST_LENGTH + 1, "sha256:%.64s", name + n);
	return ces_digest_valid(ret);
}

static int open_folder(int dir, const char *digest)
{
	char name[CES_STORE_NAME];

	ces_store_folder(digest, name);
	return dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Reads a whole file, whose digest must be the one in its name. */
static int take_file(int folder, const char *kind, const char *digest, size_t max, char **ret,
		     size_t *ret_length, struct ces_error *err)
{
	char name[CES_STORE_NAME], found[CES_DIGEST_LENGTH + 1];
	CES_CLEANUP_FREE char *bytes = NULL;
	CES_CLEANUP_FD int fd = -1;
	size_t length = 0;
	struct stat st;

	ces_store_name(kind, digest, name);
	/* O_NONBLOCK: a FIFO answers at once and is then refused. */
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", name);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_IMAGE, "%s: not a regular file", name);
	if (ces_read_file(fd, max, &bytes, &length) != 0)
		return ces_error_errno(err, CES_E_IMAGE, "%s", name);
	ces_digest_of(bytes, length, found);
	if (strcmp(found, digest) != 0)
		return ces_error_set(err, CES_E_IMAGE, "%s was changed: its digest is %s", name,
				     found);
	*ret = ces_steal_pointer(&bytes);
	*ret_length = length;
	return 0;
}

struct digests {
	char (*v)[CES_DIGEST_LENGTH + 1];
	size_t n, cap;
};

static int by_text(const void *left, const void *right)
{
	return strcmp(left, right);
}

/* The digests in the names "<before><64 hex><after>" of a directory, sorted. It takes over the
 * fd. */
static int list_names(int fd, const char *before, const char *after, size_t max,
		      struct digests *ret, struct ces_error *err)
{
	CES_CLEANUP_DIR DIR *list = fdopendir(fd);
	const struct dirent *entry;

	if (list == NULL) {
		(void)ces_error_errno(err, CES_E_HOST, "the directory of evidence");
		close(fd);
		return -1;
	}
	rewinddir(list);
	while ((entry = readdir(list)) != NULL) {
		char digest[CES_DIGEST_LENGTH + 1];

		if (!ces_store_digest(entry->d_name, before, after, digest))
			continue;
		if (ret->n == max)
			return ces_error_set(err, CES_E_LIMIT,
					     "there are more than %zu entries in one directory of "
					     "evidence",
					     max);
		if (ret->n == ret->cap) {
			size_t cap = ret->cap * 2 + 64;
			void *v = reallocarray(ret->v, cap, sizeof(ret->v[0]));

			if (v == NULL)
				return ces_error_set(err, CES_E_HOST, "out of memory");
			ret->v = v;
			ret->cap = cap;
		}
		memcpy(ret->v[ret->n++], digest, sizeof(digest));
	}
	if (ret->n > 1)
		qsort(ret->v, ret->n, sizeof(ret->v[0]), by_text);
	return 0;
}

static int each_record(int folder, const char *digest, const char *record, ces_store_each *each,
		       void *context, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_evidence evidence;
	size_t length = 0;
	int result;

	if (take_file(folder, "report", record, CES_EVIDENCE_BYTES, &bytes, &length, err) != 0)
		return -1;
	if (ces_evidence_load(bytes, length, &evidence, err) != 0)
		return ces_error_context(err, "report-%s.json", record + 7);
	if (strcmp(evidence.digest, digest) != 0)
		result = ces_error_set(err, CES_E_IMAGE, "report-%s.json is about another image",
				       record + 7);
	else
		result = each(context, record, &evidence);
	ces_evidence_free(&evidence);
	return result;
}

int ces_store_records(int dir, const char *digest, ces_store_each *each, void *context,
		      struct ces_error *err)
{
	CES_CLEANUP_FD int folder = open_folder(dir, digest);
	struct digests records = {NULL, 0, 0};
	int result, copy;

	if (folder < 0)
		return dir < 0 || errno == ENOENT
			   ? 0
			   : ces_error_errno(err, CES_E_HOST, "the evidence of %s", digest);
	copy = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return ces_error_errno(err, CES_E_HOST, "the evidence of %s", digest);
	result = list_names(copy, "report-", ".json", CES_EVIDENCE_RECORDS, &records, err);
	for (size_t i = 0; result == 0 && i < records.n; i++)
		result = each_record(folder, digest, records.v[i], each, context, err);
	free(records.v);
	return result;
}

int ces_store_images(int dir, int (*each)(void *, const char *), void *context,
		     struct ces_error *err)
{
	struct digests images = {NULL, 0, 0};
	int result, copy;

	if (dir < 0)
		return 0;
	copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return ces_error_errno(err, CES_E_HOST, "the directory of evidence");
	result = list_names(copy, "sha256-", "", CES_EVIDENCE_IMAGES, &images, err);
	for (size_t i = 0; result == 0 && i < images.n; i++)
		result = each(context, images.v[i]);
	free(images.v);
	return result;
}

struct set {
	FILE *out;
	size_t n;
};

static int add_to_set(void *context, const char *record, const struct ces_evidence *evidence)
{
	struct set *set = context;

	(void)evidence;
	fprintf(set->out, "%s\n\"%s\"", set->n++ > 0 ? "," : "", record);
	return 0;
}

int ces_store_set(int dir, const char *digest, char **ret, size_t *ret_length,
		  char ret_set[CES_DIGEST_LENGTH + 1], size_t *ret_n, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;
	struct set set = {.out = open_memstream(&bytes, &length)};
	int result;

	if (set.out == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	fprintf(set.out, "{\n\"ces_evidence_set\": 1,\n\"digest\": \"%s\",\n\"records\": [",
		digest);
	result = ces_store_records(dir, digest, add_to_set, &set, err);
	fputs("\n]\n}\n", set.out);
	if (fclose(set.out) != 0 && result == 0)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (result != 0)
		return -1;
	*ret_n = set.n;
	if (set.n == 0)
		return 0;
	ces_digest_of(bytes, length, ret_set);
	*ret = ces_steal_pointer(&bytes);
	*ret_length = length;
	return 0;
}

static int ignore_record(void *context, const char *record, const struct ces_evidence *evidence)
{
	(void)context;
	(void)record;
	(void)evidence;
	return 0;
}

static const char *verify_set(int folder, const char *digest, const char *bytes, size_t length)
{
	struct ces_part records, at = {NULL, NULL};
	char record[CES_DIGEST_LENGTH + 1];

	if (ces_json_scan(bytes, length) != NULL)
		return "is no set of records";
	records = ces_part_member(ces_part_of(bytes, length), "records");
	if (!ces_part_is(ces_part_member(ces_part_of(bytes, length), "digest"), digest))
		return "is about another image";
	while (ces_part_next(records, &at)) {
		struct ces_error err = {0};

		if (!ces_part_text(at, record, sizeof(record)) || !ces_digest_valid(record))
			return "is no set of records";
		if (each_record(folder, digest, record, ignore_record, NULL, &err) != 0)
			return err.code == CES_E_NOTFOUND ? "lacks a report that was there"
							  : "has a report that was changed";
	}
	return NULL;
}

const char *ces_store_verify(int dir, const char *digest, const char *set)
{
	CES_CLEANUP_FD int folder = open_folder(dir, digest);
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_error err = {0};
	size_t length = 0;

	if (folder < 0)
		return "is missing";
	if (take_file(folder, "approved", set, CES_SET_BYTES, &bytes, &length, &err) != 0)
		return err.code == CES_E_NOTFOUND ? "is missing" : "was changed";
	return verify_set(folder, digest, bytes, length);
}

/* Takes one file, or refuses it, as ces-admit does. *left: the bytes that all may still have. */
static int check_one(int folder, const char *name, size_t *left, struct ces_error *err)
{
	bool set = strncmp(name, "approved-", 9) == 0;
	char digest[CES_DIGEST_LENGTH + 1];
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;
	struct stat st;

	if (!set && strncmp(name, "report-", 7) != 0)
		return 0;
	if (!ces_store_digest(name, set ? "approved-" : "report-", ".json", digest))
		return ces_error_set(err, CES_E_IMAGE, "%s: no report has such a name: remove it",
				     name);
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return ces_error_errno(err, CES_E_HOST, "%s", name);
	if (sizeof(struct ces_parse_file) + (size_t)st.st_size > *left)
		return ces_error_set(err, CES_E_LIMIT,
				     "it has more than %u MiB: type ces-policy evidence prune",
				     CES_PARSE_FILES >> 20);
	*left -= sizeof(struct ces_parse_file) + (size_t)st.st_size;
	return set ? take_file(folder, "approved", digest, CES_SET_BYTES, &bytes, &length, err) : 0;
}

/* The same for every file of these names. */
static int check_files(int folder, struct ces_error *err)
{
	CES_CLEANUP_DIR DIR *list = NULL;
	int copy = fcntl(folder, F_DUPFD_CLOEXEC, 3), result = 0;
	size_t left = CES_PARSE_FILES - sizeof(struct ces_parse_evidence);
	const struct dirent *entry;

	list = copy < 0 ? NULL : fdopendir(copy);
	if (list == NULL) {
		ces_cleanup_close(&copy);
		return ces_error_errno(err, CES_E_HOST, "the directory of evidence");
	}
	rewinddir(list);
	while (result == 0 && (entry = readdir(list)) != NULL)
		result = check_one(folder, entry->d_name, &left, err);
	return result;
}

static int judge_all(struct ces_judge *judge, int folder, const char *set, struct ces_error *err)
{
	struct digests records = {NULL, 0, 0};
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;
	int copy, result = 0;

	if (check_files(folder, err) != 0 ||
	    (set != NULL &&
	     (take_file(folder, "approved", set, CES_SET_BYTES, &bytes, &length, err) != 0 ||
	      ces_judge_set(judge, bytes, length, err) != 0)))
		return -1;
	copy = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return ces_error_errno(err, CES_E_HOST, "the evidence of %s", judge->digest);
	result = list_names(copy, "report-", ".json", CES_EVIDENCE_RECORDS, &records, err);
	for (size_t i = 0; result == 0 && i < records.n; i++) {
		CES_CLEANUP_FREE char *record = NULL;
		struct ces_evidence evidence;

		result = take_file(folder, "report", records.v[i], CES_EVIDENCE_BYTES, &record,
				   &length, err);
		if (result == 0)
			result = ces_evidence_load(record, length, &evidence, err);
		if (result == 0)
			result = ces_judge_record(judge, records.v[i], &evidence, err);
	}
	free(records.v);
	return result;
}

int ces_store_facts(int dir, const char *digest, const char *set, struct ces_evidence_facts *ret,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int folder = open_folder(dir, digest);
	struct ces_judge judge = {.digest = digest};
	int result;

	*ret = (struct ces_evidence_facts){.n_scans = 0};
	if (folder < 0 && set == NULL)
		return 0;
	if (folder < 0)
		return ces_error_set(err, CES_E_NOTFOUND, "it is missing");
	result = judge_all(&judge, folder, set, err);
	if (result == 0)
		result = ces_judge_end(&judge, ret, err);
	ces_judge_free(&judge);
	return result;
}

static int each_of_set(int folder, const char *set, int (*each)(void *, const char *),
		       void *context, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_part records, at = {NULL, NULL};
	char record[CES_DIGEST_LENGTH + 1];
	size_t length = 0;

	if (take_file(folder, "approved", set, CES_SET_BYTES, &bytes, &length, err) != 0)
		return -1;
	if (ces_json_scan(bytes, length) != NULL)
		return ces_error_set(err, CES_E_IMAGE, "approved-%s.json is not a list of records",
				     set + 7);
	records = ces_part_member(ces_part_of(bytes, length), "records");
	while (ces_part_next(records, &at))
		if (ces_part_text(at, record, sizeof(record)) && each(context, record) != 0)
			return -1;
	return 0;
}

int ces_store_approved(int dir, const char *digest, int (*each)(void *, const char *),
		       void *context, struct ces_error *err)
{
	CES_CLEANUP_FD int folder = open_folder(dir, digest);
	struct digests sets = {NULL, 0, 0};
	int result, copy = folder < 0 ? -1 : fcntl(folder, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return ces_error_errno(err, CES_E_HOST, "the evidence of %s", digest);
	result = list_names(copy, "approved-", ".json", CES_EVIDENCE_RECORDS, &sets, err);
	for (size_t i = 0; result == 0 && i < sets.n; i++)
		result = each_of_set(folder, sets.v[i], each, context, err);
	free(sets.v);
	return result;
}
