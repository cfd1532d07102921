/* Words the checks of outputs, compares two, and warns. It must never call a check more than it is:
 * help for the people who check outputs. */
#include "policy/tool/outputs.h"

#include <stdio.h>
#include <string.h>

#include "common/num.h"
#include "policy/outputs.h"
#include "policy/template.h"

struct words {
	char *text;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(words->text + words->used, CES_CHECK_SAID - words->used, format, args);
	va_end(args);
	if (n > 0)
		words->used += (size_t)n;
	if (words->used >= CES_CHECK_SAID)
		words->used = CES_CHECK_SAID - 1;
}

static const char *between(const struct words *words)
{
	return words->used > 0 ? "; " : "";
}

static void add_list(struct words *words, const char *what, const struct ces_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		add(words, "%s%s%s", i == 0 ? between(words) : ", ", i == 0 ? what : "",
		    list->v[i]);
}

static void add_number(struct words *words, const char *what, uint64_t n)
{
	if (n > 0)
		add(words, "%sat most %llu %s", between(words), (unsigned long long)n, what);
}

static void add_size(struct words *words, const char *what, uint64_t n)
{
	char size[32];

	ces_num_format_size(n, size, sizeof(size));
	if (n > 0)
		add(words, "%sat most %s %s", between(words), size, what);
}

const char *ces_check_say(const struct ces_policy_settings *settings, char ret[CES_CHECK_SAID])
{
	struct words words = {ret, 0};
	struct ces_check check = {0};
	struct ces_error ignored;

	ret[0] = '\0';
	if (settings->check == NULL || ces_check_read(settings->check, &check, &ignored) != 0)
		return "nothing";
	add_list(&words, "only files of the types ", &check.types);
	add_number(&words, "files", check.max_files);
	add_size(&words, "together", check.max_size);
	add_size(&words, "each", check.max_file_size);
	add_number(&words, "rows of a CSV table", check.max_rows);
	add_number(&words, "columns of a CSV table", check.max_columns);
	add_list(&words, "no column ", &check.columns);
	add_list(&words, "no ", &check.values);
	add_list(&words, "no text like ", &check.patterns);
	add_list(&words, "counts in the columns ", &check.counts);
	if (check.counts.n > 0)
		add(&words, " of at least %llu%s", (unsigned long long)check.least,
		    check.zero ? " or 0" : "");
	if (words.used == 0)
		add(&words, "regular files that can be read");
	ces_check_free(&check);
	return ret;
}

/* An existing list confines (types) or forbids; without one nothing does. */
static void lists(struct ces_diff *diff, const char *who, const char *what, bool allows,
		  const struct ces_strings *old, const struct ces_strings *new)
{
	enum ces_diff_kind gain = allows && old->n > 0 ? CES_DIFF_WIDER : CES_DIFF_NARROWER;
	enum ces_diff_kind loss = allows && new->n > 0 ? CES_DIFF_NARROWER : CES_DIFF_WIDER;

	for (int side = 0; side < 2; side++) {
		const struct ces_strings *from = side == 0 ? new : old, *in = side == 0 ? old : new;

		for (size_t i = 0; i < from->n; i++) {
			size_t j = 0;

			while (j < in->n && strcmp(in->v[j], from->v[i]) != 0)
				j++;
			if (j == in->n)
				ces_diff_say(diff, side == 0 ? gain : loss,
					     "%s: the check of outputs %s %s %s", who,
					     side == 0 ? "gains" : "loses", what, from->v[i]);
		}
	}
}

/* 0: no bound. */
static void bound(struct ces_diff *diff, const char *who, const char *what, uint64_t old,
		  uint64_t new)
{
	bool wider = new == 0 || (old != 0 && new > old);

	if (old != new)
		ces_diff_say(diff, wider ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: the check of outputs %s %s", who,
			     wider ? "allows more" : "allows fewer", what);
}

static void compare(struct ces_diff *diff, const char *who, const struct ces_check *old,
		    const struct ces_check *new)
{
	lists(diff, who, "the type", true, &old->types, &new->types);
	lists(diff, who, "the forbidden column", false, &old->columns, &new->columns);
	lists(diff, who, "the forbidden", false, &old->values, &new->values);
	lists(diff, who, "the forbidden pattern", false, &old->patterns, &new->patterns);
	lists(diff, who, "the column of counts", false, &old->counts, &new->counts);
	bound(diff, who, "files", old->max_files, new->max_files);
	bound(diff, who, "bytes together", old->max_size, new->max_size);
	bound(diff, who, "bytes of a file", old->max_file_size, new->max_file_size);
	bound(diff, who, "rows", old->max_rows, new->max_rows);
	bound(diff, who, "columns", old->max_columns, new->max_columns);
	if (old->least != new->least || old->zero != new->zero)
		ces_diff_say(diff,
			     new->least < old->least || (new->zero && !old->zero)
				 ? CES_DIFF_WIDER
				 : CES_DIFF_NARROWER,
			     "%s: the check of outputs asks for counts of at least %llu%s "
			     "instead of %llu%s",
			     who, (unsigned long long)new->least, new->zero ? " or 0" : "",
			     (unsigned long long)old->least, old->zero ? " or 0" : "");
}

