/* ces-policy audit export --crate: one run as an RO-Crate (researchobject.org/ro-crate, 1.1) after
 * the Five Safes profile: who ran what for which project, when, how it came out, with its records
 * beside the description. It holds no data and no outputs, only their places. */
#include <json-c/json.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/receipt/dsse.h"
#include "policy/receipt/statement.h"
#include "policy/tool/audit.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

#define TEXT 1100

struct run {
	char user[64], project[CES_NAME_MAX + 1], image[TEXT], digest[80], rule[128], approval[160],
	    policy[80], started[40], ended[40], outcome[80], number[16], manifest[80];
	bool failed, seen;
};

int ces_crate_make(const char *path, struct ces_crate *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;

	if (ces_tool_make_dir(path, &dir, err) != 0)
		return -1;
	ret->metadata = ces_tool_make_file(dir, "ro-crate-metadata.json");
	ret->records = ces_tool_make_file(dir, "records.jsonl");
	ret->table = ces_tool_make_file(dir, "records.csv");
	if (ret->from != NULL)
		ret->receipt = ces_tool_make_file(dir, "receipt.json");
	if (ret->metadata == NULL || ret->records == NULL || ret->table == NULL ||
	    (ret->from != NULL && ret->receipt == NULL))
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	return 0;
}

/* 0 when all of it reached the files. */
int ces_crate_close(struct ces_crate *crate)
{
	FILE *const files[] = {crate->metadata, crate->records, crate->table, crate->receipt};
	int result = 0;

	ces_cleanup_close(&crate->from_fd);
	ces_cleanup_close(&crate->key_fd);

	for (size_t i = 0; i < CES_COUNT(files); i++)
		if (files[i] != NULL && fclose(files[i]) != 0)
			result = -1;
	return result;
}

static void take_decision(struct run *run, const struct ces_audit_row *row)
{
	const struct ces_record *record = row->record;

	run->seen = true;
	snprintf(run->user, sizeof(run->user), "%s", row->user);
	snprintf(run->project, sizeof(run->project), "%s", row->project);
	(void)ces_record_text(record, CES_RECORD_IMAGE, run->image, sizeof(run->image));
	(void)ces_record_text(record, CES_RECORD_DIGEST, run->digest, sizeof(run->digest));
	(void)ces_record_text(record, CES_RECORD_RULE, run->rule, sizeof(run->rule));
	(void)ces_record_text(record, CES_RECORD_APPROVAL, run->approval, sizeof(run->approval));
	(void)ces_record_text(record, CES_RECORD_POLICY, run->policy, sizeof(run->policy));
	(void)ces_record_text(record, CES_RECORD_TIME, run->started, sizeof(run->started));
	(void)ces_record_text(record, CES_RECORD_RUN, run->number, sizeof(run->number));
	(void)ces_audit_outcome(record, run->outcome, sizeof(run->outcome));
	run->failed = !ces_record_is(record, CES_RECORD_OUTCOME, "allowed");
}

struct filling {
	struct run run;
	const struct ces_crate *crate;
};

static int each(void *context, const struct ces_audit_row *row)
{
	struct filling *f = context;

	if (ces_record_is(row->record, CES_RECORD_EVENT, "end")) {
		(void)ces_record_text(row->record, CES_RECORD_TIME, f->run.ended,
				      sizeof(f->run.ended));
		(void)ces_audit_outcome(row->record, f->run.outcome, sizeof(f->run.outcome));
		f->run.failed = ces_record_number(row->record, CES_RECORD_STATUS) != 0;
		(void)ces_record_text(row->record, CES_RECORD_MANIFEST, f->run.manifest,
				      sizeof(f->run.manifest));
	} else {
		take_decision(&f->run, row);
	}
	fwrite(row->line->at, 1, row->line->length, f->crate->records);
	fputc('\n', f->crate->records);
	ces_export_row(f->crate->table, row);
	return ferror(f->crate->records) || ferror(f->crate->table) ? -1 : 0;
}

/* An entity of the graph: its id, its type, then pairs of key and text up to NULL. A text that
 * begins with "@" is a reference to another entity; an empty one leaves its key out. */
static struct json_object *entity(struct json_object *graph, const char *id, const char *type,
				  const char *const pairs[])
{
	struct json_object *one = json_object_new_object();

	(void)json_object_object_add(one, "@id", json_object_new_string(id));
	(void)json_object_object_add(one, "@type", json_object_new_string(type));
	for (size_t i = 0; pairs[i] != NULL; i += 2) {
		const char *text = pairs[i + 1];
		struct json_object *value = NULL;

		if (text[0] == '\0')
			continue;
		if (text[0] == '@') {
			value = json_object_new_object();
			(void)json_object_object_add(value, "@id",
						     json_object_new_string(text + 1));
		} else {
			value = json_object_new_string(text);
		}
		(void)json_object_object_add(one, pairs[i], value);
	}
	(void)json_object_array_add(graph, one);
	return one;
}

static void add_parts(struct json_object *root, bool receipt)
{
	static const char *const names[] = {"records.jsonl", "records.csv", "receipt.json"};
	struct json_object *parts = json_object_new_array();

	for (size_t i = 0; i < CES_COUNT(names) - (receipt ? 0 : 1); i++) {
		struct json_object *part = json_object_new_object();

		(void)json_object_object_add(part, "@id", json_object_new_string(names[i]));
		(void)json_object_array_add(parts, part);
	}
	(void)json_object_object_add(root, "hasPart", parts);
}

