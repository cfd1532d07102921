/* ces-verify: says which of the policy's keys have signed an image. It has the account and the
 * walls of ces-parse and ces-decode: no file, no network, no exec, two pipes and memory. It is a
 * program of its own so that no other loads a library for signatures, and so that a registry's byte
 * never comes into a process that reads the policy.
 *
 * Who controls what: root controls the keys, whose files root opened and hashed; the registry the
 * documents. A registry that took this process over could have its own image taken for signed, and
 * no more: the answer is bits. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "helper/parse/sandbox.h"
#include "helper/verify/find.h"
#include "policy/parsed.h"
#include "policy/receipt/key.h"

static int take_job(struct ces_verify_job *job, struct ces_error *err)
{
	static struct ces_parse_job head;

	if (ces_read_full(CES_PARSE_JOB, &head, sizeof(head), -1) < 0 ||
	    head.magic != CES_PARSE_MAGIC || head.kind != CES_PARSE_SIGNED ||
	    ces_read_full(CES_PARSE_JOB, job, sizeof(*job), -1) < 0 ||
	    job->n_keys > CES_SIGNERS_MAX || job->n_digests > CES_VERIFIED_DIGESTS ||
	    job->bag > CES_BAG_MAX)
		return ces_error_set(err, CES_E_INTERNAL, "not a job");
	return 0;
}

static int take_key(struct ces_verify_job *job, size_t i, EVP_PKEY **ret, struct ces_error *err)
{
	char pem[CES_SIGNER_KEY_MAX];

	job->names[i][CES_SIGNER_PATH - 1] = '\0';
	if (job->keys[i] > sizeof(pem) || ces_read_full(CES_PARSE_JOB, pem, job->keys[i], -1) < 0)
		return ces_error_set(err, CES_E_INTERNAL, "not a job");
	return ces_key_public(pem, job->keys[i], job->names[i], ret, err);
}

/* A key never counts twice, in however many files and forms it is. */
static int take_keys(struct ces_verify_job *job, struct ces_verify *verify, struct ces_error *err)
{
	for (size_t i = 0; i < job->n_keys; i++) {
		if (take_key(job, i, &verify->keys[i], err) < 0)
			return -1;
		verify->n_keys++;
		for (size_t j = 0; j < i; j++)
			if (verify->keys[j] != NULL &&
			    EVP_PKEY_eq(verify->keys[j], verify->keys[i]) == 1) {
				EVP_PKEY_free(verify->keys[i]);
				verify->keys[i] = NULL;
				break;
			}
	}
	return 0;
}

static int work(uint8_t **ret, size_t *ret_length, struct ces_error *err)
{
	static struct ces_verify_job job;
	static struct ces_verify verify;
	CES_CLEANUP_FREE struct ces_verify_answer *answer = NULL;
	CES_CLEANUP_FREE uint8_t *bag = NULL;

	/* (the library would look for configuration files, and this sandbox would kill the process
	 * for it) */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return ces_error_set(err, CES_E_HOST, "OpenSSL's library does not start");
	if (take_job(&job, err) < 0 || take_keys(&job, &verify, err) < 0)
		return -1;
	for (; verify.n_digests < job.n_digests; verify.n_digests++) {
		job.digests[verify.n_digests][CES_DIGEST_LENGTH] = '\0';
		if (!ces_digest_valid(job.digests[verify.n_digests]))
			return ces_error_set(err, CES_E_INTERNAL, "not a job");
		memcpy(verify.digests[verify.n_digests], job.digests[verify.n_digests],
		       CES_DIGEST_LENGTH + 1);
	}
	bag = malloc(job.bag + 1);
	answer = malloc(sizeof(*answer));
	if (bag == NULL || answer == NULL || ces_read_full(CES_PARSE_JOB, bag, job.bag, -1) < 0)
		return ces_error_set(err, CES_E_HOST, "reading the documents");
	ces_verify_find(&verify, bag, job.bag);
	*answer = verify.found;
	*ret = (uint8_t *)ces_steal_pointer(&answer);
	*ret_length = sizeof(*answer);
	return 0;
}

int main(void)
{
	return ces_parse_serve(work);
}
