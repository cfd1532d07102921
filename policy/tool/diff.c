/* ces-policy diff: shows by meaning what a new policy changes. It parses both files first, so that
 * formatting, the order of keys, and a default that somebody has written out make no difference. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/parse.h"
#include "policy/tool/diff_policy.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy diff [--format json] OLD NEW\n"
    "Says what NEW allows and OLD did not (marked + WIDER, first), and what NEW no longer allows\n"
    "(marked - narrower). Exit status: 0 nothing is wider, 1 something is wider, 2 an error.\n";

static const struct {
	const char *mark, *word;
	enum ces_colour colour;
} kinds[] = {
    [CES_DIFF_WIDER] = {"+ WIDER ", "wider", CES_RED},
    [CES_DIFF_NARROWER] = {"- narrower ", "narrower", CES_GREEN},
    [CES_DIFF_OTHER] = {"* changed ", "other", CES_YELLOW},
};

static void print_kind(const struct ces_diff *diff, enum ces_diff_kind kind, bool json, bool *any)
{
	for (size_t i = 0; i < diff->n; i++) {
		if (diff->v[i].kind != kind)
			continue;
		if (json) {
			printf("%s{\"kind\":\"%s\",\"text\":", *any ? ",\n" : "[\n",
			       kinds[kind].word);
			ces_tool_json(stdout, diff->v[i].text);
			printf("}");
		} else {
			printf("%s%s%s%s\n", ces_colour(stdout, kinds[kind].colour),
			       kinds[kind].mark, ces_colour(stdout, CES_PLAIN), diff->v[i].text);
		}
		*any = true;
	}
}

int ces_diff_print(const struct ces_diff *diff, bool json)
{
	bool wider = false, any;

	if (diff->no_memory) {
		fprintf(stderr, "ces-policy: out of memory\n");
		return CES_TOOL_ERROR;
	}
	print_kind(diff, CES_DIFF_WIDER, json, &wider);
	any = wider;
	print_kind(diff, CES_DIFF_NARROWER, json, &any);
	print_kind(diff, CES_DIFF_OTHER, json, &any);
	if (json)
		printf("%s", any ? "\n]\n" : "[]\n");
	else if (!any)
		printf("no difference in meaning\n");
	return wider ? CES_TOOL_FINDING : CES_TOOL_GOOD;
}

void ces_diff_free(struct ces_diff *diff)
{
	for (size_t i = 0; i < diff->n; i++)
		free(diff->v[i].text);
	free(diff->v);
}

static int diff_files(const char *old_path, const char *new_path, bool json)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_policy *old = NULL, *new = NULL;
	struct ces_error err = {0};
	struct ces_diff diff = {0};
	size_t length = 0;
	int status;

	if (ces_input_pair(old_path, &old, new_path, &bytes, &length, &err) != 0) {
		status = ces_tool_fail(&err);
	} else if (ces_policy_parse(bytes, length, &new, &err) != 0) {
		(void)ces_error_context(&err, "%s", new_path);
		status = ces_tool_fail(&err);
	} else {
		ces_diff_policies(&diff, old, new);
		status = ces_diff_print(&diff, json);
	}
	ces_diff_free(&diff);
	ces_policy_free(old);
	ces_policy_free(new);
	return status;
}

int ces_tool_diff(int argc, char **argv)
{
	static const struct option options[] = {{"format", required_argument, NULL, 'f'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return CES_TOOL_GOOD;
		}
		if (option == '?' || ces_tool_format(optarg, &json) != 0)
			return ces_tool_usage("diff");
	}
	if (argc - optind != 2)
		return ces_tool_usage("diff");
	return ces_tool_finish(stdout, diff_files(argv[optind], argv[optind + 1], json));
}