static void describe(struct json_object *graph, const struct run *run, bool receipt)
{
	char name[1300], about[600];
	struct json_object *root;

	snprintf(name, sizeof(name), "Run %s of %s for project %s", run->number, run->image,
		 run->project);
	snprintf(about, sizeof(about), "Allowed by %s%s%s, of the policy %s. Outcome: %s.",
		 run->rule, run->approval[0] != '\0' ? ", approval " : "", run->approval,
		 run->policy, run->outcome);
	entity(graph, "ro-crate-metadata.json", "CreativeWork",
	       (const char *const[]){"conformsTo", "@https://w3id.org/ro/crate/1.1", "about", "@./",
				     NULL});
	root = entity(
	    graph, "./", "Dataset",
	    (const char *const[]){"conformsTo", "@https://w3id.org/5s-crate/0.4", "name", name,
				  "description", about, "datePublished", run->started, "license",
				  "Not to be published: see the project's agreement", "mentions",
				  "@#run", "sourceOrganization", "@#project", NULL});
	add_parts(root, receipt);
	entity(graph, "#run", "CreateAction",
	       (const char *const[]){
		   "name", name, "instrument", "@#image", "agent", "@#user", "startTime",
		   run->started, "endTime", run->ended, "actionStatus",
		   run->ended[0] == '\0' && !run->failed ? "http://schema.org/ActiveActionStatus"
		   : run->failed                         ? "http://schema.org/FailedActionStatus"
				 : "http://schema.org/CompletedActionStatus",
		   run->failed ? "error" : "description", run->outcome, "result",
		   run->manifest[0] != '\0' ? "@#outputs" : "", NULL});
	if (run->manifest[0] != '\0')
		entity(graph, "#outputs", "Dataset",
		       (const char *const[]){
			   "name", "Outputs of the run, which are not in this crate", "description",
			   "The identifier is the digest of their manifest.", "identifier",
			   run->manifest, NULL});
	if (receipt)
		entity(graph, "receipt.json", "File",
		       (const char *const[]){"name", "Signed receipt of the run", "encodingFormat",
					     "application/json", NULL});
	entity(graph, "#image", "SoftwareApplication",
	       (const char *const[]){"name", run->image, "identifier", run->digest, NULL});
	entity(graph, "#user", "Person",
	       (const char *const[]){"name", run->user, "memberOf", "@#project", NULL});
	entity(graph, "#project", "Project",
	       (const char *const[]){"name", run->project, "identifier", run->project, NULL});
	entity(graph, "records.jsonl", "File",
	       (const char *const[]){"name", "Records of the run, as in the journal",
				     "encodingFormat", "application/jsonl", NULL});
	entity(graph, "records.csv", "File",
	       (const char *const[]){"name", "The same as a table", "encodingFormat", "text/csv",
				     NULL});
}

static bool says(struct json_object *object, const char *key, const char *text)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) &&
	       json_object_is_type(value, json_type_string) &&
	       strcmp(json_object_get_string(value), text) == 0;
}

/* Copies the receipt, if this key signed it and it is about this run. */
static int add_receipt(const struct ces_crate *crate, const char *run, struct ces_error *err)
{
	CES_CLEANUP_FREE char *pem = NULL, *envelope = NULL, *text = NULL;
	struct json_object *statement, *predicate;
	EVP_PKEY *key = NULL;
	size_t length;
	int result = ces_input_take(crate->key_fd, crate->key, &pem, &length, err);

	if (result == 0)
		result = ces_key_public(pem, length, &key, err);
	if (result == 0)
		result = ces_input_take(crate->from_fd, crate->from, &envelope, &length, err);
	if (result == 0)
		result = ces_dsse_open(key, CES_STATEMENT_MEDIA, envelope, length, &text, err);
	EVP_PKEY_free(key);
	if (result != 0)
		return -1;
	statement = json_tokener_parse(text);
	if (!says(statement, "predicateType", CES_PREDICATE_TYPE) ||
	    !json_object_object_get_ex(statement, "predicate", &predicate) ||
	    !says(predicate, "run", run))
		result = ces_error_set(err, CES_E_USAGE, "%s: this is no receipt of the run %s",
				       crate->from, run);
	json_object_put(statement);
	if (result == 0)
		(void)fwrite(envelope, 1, length, crate->receipt);
	return result;
}

int ces_audit_crate(const struct ces_audit *audit)
{
	struct filling f = {.crate = &audit->crate_files};
	struct json_object *all, *graph;
	struct ces_error err = {0};

	ces_export_head(f.crate->table);
	if (ces_audit_select(audit->reader, &audit->filter, each, &f, &err) != 0)
		return ces_tool_fail(&err);
	if (!f.run.seen) {
		fprintf(stderr, "ces-policy: the journal has no run %s\n", audit->filter.run);
		return CES_TOOL_FINDING;
	}
	if (f.crate->from != NULL && add_receipt(f.crate, f.run.number, &err) != 0)
		return ces_tool_fail(&err);
	all = json_object_new_object();
	graph = json_object_new_array();
	(void)json_object_object_add(
	    all, "@context", json_object_new_string("https://w3id.org/ro/crate/1.1/context"));
	(void)json_object_object_add(all, "@graph", graph);
	describe(graph, &f.run, f.crate->from != NULL);
	fprintf(f.crate->metadata, "%s\n",
		json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY |
							JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
	return CES_TOOL_GOOD;
}
