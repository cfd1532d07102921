/* ces-policy: shows people a policy, and the record of what ran. It decides nothing and changes
 * nothing. It must give up any rights that it started with before it parses the first byte. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/suggest.h"
#include "policy/tool/tool.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *words, *help;
} commands[] = {
    {"check", ces_tool_check, "FILE", "Find every error in a policy, and what is unwise"},
    {"explain", ces_tool_explain, "FILE", "Say in plain English who may do what"},
    {"test", ces_tool_test, "FILE CASES", "Decide test cases by a policy"},
    {"diff", ces_tool_diff, "OLD NEW", "Say what a new policy changes, by meaning"},
    {"report", ces_tool_report, "FILE -o REPORT", "Write a page for a governance meeting"},
    {"conform", ces_tool_conform, "DOCKERFILE|DIR|IMAGE", "Check an image by the rules for a TRE"},
    {"evidence", ces_tool_evidence, "add|list|show|prune", "Keep the reports about an image"},
    {"approve", ces_tool_approve, "FILE IMAGE@DIGEST",
     "Add a rule for one image, with its evidence"},
    {"revoke", ces_tool_revoke, "FILE IMAGE", "Remove a rule"},
    {"what-if", ces_tool_what_if, "FILE QUESTION", "Say what a package, CVE, day or user affects"},
    {"receipt", ces_tool_receipt, "RUN | verify RECEIPT",
     "Sign a statement about a run, or verify one"},
    {"audit", ces_tool_audit, "verify|list|show|...", "Read the journal of what ran"},
};

static int give_usage(FILE *out, int status)
{
	fputs("usage:\n", out);
	for (size_t i = 0; i < CES_COUNT(commands); i++)
		fprintf(out, "  ces-policy %-8s %-20s %s\n", commands[i].name, commands[i].words,
			commands[i].help);
	fputs("Each command has --help. The manual is ces-policy(1).\n", out);
	return status;
}

static int complain(const char *word)
{
	struct ces_suggestion best = {0};

	for (size_t i = 0; i < CES_COUNT(commands); i++)
		ces_suggest(&best, word, commands[i].name);
	return ces_tool_no_command("ces-policy", word, best.word);
}

/* getopt begins its complaints with the first word. */
static int run(const struct command *command, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "ces-policy %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return give_usage(stderr, CES_TOOL_ERROR);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return give_usage(stdout, CES_TOOL_GOOD);
	for (size_t i = 0; i < CES_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	return complain(argv[1]);
}