static void compare_place(struct ces_diff *diff, const char *who, const char *old, const char *new)
{
	if (old == NULL && new == NULL)
		return;
	if (new == NULL)
		ces_diff_say(diff, CES_DIFF_WIDER,
			     "%s: outputs that do not pass are no longer withheld", who);
	else if (old == NULL || strcmp(old, new) != 0) /* (other people may read another place) */
		ces_diff_say(diff, old == NULL ? CES_DIFF_NARROWER : CES_DIFF_WIDER,
			     "%s: outputs that do not pass are withheld, in %s%s%s", who, new,
			     old != NULL ? " instead of " : "", old != NULL ? old : "");
}

static void manifests(struct ces_diff *diff, const char *who, const struct ces_policy_manifest *old,
		      const struct ces_policy_manifest *new)
{
	if (memcmp(old, new, sizeof(*old)) != 0)
		ces_diff_say(diff,
			     new->time < old->time || new->size < old->size ||
				     new->files < old->files
				 ? CES_DIFF_WIDER
				 : CES_DIFF_NARROWER,
			     "%s: the list of a run's outputs has other limits", who);
}

void ces_diff_outputs(struct ces_diff *diff, const char *who, const struct ces_policy_settings *old,
		      const struct ces_policy_settings *new)
{
	struct ces_check before = {0}, after = {0};
	struct ces_error ignored;
	char said[CES_CHECK_SAID];

	manifests(diff, who, &old->manifest, &new->manifest);
	if (old->check == NULL && new->check != NULL)
		ces_diff_say(diff, CES_DIFF_NARROWER, "%s: outputs are checked: %s", who,
			     ces_check_say(new, said));
	if (old->check != NULL && new->check == NULL)
		ces_diff_say(diff, CES_DIFF_WIDER, "%s: outputs are no longer checked", who);
	if (old->check != NULL && new->check != NULL &&
	    ces_check_read(old->check, &before, &ignored) == 0 &&
	    ces_check_read(new->check, &after, &ignored) == 0)
		compare(diff, who, &before, &after);
	ces_check_free(&before);
	ces_check_free(&after);
	compare_place(diff, who, old->withhold, new->withhold);
}

/* Files that a check allows and whose text it does not read. */
static bool allows_unread(const struct ces_check *check)
{
	for (size_t i = 0; i < check->types.n; i++)
		for (size_t j = CES_TYPE_PNG; j < CES_TYPES; j++)
			if (strcmp(check->types.v[i], ces_check_types[j]) == 0)
				return true;
	return check->types.n == 0;
}

void ces_check_warn_outputs(struct ces_problems *problems, const char *path,
			    const struct ces_policy_settings *settings)
{
	struct ces_check check = {0};
	struct ces_error ignored;

	if (settings->check == NULL || ces_check_read(settings->check, &check, &ignored) != 0)
		return;
	if (settings->withhold != NULL && !ces_template_has_run(settings->outputs_source))
		ces_problems_add(problems, CES_SEVERITY_HIGH, path,
				 "write {run} into the source of its outputs",
				 "withholds outputs, and has no directory for each run: every run "
				 "is refused");
	else if (!ces_template_has_run(settings->outputs_source))
		ces_problems_add(problems, CES_SEVERITY_MEDIUM, path,
				 "write {run} into the source of its outputs",
				 "checks outputs in a directory that runs share: each check is of "
				 "all that is there");
	if (settings->withhold != NULL && settings->data_access == CES_ACCESS_READ_WRITE)
		ces_problems_add(problems, CES_SEVERITY_MEDIUM, path,
				 "make the data read-only, unless this was approved",
				 "withholds outputs, and a run can write to the data instead");
	if (settings->withhold != NULL && settings->binds.n > 0)
		ces_problems_add(problems, CES_SEVERITY_MEDIUM, path,
				 "remove \"binds\", unless these were approved",
				 "withholds outputs, and a run can write to a directory that its "
				 "user binds (%s)",
				 settings->binds.v[0]);
	if (check.values.n + check.patterns.n > 0 && allows_unread(&check))
		ces_problems_add(problems, CES_SEVERITY_LOW, path,
				 "list \"types\" that are text, or let people look at the others",
				 "forbids values, and allows files that are not text: no value is "
				 "found in these");
	ces_check_free(&check);
}
