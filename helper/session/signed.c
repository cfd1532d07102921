/* Has signatures checked. Must not look into a document of a registry's, nor into a key: ces-verify
 * does, and answers with bits.
 *
 * Who controls what: root controls the keys, by the same walk as the policy; each is read once, so
 * the bytes whose digest goes on record are those that ces-verify has. The registry controls the
 * documents, which are kept and passed on as they came. The digests are those of the pull, or of
 * the user's grant; a run compares them with the stored bytes. A key that was replaced since the
 * pull takes its signatures with it: nothing that was found out at a pull is believed at a run. */
#include "helper/session/signed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/paths.h"
#include "helper/core/ask.h"
#include "helper/verify/job.h"
#include "policy/signed.h"

/* The question to ces-verify as it grows, and the keys in it. */
struct question {
	struct ces_bytes_out bytes;
	struct ces_verify_job job;
	char keys[CES_SIGNERS_MAX][CES_DIGEST_LENGTH + 1]; /* digests of the files */
};

static int add_key(struct question *question, size_t i, const char *name, struct ces_error *err)
{
	char path[CES_SIGNER_PATH + sizeof(CES_POLICY_DIR)];
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;

	(void)snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : CES_POLICY_DIR "/", name);
	if (ces_policy_read(path, &bytes, &length, err) < 0)
		return ces_error_context(err, "a key of the policy");
	if (length > CES_SIGNER_KEY_MAX)
		return ces_error_set(err, CES_E_POLICY, "%s: too long for a public key", path);
	ces_digest_of(bytes, length, question->keys[i]);
	question->job.keys[i] = length;
	(void)snprintf(question->job.names[i], CES_SIGNER_PATH, "%s", name);
	ces_bytes_add(&question->bytes, bytes, length);
	return 0;
}

static int put(struct question *question, const struct ces_decision *decision,
	       const struct ces_bytes *bag, struct ces_error *err)
{
	const struct ces_decision_signers *signers = &decision->signed_by;

	question->job.n_keys = signers->n;
	question->job.bag = bag->length;
	ces_bytes_add(&question->bytes, (const char *)&question->job, sizeof(question->job));
	for (size_t i = 0; i < signers->n; i++)
		if (add_key(question, i, signers->v[i], err) < 0)
			return -1;
	if (bag->length > 0)
		ces_bytes_add(&question->bytes, bag->bytes, bag->length);
	if (question->bytes.failed)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	memcpy(question->bytes.text, &question->job, sizeof(question->job));
	return 0;
}

static int ask(const struct question *question, struct ces_verify_answer *ret,
	       struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *block = NULL;
	size_t length = 0;

	if (ces_ask(CES_PARSE_SIGNED, NULL, question->bytes.text, question->bytes.used,
		    CES_E_POLICY, &block, &length, err) < 0)
		return -1;
	if (block == NULL || length != sizeof(*ret))
		return ces_error_set(err, CES_E_HOST, "ces-verify gave no answer");
	memcpy(ret, block, sizeof(*ret));
	return 0;
}

static void note(const struct question *question, const struct ces_decision_signers *signers,
		 const struct ces_verify_answer *answer, struct ces_signers *ret)
{
	for (size_t i = 0; i < signers->n; i++)
		for (size_t d = 0; d < question->job.n_digests; d++) {
			struct ces_signer *one = &ret->v[ret->n];

			if (((answer->by[d] >> i) & 1) == 0)
				continue;
			memcpy(one->name, signers->v[i], sizeof(one->name));
			memcpy(one->key, question->keys[i], sizeof(one->key));
			memcpy(one->digest, question->job.digests[d], sizeof(one->digest));
			ret->n++;
			break;
		}
}

int ces_signed_check(const struct ces_decision *decision, const char *digest,
		     const char *top_digest, const struct ces_bytes *bag, struct ces_signers *ret,
		     struct ces_error *err)
{
	struct question question = {.job.n_digests = 1};
	struct ces_verify_answer answer = {0};
	int result;

	ret->n = 0;
	if (decision->signed_by.n == 0)
		return 0;
	memcpy(question.job.digests[0], digest, CES_DIGEST_LENGTH + 1);
	if (strcmp(digest, top_digest) != 0)
		memcpy(question.job.digests[question.job.n_digests++], top_digest,
		       CES_DIGEST_LENGTH + 1);
	result = put(&question, decision, bag, err);
	if (result == 0)
		result = ask(&question, &answer, err);
	free(question.bytes.text);
	if (result < 0)
		return -1;
	note(&question, &decision->signed_by, &answer, ret);
	return ces_decide_signed(decision, digest, answer.by[0] | answer.by[1], err);
}

int ces_signed_check_kept(const struct ces_store *store, const struct ces_decision *decision,
			  const struct ces_grant *grant, struct ces_signers *ret,
			  struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	char name[CES_DIGEST_LENGTH + 1], path[160];
	struct ces_bytes bag = {0};

	if (decision->signed_by.n == 0)
		return 0;
	ces_store_signed_name(&decision->image, name);
	(void)snprintf(path, sizeof(path), "%s/signed-%s", ces_store_hex(grant->digest),
		       ces_store_hex(name));
	if (ces_store_read(store->images, path, CES_BAG_MAX, &bytes, &bag.length) == 0)
		bag.bytes = bytes;
	if (ces_signed_check(decision, grant->digest, grant->top_digest, &bag, ret, err) == 0)
		return 0;
	return err->code == CES_E_DENIED ? ces_error_rule(err, err->code, err->rule,
							  "%.480s; then pull it again", err->text)
					 : -1;
}
