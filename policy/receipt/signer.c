/* The signing process, and the words that go to it and back. It must never parse what it signs, nor
 * sign twice, nor give the key away.
 *
 * Who controls what: the other end is the process that reads the journal as nobody. If a journal
 * took that process over, it could have one text of its choice signed, of the form that DSSE gives
 * it, and could not read the key. The key's name comes from the command line or from root's policy;
 * a file must be root's or the user's own, and theirs alone. */
#include "policy/receipt/signer.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/io.h"

#define ASK_MS 600000 /* (before that comes the reading of a journal, which may be long) */
#define KEY_MS 60000  /* a TPM takes seconds */

static const char mark[] = "DSSEv1 ";

struct question {
	char uri[CES_KEY_URI_MAX];
	uint32_t length; /* of the bytes that follow */
};

struct answer {
	bool good;
	struct ces_signature signature;
	struct ces_error err;
};

static int answer(int fd, struct answer *ret)
{
	struct question question;
	CES_CLEANUP_FREE char *bytes = NULL;
	EVP_PKEY *key = NULL;
	int result;

	if (ces_read_full(fd, &question, sizeof(question), ces_now_ms() + ASK_MS) != 0)
		_exit(0);
	if (memchr(question.uri, '\0', sizeof(question.uri)) == NULL ||
	    question.length < sizeof(mark) || question.length > CES_SIGNED_MAX)
		return ces_error_set(&ret->err, CES_E_INTERNAL, "nothing that can be signed");
	bytes = malloc(question.length);
	if (bytes == NULL ||
	    ces_read_full(fd, bytes, question.length, ces_now_ms() + KEY_MS) != 0 ||
	    memcmp(bytes, mark, sizeof(mark) - 1) != 0)
		return ces_error_set(&ret->err, CES_E_INTERNAL, "nothing that can be signed");
	if (ces_key_private(question.uri, &key, &ret->err) != 0)
		return -1;
	result = ces_key_sign(key, bytes, question.length, &ret->signature, &ret->err);
	EVP_PKEY_free(key);
	return result;
}

static void serve(int fd)
{
	struct answer reply = {0};

	(void)prctl(PR_SET_DUMPABLE, 0);
	reply.good = answer(fd, &reply) == 0;
	(void)ces_write_full(fd, &reply, sizeof(reply), ces_now_ms() + KEY_MS);
	_exit(0);
}

int ces_signer_start(struct ces_signer *ret, struct ces_error *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return ces_error_errno(err, CES_E_HOST, "starting to sign");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		serve(pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return ces_error_errno(err, CES_E_HOST, "starting to sign");
	}
	*ret = (struct ces_signer){pair[0], pid};
	return 0;
}

int ces_signer_sign(struct ces_signer *signer, const char *uri, const void *bytes, size_t length,
		    struct ces_signature *ret, struct ces_error *err)
{
	struct question question = {.length = (uint32_t)length};
	struct answer reply;

	if (strlen(uri) >= sizeof(question.uri))
		return ces_error_set(err, CES_E_USAGE, "--key: the name of the key is too long");
	if (length > CES_SIGNED_MAX)
		return ces_error_set(err, CES_E_LIMIT, "more than 1 MiB would be signed");
	memcpy(question.uri, uri, strlen(uri));
	(void)signal(SIGPIPE, SIG_IGN);
	if (ces_write_full(signer->fd, &question, sizeof(question), ces_now_ms() + KEY_MS) != 0 ||
	    ces_write_full(signer->fd, bytes, length, ces_now_ms() + KEY_MS) != 0 ||
	    ces_read_full(signer->fd, &reply, sizeof(reply), ces_now_ms() + KEY_MS) != 0)
		return ces_error_set(err, CES_E_HOST, "the key did not answer within a minute");
	if (!reply.good) {
		*err = reply.err;
		return -1;
	}
	*ret = reply.signature;
	return 0;
}

void ces_signer_end(struct ces_signer *signer)
{
	ces_cleanup_close(&signer->fd);
	if (signer->pid > 0)
		(void)waitpid(signer->pid, NULL, 0);
	*signer = CES_SIGNER_NONE;
}
