/* Findings for programs, one JSON document. */
#include <stdio.h>

#include "policy/conform/conform.h"
#include "policy/tool/tool.h"

static void put_text(const char *key, const char *text)
{
	printf(",\"%s\":", key);
	ces_tool_json(stdout, text);
}

static void put_finding(const struct ces_conform_finding *finding)
{
	const struct ces_conform_rule *rule = &ces_conform_rules[finding->rule];

	printf("{\"rule\":\"%s\",\"name\":\"%s\",\"severity\":\"%s\"", rule->id, rule->name,
	       ces_conform_severity_name(rule->severity));
	if (finding->line > 0)
		printf(",\"line\":%zu", finding->line);
	if (finding->layer > 0)
		printf(",\"layer\":%zu", finding->layer);
	if (finding->hidden_in > 0)
		printf(",\"hidden_in\":%zu", finding->hidden_in);
	if (finding->path != NULL)
		put_text("path", finding->path);
	put_text("text", finding->text);
	put_text("why", rule->why);
	put_text("write", finding->write != NULL ? finding->write : rule->write);
	printf("}");
}

static void put_packages(const struct ces_conform_packages *packages)
{
	if (packages->kind == NULL) {
		printf(",\"packages\":null");
		return;
	}
	printf(",\"packages\":{\"kind\":\"%s\",\"count\":%zu,\"list\":[", packages->kind,
	       packages->n);
	for (size_t i = 0; i < packages->n; i++) {
		printf("%s\n{\"name\":", i > 0 ? "," : "");
		ces_tool_json(stdout, packages->v[i].name);
		put_text("version", packages->v[i].version);
		printf("}");
	}
	printf("]}");
}

void ces_conform_json(const struct ces_conform *conform)
{
	bool first = true;

	printf("{\"file\":");
	ces_tool_json(stdout, conform->path);
	printf(",\"kind\":\"%s\",\"errors\":%zu,\"warnings\":%zu,\"notes\":%zu,\"findings\":[",
	       conform->image ? "image" : "dockerfile",
	       ces_conform_count(conform, CES_CONFORM_ERROR),
	       ces_conform_count(conform, CES_CONFORM_WARNING),
	       ces_conform_count(conform, CES_CONFORM_NOTE));
	for (size_t i = 0; i < conform->n; i++) {
		printf("%s\n", i > 0 ? "," : "");
		put_finding(&conform->v[i]);
	}
	printf("],\"more\":{");
	for (size_t i = 0; i < CES_CONFORM_RULES; i++)
		if (conform->more[i] > 0) {
			printf("%s\"%s\":%zu", first ? "" : ",", ces_conform_rules[i].id,
			       conform->more[i]);
			first = false;
		}
	printf("}");
	if (conform->image) {
		put_text("digest", conform->digest);
		put_text("platform", conform->platform);
		printf(",\"layers\":%zu,\"size\":%llu", conform->layers,
		       (unsigned long long)conform->size);
		printf(",\"chain_ids\":[");
		for (size_t i = 0; i < conform->n_chains; i++)
			printf("%s\"%s\"", i > 0 ? "," : "", conform->chains[i]);
		printf("]");
		put_packages(&conform->packages);
	}
	printf("}\n");
}
