/* SARIF 2.1.0 (OASIS). A result has a rule, and the rule its severity: `security-severity` is a
 * score of CVSS, as GitHub's code scanning describes it. Trivy writes the package and its versions
 * as lines of the message; Grype as lines of the rule's help, and names the rule by CVE and
 * package. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/evidence/gather.h"
#include "policy/evidence/judge.h"

#define MESSAGE_MAX 4096
#define RULES_MAX   50000

struct rule {
	char id[96];
	enum ces_evidence_severity severity; /* by its score */
	struct ces_part level, help;
};

struct rules {
	struct rule *v; /* as in the document */
	const struct rule **sorted;
	size_t n;
};

static enum ces_evidence_severity of_level(struct ces_part level)
{
	if (ces_part_is(level, "error"))
		return CES_EVIDENCE_HIGH;
	if (ces_part_is(level, "warning"))
		return CES_EVIDENCE_MEDIUM;
	return ces_part_is(level, "note") ? CES_EVIDENCE_LOW : CES_EVIDENCE_UNKNOWN;
}

static int by_id(const void *left, const void *right)
{
	const struct rule *const *a = left, *const *b = right;

	return strcmp((*a)->id, (*b)->id);
}

static int take_rules(struct ces_part list, struct rules *ret, struct ces_error *err)
{
	size_t n = ces_part_count(list);
	struct ces_part at = {NULL, NULL};

	if (n > RULES_MAX)
		return ces_error_set(err, CES_E_LIMIT, "it has more than %d rules", RULES_MAX);
	ret->v = calloc(n + 1, sizeof(*ret->v));
	ret->sorted = calloc(n + 1, sizeof(struct rule *));
	if (ret->v == NULL || ret->sorted == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	while (ret->n < n && ces_part_next(list, &at)) {
		struct rule *rule = &ret->v[ret->n];

		(void)ces_part_text(ces_part_member(at, "id"), rule->id, sizeof(rule->id));
		rule->severity =
		    ces_gather_score(ces_part_path(at, "properties.security-severity"));
		rule->level = ces_part_path(at, "defaultConfiguration.level");
		rule->help = ces_part_path(at, "help.text");
		ret->sorted[ret->n++] = rule;
	}
	qsort(ret->sorted, ret->n, sizeof(struct rule *), by_id);
	return 0;
}

static void free_rules(struct rules *rules)
{
	free(rules->v);
	free(rules->sorted);
}

/* By its name, or else by its index (SARIF 2.1.0, sections 3.27.6 and 3.52.5). An index into the
 * rules of another component says nothing here. */
static const struct rule *find_rule(const struct rules *rules, struct ces_part result,
				    const char *id)
{
	struct ces_part index = ces_part_member(result, "ruleIndex");
	struct rule wanted = {.severity = 0};
	const struct rule *key = &wanted, **found = NULL;
	size_t at;

	snprintf(wanted.id, sizeof(wanted.id), "%.95s", id);
	if (id[0] != '\0')
		found = bsearch(&key, rules->sorted, rules->n, sizeof(struct rule *), by_id);
	if (found != NULL)
		return *found;
	if (index.at == NULL)
		index = ces_part_path(result, "rule.index");
	at = ces_part_number(index);
	/* (what is no whole number is 0, too) */
	if (at >= rules->n || (at == 0 && (index.end - index.at != 1 || *index.at != '0')) ||
	    ces_part_path(result, "rule.toolComponent").at != NULL)
		return NULL;
	return &rules->v[at];
}

/* The rest of the line in `text` that begins with `key`. */
static void find_line(const char *text, const char *key, char ret[CES_GATHER_TEXT])
{
	size_t length = strlen(key);

	ret[0] = '\0';
	for (; text != NULL; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, length) != 0)
			continue;
		snprintf(ret, CES_GATHER_TEXT, "%.*s", (int)strcspn(text + length, "\n"),
			 text + length);
		return;
	}
}

static void take_lines(struct ces_part result, const struct rule *rule,
		       char words[4][CES_GATHER_TEXT])
{
	char text[MESSAGE_MAX], id[CES_GATHER_TEXT];

	(void)ces_part_lines(ces_part_path(result, "message.text"), text, sizeof(text));
	find_line(text, "Package: ", words[1]);
	find_line(text, "Installed Version: ", words[2]);
	find_line(text, "Fixed Version: ", words[3]);
	if (words[1][0] != '\0' || rule == NULL)
		return;
	(void)ces_part_lines(rule->help, text, sizeof(text));
	find_line(text, "Package: ", words[1]);
	find_line(text, "Version: ", words[2]);
	find_line(text, "Fix Version: ", words[3]);
	find_line(text, "Vulnerability ", id);
	if (id[0] != '\0')
		memcpy(words[0], id, sizeof(id));
}

