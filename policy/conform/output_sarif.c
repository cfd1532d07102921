/* Findings for code review: SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format). */
#include <stdio.h>
#include <string.h>

#include "client/version.h"
#include "policy/conform/conform.h"
#include "policy/tool/tool.h"

#define SCHEMA                                                                                     \
	"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"                      \
	"sarif-schema-2.1.0.json"

static void put_message(const char *key, const char *text)
{
	printf(",\"%s\":{\"text\":", key);
	ces_tool_json(stdout, text);
	printf("}");
}

static void put_rule(const struct ces_conform_rule *rule)
{
	printf("{\"id\":\"%s\",\"name\":\"%s\"", rule->id, rule->name);
	put_message("shortDescription", rule->title);
	put_message("fullDescription", rule->why);
	put_message("help", rule->write);
	printf(",\"defaultConfiguration\":{\"level\":\"%s\"}}",
	       ces_conform_severity_name(rule->severity));
}

/* RFC 3986: a path as a relative reference, percent-encoded. */
static void put_uri(const char *path)
{
	putchar('"');
	if (strchr(path, ':') != NULL && path[0] != '/')
		printf("./");
	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    strchr("-._~/", c) != NULL)
			putchar(c);
		else
			printf("%%%02X", c);
	}
	putchar('"');
}

/* A file has lines. An image has only places inside, which SARIF calls logical. */
static void put_location(const struct ces_conform *conform,
			 const struct ces_conform_finding *finding)
{
	char where[4096 + 256];

	printf(",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
	put_uri(conform->path);
	printf("}");
	if (!conform->image)
		printf(",\"region\":{\"startLine\":%zu}", finding->line > 0 ? finding->line : 1);
	printf("}");
	if (finding->layer > 0 || finding->path != NULL) {
		ces_conform_where(conform, finding, where, sizeof(where));
		printf(",\"logicalLocations\":[{\"fullyQualifiedName\":");
		ces_tool_json(stdout, where);
		printf("}]");
	}
	printf("}]");
}

static void put_result(const struct ces_conform *conform, const struct ces_conform_finding *finding)
{
	const struct ces_conform_rule *rule = &ces_conform_rules[finding->rule];
	char text[8192], hidden[80] = "", place[4200] = "";

	if (finding->hidden_in > 0)
		snprintf(hidden, sizeof(hidden), "; layer %zu hides it, and it stays in layer %zu",
			 finding->hidden_in, finding->layer);
	if (finding->path != NULL)
		snprintf(place, sizeof(place), "%s: ", finding->path);
	snprintf(text, sizeof(text), "%s%.2000s%s. %s %.1000s", place, finding->text, hidden,
		 rule->why, finding->write != NULL ? finding->write : rule->write);
	ces_text_clean(text);
	printf("{\"ruleId\":\"%s\",\"ruleIndex\":%u,\"level\":\"%s\"", rule->id,
	       (unsigned)finding->rule, ces_conform_severity_name(rule->severity));
	put_message("message", text);
	put_location(conform, finding);
	printf("}");
}

void ces_conform_sarif(const struct ces_conform *conform)
{
	printf("{\"$schema\":\"%s\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":"
	       "{\"name\":\"ces-policy conform\",\"version\":\"%s\",\"rules\":[",
	       SCHEMA, CES_VERSION);
	for (size_t i = 0; i < CES_CONFORM_RULES; i++) {
		printf("%s\n", i > 0 ? "," : "");
		put_rule(&ces_conform_rules[i]);
	}
	printf("]}},\"columnKind\":\"utf16CodeUnits\",\"results\":[");
	for (size_t i = 0; i < conform->n; i++) {
		printf("%s\n", i > 0 ? "," : "");
		put_result(conform, &conform->v[i]);
	}
	printf("]}]}\n");
}
