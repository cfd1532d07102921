/* ces-policy receipt: makes a signed statement about one run, and checks one elsewhere. It must
 * never read a journal with root's rights, nor sign a broken one. */
#include <getopt.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "policy/receipt/check.h"
#include "policy/receipt/dsse.h"
#include "policy/receipt/statement.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy receipt RUN --key KEY [--journal FILE] [-o FILE]\n"
    "       ces-policy receipt verify --key PUBLIC.pem [--outputs FILE] [--format json] RECEIPT\n"
    "A receipt says what ran, on whose data, by which approval, and where the journal has it. It\n"
    "is an in-toto statement in a DSSE envelope. KEY is a PEM file that only you can read, or a\n"
    "URI (pkcs11:..., or handle:... for a TPM): ECDSA P-256 or Ed25519. To verify a receipt, the\n"
    "public key is enough. With --outputs, verify also compares the run's ces-run.json, or the\n"
    "ces-manifest-RUN.json that withheld outputs have.\n"
    "The journal is " CES_JOURNAL_PATH " with its rotated files; only root can read it.\n";

struct asked {
	const char *run, *key, *journal, *output, *file, *outputs;
	bool verify, json;
};

static const struct option options[] = {{"key", required_argument, NULL, 'k'},
					{"journal", required_argument, NULL, 'j'},
					{"output", required_argument, NULL, 'o'},
					{"format", required_argument, NULL, 'f'},
					{"outputs", required_argument, NULL, 'u'},
					{"help", no_argument, NULL, 'h'},
					{NULL, 0, NULL, 0}};

static int set_option(struct asked *asked, int option, const char *value)
{
	const bool for_verify = option == 'f' || option == 'u';

	if (option == '?' || (option != 'k' && for_verify != asked->verify)) {
		if (option != '?')
			fprintf(stderr, "ces-policy: receipt%s takes no such option\n",
				asked->verify ? " verify" : "");
		return -1;
	}
	if (option == 'f')
		return ces_tool_format(value, &asked->json);
	*(option == 'k'   ? &asked->key
	  : option == 'j' ? &asked->journal
	  : option == 'u' ? &asked->outputs
			  : &asked->output) = value;
	return 0;
}

/* -1: an error, already reported; 1: help was printed. */
static int parse(int argc, char **argv, struct asked *ret)
{
	int option;

	while ((option = getopt_long(argc, argv, "o:f:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (set_option(ret, option, optarg) != 0)
			return -1;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "ces-policy: receipt: name one %s\n",
			ret->verify ? "receipt" : "run");
		return -1;
	}
	*(ret->verify ? &ret->file : &ret->run) = argv[optind];
	if (!ret->verify && !ces_run_valid(ret->run)) {
		fprintf(stderr, "ces-policy: receipt: which run? Write its ten digits\n");
		return -1;
	}
	if (ret->key == NULL) {
		fprintf(stderr, "ces-policy: receipt: name the key with --key\n");
		return -1;
	}
	return 0;
}

/* 1 is an answer: there is nothing to sign. */
static int status_of(const struct ces_error *err)
{
	int status = ces_tool_fail(err);

	return err->code == CES_E_NOTFOUND || err->code == CES_E_DENIED ? CES_TOOL_FINDING : status;
}

static int make(const struct asked *asked, struct ces_journal_reader *reader,
		struct ces_signer *signer, FILE *out)
{
	CES_CLEANUP_FREE char *statement = NULL, *envelope = NULL;
	struct ces_receipt_run evidence = {0};
	struct ces_error err = {0};
	int status = CES_TOOL_GOOD;

	if (ces_receipt_find(reader, asked->run, &evidence, &err) != 0)
		status = status_of(&err);
	else if (ces_statement_make(&evidence, &statement, &err) != 0 ||
		 ces_dsse_sign(signer, asked->key, CES_STATEMENT_MEDIA, statement, &envelope,
			       &err) != 0)
		status = ces_tool_fail(&err);
	else
		fprintf(out, "%s\n", envelope);
	ces_receipt_free(&evidence);
	return status;
}

static int issue_to(FILE *out, const struct asked *asked, struct ces_journal_reader *reader,
		    struct ces_signer *signer)
{
	return ces_tool_finish(out, make(asked, reader, signer, out));
}

/* The signer starts while this process is root, and reads nothing but what it signs. */
static int open_all(const struct asked *asked, struct ces_signer *signer,
		    struct ces_journal_reader **reader, FILE **file, struct ces_error *err)
{
	if (ces_signer_start(signer, err) != 0 ||
	    ces_journal_reader_open(asked->journal, reader, err) != 0)
		return -1;
	*file = asked->output == NULL ? NULL : fopen(asked->output, "we");
	if (asked->output != NULL && *file == NULL)
		return ces_error_errno(err, CES_E_HOST, "%s", asked->output);
	return ces_input_drop(err);
}

static int issue(const struct asked *asked)
{
	struct ces_signer signer = CES_SIGNER_NONE;
	struct ces_journal_reader *reader = NULL;
	struct ces_error err = {0};
	FILE *file = NULL;
	int status;

	if (open_all(asked, &signer, &reader, &file, &err) != 0)
		status = ces_tool_fail(&err);
	else
		status = issue_to(file != NULL ? file : stdout, asked, reader, &signer);
	if (file != NULL)
		fclose(file);
	ces_signer_end(&signer);
	ces_journal_reader_close(reader);
	return status;
}

int ces_tool_receipt(int argc, char **argv)
{
	struct asked asked = {.journal = CES_JOURNAL_PATH};
	int status;

	if (argc > 1 && strcmp(argv[1], "verify") == 0) {
		asked.verify = true;
		argc--;
		argv++;
	}
	status = parse(argc, argv, &asked);
	if (status != 0)
		return status > 0 ? CES_TOOL_GOOD : ces_tool_usage("receipt");
	if (asked.verify)
		return ces_receipt_check(asked.key, asked.file, asked.outputs, asked.json);
	return issue(&asked);
}
