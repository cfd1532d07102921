/* ces-policy: reads a policy, and the record of what ran, for people. It decides nothing and
 * changes nothing; whatever rights it was started with are given up before the first byte is
 * parsed. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/tool.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
    {"check", ces_tool_check, "FILE               every problem of a policy, and what is unwise"},
    {"explain", ces_tool_explain, "FILE             who may do what, in plain English"},
    {"test", ces_tool_test, "FILE CASES         a policy's own test suite"},
    {"diff", ces_tool_diff, "OLD NEW            what a new policy changes, by meaning"},
    {"report", ces_tool_report, "FILE -o REPORT   a page for a governance meeting"},
    {"conform", ces_tool_conform,
     "DOCKERFILE|DIRECTORY   whether an image keeps the rules for a TRE"},
    {"evidence", ces_tool_evidence,
     "add|list|show   what scanners and builders say of an image, by its digest"},
    {"approve", ces_tool_approve, "FILE IMAGE@DIGEST   a rule for one image, with its evidence"},
    {"revoke", ces_tool_revoke, "FILE IMAGE        takes a rule away"},
    {"what-if", ces_tool_what_if,
     "FILE QUESTION    what a package, a CVE, a day or a user touches"},
    {"receipt", ces_tool_receipt,
     "RUN --key KEY | verify ...   a signed statement about a run, and its check"},
    {"audit", ces_tool_audit,
     "verify|list|show|export|review   what actually ran, from the journal"},
};

static int give_usage(FILE *out, int status)
{
	fputs("usage:\n", out);
	for (size_t i = 0; i < CES_COUNT(commands); i++)
		fprintf(out, "  ces-policy %s %s\n", commands[i].name, commands[i].help);
	fputs("Each command has --help; the manual is ces-policy(1).\n", out);
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return give_usage(stderr, CES_TOOL_ERROR);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return give_usage(stdout, CES_TOOL_GOOD);
	for (size_t i = 0; i < CES_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return give_usage(stderr, CES_TOOL_ERROR);
}
