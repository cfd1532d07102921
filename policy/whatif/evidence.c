/* Finds which images have a package or a vulnerability, by the kept reports. It must not say that
 * an image is free of it: without a report nothing is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/evidence/store.h"
#include "policy/pattern.h"
#include "policy/whatif/what_if.h"

struct look {
	struct ces_what_if *what;
	struct ces_what_image image;
	bool any;
};

static void add_line(struct look *look, const char *text)
{
	struct ces_what_image *image = &look->image;
	char(*lines)[CES_WHAT_TEXT];

	look->any = true;
	for (size_t i = 0; i < image->n; i++)
		if (strcmp(image->lines[i], text) == 0)
			return;
	if (image->n == CES_WHAT_LINES) {
		image->more++;
		return;
	}
	lines = reallocarray(image->lines, image->n + 1, sizeof(*lines));
	if (lines == NULL) {
		look->what->no_memory = true;
		return;
	}
	image->lines = lines;
	snprintf(lines[image->n++], sizeof(*lines), "%s", text);
}

/* "3.0.11" is also "1:3.0.11-1~deb12u2": a distribution adds an epoch before, and its own number
 * behind. */
static bool version_is(const char *have, const char *want)
{
	size_t digits = strspn(have, "0123456789"), length = strlen(want);

	if (have[digits] == ':' && strchr(want, ':') == NULL)
		have += digits + 1;
	return strncmp(have, want, length) == 0 &&
	       (have[length] == '\0' || strchr("-+~", have[length]) != NULL);
}

static bool package_is(const struct ces_what_if *what, const char *name, const char *version)
{
	return strcmp(name, what->name) == 0 &&
	       (what->version == NULL || version_is(version, what->version));
}

static void look_for_package(struct look *look, const struct ces_evidence *evidence)
{
	char text[CES_WHAT_TEXT];

	for (size_t i = 0; i < evidence->packages.n; i++) {
		char *const *words = evidence->packages.v[i].words;

		if (!package_is(look->what, words[CES_WORD_NAME], words[CES_WORD_VERSION]))
			continue;
		snprintf(text, sizeof(text), "%s %s", words[CES_WORD_NAME],
			 words[CES_WORD_VERSION]);
		add_line(look, text);
	}
}

static void look_for_cve(struct look *look, const struct ces_evidence *evidence)
{
	char text[CES_WHAT_TEXT];

	for (size_t i = 0; i < evidence->vulnerabilities.n; i++) {
		const struct ces_evidence_row *row = &evidence->vulnerabilities.v[i];
		const char *fixed = row->words[CES_WORD_FIXED];

		if (strcasecmp(row->words[CES_WORD_ID], look->what->word) != 0 &&
		    strcasecmp(row->words[CES_WORD_ALIAS], look->what->word) != 0)
			continue;
		snprintf(text, sizeof(text), "%s%s%s%s, %s%s%s, says %s of %.10s",
			 row->words[CES_WORD_PACKAGE],
			 row->words[CES_WORD_PACKAGE][0] != '\0' ? " " : "",
			 row->words[CES_WORD_INSTALLED],
			 row->words[CES_WORD_PACKAGE][0] == '\0' ? "the image" : "",
			 row->status == CES_EVIDENCE_FOUND ? ces_evidence_severities[row->severity]
							   : ces_evidence_statuses[row->status],
			 fixed[0] != '\0' ? ", fixed in " : "", fixed,
			 ces_evidence_formats[evidence->format],
			 evidence->made[0] != '\0' ? evidence->made : "no date");
		add_line(look, text);
	}
}

static int each_record(void *context, const char *record, const struct ces_evidence *evidence)
{
	struct look *look = context;

	(void)record;
	if (look->image.name[0] == '\0')
		snprintf(look->image.name, sizeof(look->image.name), "%s", evidence->image);
	if (look->what->what == CES_WHAT_PACKAGE)
		look_for_package(look, evidence);
	else
		look_for_cve(look, evidence);
	return 0;
}

static int keep(struct ces_what_if *what, const struct ces_what_image *image)
{
	struct ces_what_image *v =
	    reallocarray(what->images, what->n_images + 1, sizeof(*what->images));

	if (v == NULL)
		return -1;
	what->images = v;
	v[what->n_images++] = *image;
	return 0;
}

struct all {
	struct ces_what_if *what;
	struct ces_error *err;
};

static int each_image(void *context, const char *digest)
{
	const struct all *all = context;
	struct look look = {.what = all->what};
	int result;

	snprintf(look.image.digest, sizeof(look.image.digest), "%s", digest);
	result = ces_store_records(all->what->evidence_dir, digest, each_record, &look, all->err);
	if (result == 0 && look.any && keep(all->what, &look.image) == 0)
		return 0;
	free(look.image.lines);
	if (result == 0 && look.any)
		all->what->no_memory = true;
	return result;
}

/* Returns whether a rule covers the name by which a report knows the image. */
static bool may_cover(const struct ces_policy_image_rule *rule, const struct ces_what_image *image)
{
	struct ces_reference reference;
	const char *name = image->name;

	if (strncmp(name, "registry:", 9) == 0) /* as Grype has it */
		name += 9;
	return rule->digest == NULL && ces_reference_parse(name, &reference, NULL) == 0 &&
	       ces_pattern_match(rule->allow, reference.registry, reference.repository);
}

static int no_record(void *context, const char *record, const struct ces_evidence *evidence)
{
	(void)record;
	(void)evidence;
	*(bool *)context = true;
	return 0;
}

/* The approvals of affected images, and the number of images without any report. */
static int judge_rule(struct ces_what_if *what, const struct ces_rules_walk *walk,
		      struct ces_error *err)
{
	const struct ces_policy_image_rule *rule = walk->at;
	bool any = false;

	if (rule->digest == NULL) {
		what->open++;
		for (size_t i = 0; i < what->n_images && !any; i++)
			any = may_cover(rule, &what->images[i]);
		if (any)
			ces_what_if_rule(what, walk, "by name: the rule allows any digest");
		return 0;
	}
	if (ces_what_if_has(what, rule->digest)) {
		ces_what_if_rule(what, walk, NULL);
		return 0;
	}
	if (ces_store_records(what->evidence_dir, rule->digest, no_record, &any, err) != 0)
		return -1;
	what->without += !any;
	return 0;
}

int ces_what_if_evidence(struct ces_what_if *what, struct ces_error *err)
{
	struct ces_rules_walk walk = {0};
	struct all all = {what, err};

	if (ces_store_images(what->evidence_dir, each_image, &all, err) != 0)
		return -1;
	while (ces_rules_next(what->policy, &walk))
		if (judge_rule(what, &walk, err) != 0)
			return -1;
	return 0;
}
