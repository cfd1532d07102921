/* Reads the policy. Its file comes by the trusted walk; its meaning comes from ces-parse, or from
 * the copy that ces-session kept. Must not look into the file's bytes except to hash them.
 *
 * Who controls what: root controls the file, and CES alone the copy in /run/ces. A file that
 * changes after it was read has another digest the next time. */
#include "helper/admit/policy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/paths.h"
#include "helper/core/ask.h"
#include "helper/core/beneath.h"
#include "helper/core/order.h"
#include "policy/flat.h"

/* Opens the kept copy, if it is a file of root's alone. */
static int open_kept(void)
{
	CES_CLEANUP_FD int fd =
	    ces_beneath_open(CES_AT_ROOT, CES_RUN_DIR "/" CES_KEPT_NAME, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
		       (st.st_mode & 077) == 0
		   ? ces_steal_fd(&fd)
		   : -1;
}

/* NULL at any doubt. */
static uint8_t *read_kept(const char *digest, size_t *ret_length)
{
	CES_CLEANUP_FD int fd = open_kept();
	struct ces_kept_policy head;
	uint8_t *block;
	char more;

	if (fd < 0 || ces_read_full(fd, &head, sizeof(head), -1) < 0 ||
	    head.magic != CES_KEPT_MAGIC || head.size != sizeof(struct ces_policy) ||
	    head.length > CES_PARSE_BLOCK || memcmp(head.digest, digest, sizeof(head.digest)) != 0)
		return NULL;
	block = malloc(head.length);
	if (block != NULL && ces_read_full(fd, block, head.length, -1) == 0 &&
	    read(fd, &more, 1) == 0 &&
	    ces_flat_load(&ces_policy_flat, block, head.length, NULL) == 0) {
		*ret_length = head.length;
		return block;
	}
	free(block);
	return NULL;
}

static int read_anew(struct ces_read_policy *ret, const char *bytes, size_t length,
		     struct ces_error *err)
{
	uint8_t *block;

	if (ces_ask(CES_PARSE_POLICY, NULL, bytes, length, CES_E_POLICY, &ret->block, &ret->length,
		    err) < 0)
		return -1;
	/* one copy is kept as it is, the other is loaded */
	block = ret->block == NULL ? NULL : malloc(ret->length + 1);
	if (block == NULL)
		return ces_error_set(err, CES_E_HOST, "ces-parse gave no answer");
	memcpy(block, ret->block, ret->length);
	ret->policy = (const struct ces_policy *)(const void *)block;
	return ces_flat_load(&ces_policy_flat, block, ret->length, err);
}

int ces_read_policy(struct ces_read_policy *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	char digest[sizeof(ret->policy->digest)] = "";
	size_t length;

	if (ces_policy_read(CES_POLICY_PATH, &bytes, &length, err) < 0)
		return -1;
	ces_digest_of(bytes, length, digest);
	ret->policy = (const struct ces_policy *)(const void *)read_kept(digest, &ret->length);
	if (ret->policy == NULL && read_anew(ret, bytes, length, err) < 0)
		return ces_error_context(err, "the policy %s", CES_POLICY_PATH);
	/* the block's own word for its digest is not trusted */
	return strcmp(ret->policy->digest, digest) == 0
		   ? 0
		   : ces_error_set(err, CES_E_INTERNAL,
				   "ces-parse read another file than the policy");
}
