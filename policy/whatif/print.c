/* Prints the answer to a question, for people and for programs, and the limits of what it knows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/tool/tool.h"
#include "policy/whatif/what_if.h"

void ces_what_if_rule(struct ces_what_if *what, const struct ces_rules_walk *walk, const char *why)
{
	struct ces_what_rule *v =
	    reallocarray(what->rules, what->n_rules + 1, sizeof(*what->rules));

	if (v == NULL) {
		what->no_memory = true;
		return;
	}
	what->rules = v;
	v[what->n_rules++] = (struct ces_what_rule){*walk, why};
}

bool ces_what_if_has(const struct ces_what_if *what, const char *digest)
{
	for (size_t i = 0; i < what->n_images; i++)
		if (strcmp(what->images[i].digest, digest) == 0)
			return true;
	return false;
}

void ces_what_if_free(struct ces_what_if *what)
{
	for (size_t i = 0; i < what->n_images; i++)
		free(what->images[i].lines);
	free(what->images);
	free(what->rules);
	ces_tally_free(&what->runs);
}

static void print_rules(const struct ces_what_if *what)
{
	char day[16];

	printf("approvals: %zu\n", what->n_rules);
	for (size_t i = 0; i < what->n_rules; i++) {
		const struct ces_rules_walk *at = &what->rules[i].at;
		time_t end = ces_rules_end(at);

		printf("  %s images[%zu]: %s%s%s, %s, %s%s%s%s%s\n", ces_rules_project(at),
		       at->index, at->at->allow, at->at->digest != NULL ? "@" : "",
		       at->at->digest != NULL ? at->at->digest : "",
		       at->at->approval != NULL ? at->at->approval : "no approval",
		       end != 0 ? "until " : "no end", end != 0 ? ces_tool_day(end, day) : "",
		       what->rules[i].why != NULL ? " (" : "",
		       what->rules[i].why != NULL ? what->rules[i].why : "",
		       what->rules[i].why != NULL ? ")" : "");
	}
}

static bool by_evidence(const struct ces_what_if *what)
{
	return what->what == CES_WHAT_PACKAGE || what->what == CES_WHAT_CVE;
}

static void print_images(const struct ces_what_if *what)
{
	if (!by_evidence(what))
		return;
	printf("images: %zu\n", what->n_images);
	for (size_t i = 0; i < what->n_images; i++) {
		const struct ces_what_image *image = &what->images[i];

		printf("  %s%s%s\n", image->digest, image->name[0] != '\0' ? " " : "", image->name);
		for (size_t j = 0; j < image->n; j++)
			printf("    %s\n", image->lines[j]);
		if (image->more > 0)
			printf("    and %zu more\n", image->more);
	}
}

static const char *or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static void print_runs(const struct ces_what_if *what)
{
	unsigned long long n = 0;

	if (what->journal == NULL) {
		printf("runs: type --journal FILE to look for these\n");
		return;
	}
	for (size_t i = 0; i < what->runs.n; i++)
		n += what->runs.v[i].good;
	printf("runs: %llu\n", n);
	for (size_t i = 0; i < what->runs.n; i++) {
		const struct ces_tally_row *row = &what->runs.v[i];

		printf("  %s in %s: %s, %llu, from %s to %s\n", or_dash(row->words[0]),
		       or_dash(row->words[1]), or_dash(row->words[2]),
		       (unsigned long long)row->good, or_dash(row->first), or_dash(row->last));
	}
}

/* (nobody may take silence for a clean image) */
static void print_unknown(const struct ces_what_if *what)
{
	if (!by_evidence(what))
		return;
	if (what->evidence_dir < 0)
		printf("not known: there is no directory of evidence\n");
	if (what->without > 0)
		printf("not known: %zu approvals for one image, of which there is no evidence\n",
		       what->without);
	if (what->open > 0)
		printf("not known: what %zu rules for any digest allow beside these images\n",
		       what->open);
}

static void json_text(const char *key, const char *text)
{
	printf(",\"%s\":", key);
	if (text == NULL)
		printf("null");
	else
		ces_tool_json(stdout, text);
}

static void json_rules(const struct ces_what_if *what)
{
	char day[16];

	printf(",\n\"approvals\":[");
	for (size_t i = 0; i < what->n_rules; i++) {
		const struct ces_rules_walk *at = &what->rules[i].at;
		time_t end = ces_rules_end(at);

		printf("%s\n{\"rule\":%zu", i > 0 ? "," : "", at->index);
		json_text("project", at->owner != NULL ? at->owner->name : NULL);
		json_text("allow", at->at->allow);
		json_text("digest", at->at->digest);
		json_text("approval", at->at->approval);
		json_text("until", end != 0 ? ces_tool_day(end, day) : NULL);
		json_text("why", what->rules[i].why);
		printf("}");
	}
	printf("]");
}

static void json_images(const struct ces_what_if *what)
{
	printf(",\n\"images\":[");
	for (size_t i = 0; i < what->n_images; i++) {
		const struct ces_what_image *image = &what->images[i];

		printf("%s\n{\"digest\":\"%s\"", i > 0 ? "," : "", image->digest);
		json_text("name", image->name);
		printf(",\"found\":[");
		for (size_t j = 0; j < image->n; j++) {
			printf("%s", j > 0 ? "," : "");
			ces_tool_json(stdout, image->lines[j]);
		}
		printf("],\"more\":%zu}", image->more);
	}
	printf("]");
}

static void json_runs(const struct ces_what_if *what)
{
	printf(",\n\"runs\":%s", what->journal == NULL ? "null" : "[");
	for (size_t i = 0; i < what->runs.n; i++) {
		const struct ces_tally_row *row = &what->runs.v[i];

		printf("%s\n{\"runs\":%llu", i > 0 ? "," : "", (unsigned long long)row->good);
		json_text("user", row->words[0]);
		json_text("project", row->words[1]);
		json_text("image", row->words[2]);
		json_text("digest", row->words[3]);
		json_text("first", row->first);
		json_text("last", row->last);
		printf("}");
	}
	printf("%s", what->journal == NULL ? "" : "]");
}

void ces_what_if_print(const struct ces_what_if *what)
{
	if (!what->json) {
		print_rules(what);
		print_images(what);
		print_runs(what);
		print_unknown(what);
		return;
	}
	printf("{\"question\":");
	ces_tool_json(stdout, what->word);
	json_rules(what);
	json_images(what);
	json_runs(what);
	printf(",\n\"without_evidence\":%zu,\"any_digest\":%zu}\n", what->without, what->open);
}