/* Without a score it is the level of the result, or else of the rule, or else "warning" (SARIF
 * 2.1.0, section 3.27.10). */
static enum ces_evidence_severity severity_of(struct ces_part result, const struct rule *rule)
{
	struct ces_part level = ces_part_member(result, "level");

	if (rule != NULL && rule->severity != CES_EVIDENCE_UNKNOWN)
		return rule->severity;
	if (level.at == NULL && rule != NULL)
		level = rule->level;
	return level.at == NULL ? CES_EVIDENCE_MEDIUM : of_level(level);
}

static void take_result(struct ces_evidence *evidence, const struct rules *rules,
			struct ces_part result)
{
	char words[4][CES_GATHER_TEXT];
	const struct rule *rule;

	/* ("none", "pass" and so on are results without a finding) */
	if (ces_part_kind(ces_part_member(result, "kind")) == '"' &&
	    !ces_part_is(ces_part_member(result, "kind"), "fail"))
		return;
	(void)ces_part_text(ces_part_member(result, "ruleId"), words[0], sizeof(words[0]));
	if (words[0][0] == '\0')
		(void)ces_part_text(ces_part_path(result, "rule.id"), words[0], sizeof(words[0]));
	rule = find_rule(rules, result, words[0]);
	if (words[0][0] == '\0' && rule != NULL)
		snprintf(words[0], sizeof(words[0]), "%s", rule->id);
	take_lines(result, rule, words);
	ces_gather_row(evidence, &evidence->vulnerabilities,
		       (const char *const[]){words[0], words[1], words[2], words[3]}, 4,
		       severity_of(result, rule), CES_EVIDENCE_FOUND);
	if (words[1][0] != '\0')
		ces_gather_row(evidence, &evidence->packages,
			       (const char *const[]){words[1], words[2]}, 2, CES_EVIDENCE_UNKNOWN,
			       CES_EVIDENCE_FOUND);
}

/* Trivy puts the image into the properties of its run: the format has no place for it. */
static void take_image(struct ces_evidence *evidence, struct ces_part run)
{
	struct ces_part properties = ces_part_member(run, "properties"), at = {NULL, NULL};
	struct ces_part digests = ces_part_member(properties, "repoDigests");

	while (ces_part_next(digests, &at))
		ces_gather_digest_of(evidence, at);
	if (evidence->image[0] == '\0')
		(void)ces_part_text(ces_part_member(properties, "imageName"), evidence->image,
				    sizeof(evidence->image));
}

/* A scan that failed finds nothing. A document of several scans is as old as the oldest. */
static int take_time(struct ces_evidence *evidence, struct ces_part run, struct ces_error *err)
{
	struct ces_part invocations = ces_part_member(run, "invocations"), at = {NULL, NULL};

	while (ces_part_next(invocations, &at)) {
		char time[40] = "";

		if (ces_part_kind(ces_part_member(at, "executionSuccessful")) == 'f')
			return ces_error_set(err, CES_E_IMAGE, "its scan did not succeed");
		ces_gather_time(ces_part_member(at, "endTimeUtc"), time);
		if (evidence->made[0] == '\0' ||
		    (time[0] != '\0' && ces_judge_time(time) < ces_judge_time(evidence->made)))
			memcpy(evidence->made, time, sizeof(time));
	}
	return 0;
}

int ces_read_sarif(struct ces_evidence *evidence, struct ces_part document, struct ces_error *err)
{
	struct ces_part runs = ces_part_member(document, "runs"), run = {NULL, NULL};

	evidence->format = CES_EVIDENCE_SARIF;
	if (!ces_part_is(ces_part_member(document, "version"), "2.1.0"))
		return ces_error_set(err, CES_E_IMAGE, "it is SARIF of another version than 2.1.0");
	while (ces_part_next(runs, &run)) {
		struct ces_part driver = ces_part_path(run, "tool.driver"), at = {NULL, NULL};
		struct ces_part results = ces_part_member(run, "results");
		struct rules rules = {NULL, NULL, 0};

		if (take_rules(ces_part_member(driver, "rules"), &rules, err) != 0) {
			free_rules(&rules);
			return -1;
		}
		ces_gather_tool(evidence, ces_part_member(driver, "name"),
				ces_part_member(driver, "version"));
		take_image(evidence, run);
		while (ces_part_next(results, &at))
			take_result(evidence, &rules, at);
		free_rules(&rules);
		if (take_time(evidence, run, err) != 0)
			return -1;
	}
	return 0;
}
