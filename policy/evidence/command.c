/* ces-policy evidence: keeps what scanners and builders say about an image, and shows it. It must
 * not judge whether that is good enough: people do. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "policy/evidence/command.h"
#include "policy/evidence/store.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy evidence add [--evidence DIR] [--digest sha256:...] REPORT...\n"
    "       ces-policy evidence list [--evidence DIR] [--format json] [sha256:...]\n"
    "       ces-policy evidence show [--evidence DIR] [--format json] sha256:...\n"
    "       ces-policy evidence prune [--evidence DIR] [--dry-run]\n"
    "Keeps reports about an image by its digest: Trivy, Grype, SARIF, SPDX, CycloneDX, OpenVEX\n"
    "and in-toto, as JSON. DIR is /etc/ces/evidence.d unless --evidence names another one.\n"
    "--digest names the image if a report does not. add refuses a report about another image.\n"
    "prune removes scans that a newer scan of the same format replaced, unless an approval names\n"
    "them. Exit status: 0 good, 1 nothing found, 2 an error.\n";

/* "NAME@sha256:..." is as good as its digest. */
static const char *digest_in(const char *word)
{
	const char *at = strrchr(word, '@');

	word = at != NULL ? at + 1 : word;
	return ces_digest_valid(word) ? word : NULL;
}

static int wrong_digest(const char *word)
{
	char text[96];

	snprintf(text, sizeof(text), "%s", word);
	ces_text_clean(text);
	fprintf(stderr, "ces-policy: %s: write sha256: and 64 digits of hex, in lower case\n",
		text);
	return CES_TOOL_ERROR;
}

static int run_add(const struct ces_evidence_asked *asked, char **reports, int n)
{
	int status = CES_TOOL_GOOD;

	for (int i = 0; i < n; i++)
		if (ces_evidence_add(asked, reports[i]) != CES_TOOL_GOOD)
			status = CES_TOOL_ERROR;
	return status;
}

static int run(struct ces_evidence_asked *asked, const char *verb, char **words, int n)
{
	const char *digest = n == 1 ? digest_in(words[0]) : NULL;

	if (asked->dry_run && strcmp(verb, "prune") != 0) {
		fprintf(stderr, "ces-policy: --dry-run is for evidence prune\n");
		return CES_TOOL_ERROR;
	}
	if (strcmp(verb, "add") == 0 && n > 0)
		return run_add(asked, words, n);
	if (asked->digest != NULL) {
		fprintf(stderr, "ces-policy: --digest is for evidence add\n");
		return CES_TOOL_ERROR;
	}
	if (strcmp(verb, "prune") == 0 && n == 0)
		return ces_evidence_prune(asked);
	if (n == 1 && digest == NULL && strcmp(verb, "add") != 0)
		return wrong_digest(words[0]);
	asked->digest = digest;
	if (strcmp(verb, "list") == 0 && n <= 1)
		return ces_evidence_list(asked);
	if (strcmp(verb, "show") == 0 && n == 1)
		return ces_evidence_show(asked);
	return ces_tool_usage("evidence");
}

int ces_tool_evidence(int argc, char **argv)
{
	static const struct option options[] = {
	    {"evidence", required_argument, NULL, 'e'}, {"digest", required_argument, NULL, 'd'},
	    {"format", required_argument, NULL, 'f'},   {"dry-run", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
	struct ces_evidence_asked asked = {.directory = CES_EVIDENCE_DIR};
	int option;

	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return CES_TOOL_GOOD;
		}
		if (option == '?' || (option == 'f' && ces_tool_format(optarg, &asked.json) != 0))
			return ces_tool_usage("evidence");
		asked.dry_run = asked.dry_run || option == 'n';
		if (option == 'e')
			asked.directory = optarg;
		if (option == 'd') {
			asked.digest = digest_in(optarg);
			if (asked.digest == NULL)
				return wrong_digest(optarg);
		}
	}
	if (argc == optind)
		return ces_tool_usage("evidence");
	return ces_tool_finish(stdout,
			       run(&asked, argv[optind], argv + optind + 1, argc - optind - 1));
}
