/* Findings for people: the place, the finding, and below it the reason and what to write. Names
 * come from foreign images and files, so it must print no control character. */
#include <stdio.h>
#include <string.h>

#include "common/num.h"
#include "policy/conform/conform.h"
#include "policy/tool/tool.h"

static void put(const char *text)
{
	for (; *text != '\0'; text++)
		putchar(*text < 0x20 || *text > 0x7e ? '?' : *text);
}

static enum ces_colour colour_of(enum ces_conform_severity severity)
{
	switch (severity) {
	case CES_CONFORM_ERROR:
		return CES_RED;
	case CES_CONFORM_WARNING:
		return CES_YELLOW;
	case CES_CONFORM_NOTE:
		break;
	}
	return CES_BOLD;
}

static void put_finding(const struct ces_conform *conform,
			const struct ces_conform_finding *finding, bool explained)
{
	const struct ces_conform_rule *rule = &ces_conform_rules[finding->rule];
	const char *plain = ces_colour(stdout, CES_PLAIN);
	char where[4096 + 256];

	ces_conform_where(conform, finding, where, sizeof(where));
	put(where);
	printf(": %s%s%s: ", ces_colour(stdout, colour_of(rule->severity)),
	       ces_conform_severity_name(rule->severity), plain);
	put(finding->text);
	if (finding->hidden_in > 0)
		printf("; layer %zu hides it, and it stays in layer %zu", finding->hidden_in,
		       finding->layer);
	printf(" [%s]\n", rule->id);
	if (explained && finding->write == NULL)
		return;
	printf("    %s\n    ", rule->why);
	put(finding->write != NULL ? finding->write : rule->write);
	printf("\n");
}

static void put_count(const char *before, size_t n, const char *word)
{
	printf("%s%zu %s%s", before, n, word, n == 1 ? "" : "s");
}

/* A base has a dozen setuid programs. For people a few notes of one rule are enough. */
#define NOTES_SHOWN 5

static void put_findings(const struct ces_conform *conform)
{
	size_t seen[CES_CONFORM_RULES] = {0}, more[CES_CONFORM_RULES];

	memcpy(more, conform->more, sizeof(more));
	for (size_t i = 0; i < conform->n; i++) {
		enum ces_conform_rule_index rule = conform->v[i].rule;

		if (ces_conform_rules[rule].severity == CES_CONFORM_NOTE &&
		    seen[rule] == NOTES_SHOWN) {
			more[rule]++;
			continue;
		}
		put_finding(conform, &conform->v[i], seen[rule] > 0);
		seen[rule]++;
	}
	for (size_t i = 0; i < CES_CONFORM_RULES; i++)
		if (more[i] > 0) {
			put(conform->path);
			printf(": %zu more of %s\n", more[i], ces_conform_rules[i].id);
		}
}

void ces_conform_text(const struct ces_conform *conform)
{
	char size[32];

	put_findings(conform);
	put(conform->path);
	put_count(": ", ces_conform_count(conform, CES_CONFORM_ERROR), "error");
	put_count(", ", ces_conform_count(conform, CES_CONFORM_WARNING), "warning");
	put_count(", ", ces_conform_count(conform, CES_CONFORM_NOTE), "note");
	if (conform->image) {
		ces_num_format_size(conform->size, size, sizeof(size));
		put_count("; ", conform->layers, "layer");
		printf(", %s", size);
	}
	if (conform->packages.kind != NULL) {
		put_count(", ", conform->packages.n, "package");
		printf(" of %s", conform->packages.kind);
	}
	printf("\n");
	if (conform->n_chains > 0) {
		put(conform->path);
		printf(": as a base, its ChainID is %s\n", conform->chains[conform->n_chains - 1]);
	}
}
