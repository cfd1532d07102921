/* ces-policy audit export --crate: one run as an RO-Crate (researchobject.org/ro-crate, 1.2), a
 * Process Run Crate after the Five Safes profile: who ran what for which project, when, how it came
 * out, with its records beside the description. It holds no data and no outputs, only their places.
 */
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/receipt/read.h"
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
	if (ret->outputs != NULL)
		ret->manifest = ces_tool_make_file(dir, "manifest.json");
	if (ret->metadata == NULL || ret->records == NULL || ret->table == NULL ||
	    (ret->from != NULL && ret->receipt == NULL) ||
	    (ret->outputs != NULL && ret->manifest == NULL))
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	return 0;
}

/* 0 if everything reached the files. */
int ces_crate_close(struct ces_crate *crate)
{
	FILE *const files[] = {crate->metadata, crate->records, crate->table, crate->receipt,
			       crate->manifest};
	int result = 0;

	ces_cleanup_close(&crate->from_fd);
	ces_cleanup_close(&crate->key_fd);
	ces_cleanup_close(&crate->outputs_fd);

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

/* The numbers of runs are random. If one occurred twice, the crate is about its last run, as a
 * receipt is, and has no record of another user's. */
static int begin(struct filling *f)
{
	const struct ces_crate *crate = f->crate;
	FILE *const files[] = {crate->records, crate->table};

	f->run = (struct run){0};
	for (size_t i = 0; i < CES_COUNT(files); i++)
		if (fflush(files[i]) != 0 || ftruncate(fileno(files[i]), 0) != 0 ||
		    fseek(files[i], 0, SEEK_SET) != 0)
			return -1;
	ces_export_head(crate->table);
	return 0;
}

static int each(void *context, const struct ces_audit_row *row)
{
	struct filling *f = context;
	bool decision = ces_record_is(row->record, CES_RECORD_EVENT, "decision");

	if (decision && begin(f) != 0)
		return -1;
	if (ces_record_is(row->record, CES_RECORD_EVENT, "end")) {
		(void)ces_record_text(row->record, CES_RECORD_TIME, f->run.ended,
				      sizeof(f->run.ended));
		(void)ces_audit_outcome(row->record, f->run.outcome, sizeof(f->run.outcome));
		f->run.failed = ces_record_number(row->record, CES_RECORD_STATUS) != 0;
		(void)ces_record_text(row->record, CES_RECORD_MANIFEST, f->run.manifest,
				      sizeof(f->run.manifest));
	} else if (decision) {
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

static void refer(struct json_object *one, const char *key, const char *const ids[], size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *reference = json_object_new_object();

		(void)json_object_object_add(reference, "@id", json_object_new_string(ids[i]));
		(void)json_object_array_add(list, reference);
	}
	(void)json_object_object_add(one, key, list);
}

static const char *const profiles[] = {"https://w3id.org/ro/wfrun/process/0.5",
				       "https://w3id.org/5s-crate/0.4"};

static void describe_profiles(struct json_object *graph)
{
	static const char *const names[][2] = {{"Process Run Crate", "0.5"},
					       {"Five Safes RO-Crate", "0.4"}};

	for (size_t i = 0; i < CES_COUNT(profiles); i++) {
		struct json_object *types = json_object_new_array();
		struct json_object *one = entity(
		    graph, profiles[i], "",
		    (const char *const[]){"name", names[i][0], "version", names[i][1], NULL});

		(void)json_object_array_add(types, json_object_new_string("CreativeWork"));
		(void)json_object_array_add(types, json_object_new_string("Profile"));
		(void)json_object_object_add(one, "@type", types);
	}
}

static void describe_files(struct json_object *graph, const struct ces_crate *crate)
{
	if (crate->manifest != NULL)
		entity(graph, "manifest.json", "File",
		       (const char *const[]){
			   "name", "Manifest of the outputs", "description",
			   "Their names, sizes and digests. Its own digest is in the journal.",
			   "encodingFormat", "application/json", NULL});
	if (crate->receipt != NULL)
		entity(
		    graph, "receipt.json", "File",
		    (const char *const[]){"name", "Signed receipt of the run", "description",
					  "A DSSE envelope; ces-policy receipt verify checks it.",
					  "encodingFormat", "application/json", NULL});
	entity(graph, "records.jsonl", "File",
	       (const char *const[]){"name", "Records of the run", "description",
				     "As they are in the journal, one a line.", "encodingFormat",
				     "application/jsonl", NULL});
	entity(graph, "records.csv", "File",
	       (const char *const[]){"name", "Records of the run as a table", "description",
				     "The same records, for a spreadsheet.", "encodingFormat",
				     "text/csv", NULL});
}

/* The image is the program. Its digest is its version. */
static void describe_image(struct json_object *graph, const struct run *run)
{
	char url[TEXT + 16];

	snprintf(url, sizeof(url), "docker://%s", run->image);
	entity(graph, "#image", "SoftwareApplication",
	       (const char *const[]){"name", run->image, "url", url, "version", run->digest,
				     "identifier", run->digest, NULL});
}

static void refer_files(struct json_object *root, const struct ces_crate *crate)
{
	const char *names[4] = {"records.jsonl", "records.csv"};
	size_t n = 2;

	if (crate->receipt != NULL)
		names[n++] = "receipt.json";
	if (crate->manifest != NULL)
		names[n++] = "manifest.json";
	refer(root, "hasPart", names, n);
}

static void describe(struct json_object *graph, const struct run *run,
		     const struct ces_crate *crate)
{
	char name[1300], about[600];
	struct json_object *root;

	snprintf(name, sizeof(name), "Run %s of %s for project %s", run->number, run->image,
		 run->project);
	snprintf(about, sizeof(about), "Allowed by %s%s%s, of the policy %s. Outcome: %s.",
		 run->rule, run->approval[0] != '\0' ? ", approval " : "", run->approval,
		 run->policy, run->outcome);
	entity(graph, "ro-crate-metadata.json", "CreativeWork",
	       (const char *const[]){"conformsTo", "@https://w3id.org/ro/crate/1.2", "about", "@./",
				     NULL});
	root = entity(graph, "./", "Dataset",
		      (const char *const[]){"name", name, "description", about, "datePublished",
					    run->started, "license", "@#licence", "mentions",
					    "@#run", "sourceOrganization", "@#project", NULL});
	refer(root, "conformsTo", profiles, CES_COUNT(profiles));
	refer_files(root, crate);
	entity(graph, "#run", "CreateAction",
	       (const char *const[]){
		   "name", name, "instrument", "@#image", "agent", "@#user", "startTime",
		   run->started, "endTime", run->ended, "actionStatus",
		   run->ended[0] == '\0' && !run->failed ? "http://schema.org/ActiveActionStatus"
		   : run->failed                         ? "http://schema.org/FailedActionStatus"
				 : "http://schema.org/CompletedActionStatus",
		   "error", run->failed ? run->outcome : "", "description", about, "result",
		   run->manifest[0] != '\0' ? "@#outputs" : "", NULL});
	if (run->manifest[0] != '\0')
		entity(graph, "#outputs", "Dataset",
		       (const char *const[]){
			   "name", "Outputs of the run, which are not in this crate", "description",
			   "The identifier is the digest of their manifest.", "identifier",
			   run->manifest, NULL});
	describe_image(graph, run);
	entity(graph, "#user", "Person",
	       (const char *const[]){"name", run->user, "memberOf", "@#project", NULL});
	entity(graph, "#project", "Project",
	       (const char *const[]){"name", run->project, "identifier", run->project, NULL});
	entity(graph, "#licence", "CreativeWork",
	       (const char *const[]){"name", "Not to be published", "description",
				     "See the project's agreement.", NULL});
	describe_files(graph, crate);
	describe_profiles(graph);
}

/* Copies the receipt, if this key signed it and it is about this run. */
static int add_receipt(const struct ces_crate *crate, const char *run, struct ces_error *err)
{
	CES_CLEANUP_FREE char *pem = NULL, *envelope = NULL, *text = NULL;
	struct json_object *statement = NULL;
	EVP_PKEY *key = NULL;
	size_t length;
	int result = ces_input_take(crate->key_fd, crate->key, &pem, &length, err);

	if (result == 0)
		result = ces_key_public(pem, length, "--key", &key, err);
	if (result == 0)
		result = ces_input_take(crate->from_fd, crate->from, &envelope, &length, err);
	if (result == 0)
		result = ces_receipt_open(key, envelope, length, &text, &statement, err);
	EVP_PKEY_free(key);
	if (result == 0 && !ces_receipt_is(statement, "predicate.run", run))
		result = ces_error_set(err, CES_E_USAGE, "it is of another run than %s", run);
	json_object_put(statement);
	if (result == 0)
		(void)fwrite(envelope, 1, length, crate->receipt);
	return result == 0 ? 0 : ces_error_context(err, "%s", crate->from);
}

/* Copies the manifest of the outputs, if it is the one that the journal names. */
static int add_manifest(const struct ces_crate *crate, const struct run *run, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL, *manifest = NULL;
	char digest[CES_DIGEST_LENGTH + 1];
	size_t length = 0;
	int result = 0;

	if (ces_read_file(crate->outputs_fd, CES_MANIFEST_FILE_MAX, &bytes, &length) != 0)
		return ces_error_errno(err, CES_E_USAGE, "%s", crate->outputs);
	result = ces_receipt_manifest(bytes, length, &manifest, digest, err);
	if (result == 0 && strcmp(digest, run->manifest) != 0)
		result = ces_error_set(err, CES_E_USAGE,
				       "its manifest is not the one of the run %s", run->number);
	if (result != 0)
		return ces_error_context(err, "%s", crate->outputs);
	fputs(manifest, crate->manifest);
	return 0;
}

int ces_audit_crate(const struct ces_audit *audit)
{
	struct filling f = {.crate = &audit->crate_files};
	struct json_object *all, *graph;
	struct ces_error err = {0};

	if (ces_audit_select(audit->reader, &audit->filter, each, &f, &err) != 0)
		return ces_tool_fail(&err);
	if (!f.run.seen) {
		fprintf(stderr, "ces-policy: the journal has no run %s\n", audit->filter.run);
		return CES_TOOL_FINDING;
	}
	if ((f.crate->from != NULL && add_receipt(f.crate, f.run.number, &err) != 0) ||
	    (f.crate->outputs != NULL && add_manifest(f.crate, &f.run, &err) != 0))
		return ces_tool_fail(&err);
	all = json_object_new_object();
	graph = json_object_new_array();
	(void)json_object_object_add(
	    all, "@context", json_object_new_string("https://w3id.org/ro/crate/1.2/context"));
	(void)json_object_object_add(all, "@graph", graph);
	describe(graph, &f.run, f.crate);
	fprintf(f.crate->metadata, "%s\n",
		json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY |
							JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
	return CES_TOOL_GOOD;
}
