/* ces-policy audit export --format ocsf: records as events of the Open Cybersecurity Schema
 * Framework 1.3.0 (schema.ocsf.io), one JSON object a line. The manual ces-audit(5) says which
 * class a record has. An event must never have an attribute that its class lacks: what CES alone
 * knows is in "unmapped".
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/version.h"
#include "common/cleanup.h"
#include "policy/tool/export.h"

#define TEXT 2048

enum severity { INFORMATIONAL = 1, LOW = 2, MEDIUM = 3, HIGH = 4 };
enum ocsf_class { COMPLIANCE = 2003, NETWORK = 4001, LIFECYCLE = 6002 };

static const struct {
	enum ocsf_class class;
	unsigned activity;
	const char *name, *message;
	enum severity good, bad;
} kinds[CES_EXPORT_KINDS] = {
    [CES_EXPORT_START] = {LIFECYCLE, 3, "Start", "a run was requested", INFORMATIONAL, MEDIUM},
    [CES_EXPORT_PULL] = {LIFECYCLE, 1, "Install", "a pull was requested", INFORMATIONAL, MEDIUM},
    [CES_EXPORT_OTHER] = {LIFECYCLE, 99, "Other request", "something was requested", INFORMATIONAL,
			  MEDIUM},
    [CES_EXPORT_STOP] = {LIFECYCLE, 4, "Stop", "a run ended", INFORMATIONAL, LOW},
    [CES_EXPORT_PULLED] = {LIFECYCLE, 99, "Pull ended", "a pull ended", INFORMATIONAL, LOW},
    [CES_EXPORT_PROOF] = {COMPLIANCE, 1, "Create", "a container was compared with its plan",
			  INFORMATIONAL, HIGH},
    [CES_EXPORT_STRANGER] = {NETWORK, 5, "Refuse", "another user connected to a port of a run",
			     MEDIUM, MEDIUM},
    [CES_EXPORT_LEFT_OUT] = {LIFECYCLE, 99, "Denials counted", "denials were counted", MEDIUM,
			     MEDIUM},
};

static void add_text(struct json_object *to, const char *key, const char *text)
{
	if (text[0] != '\0')
		(void)json_object_object_add(to, key, json_object_new_string(text));
}

static void add_number(struct json_object *to, const char *key, int64_t number)
{
	(void)json_object_object_add(to, key, json_object_new_int64(number));
}

static struct json_object *add_object(struct json_object *to, const char *key)
{
	struct json_object *object = json_object_new_object();

	(void)json_object_object_add(to, key, object);
	return object;
}

static void add_field(struct json_object *to, const char *key, const struct ces_record *record,
		      enum ces_record_key field)
{
	char text[TEXT];

	add_text(to, key, ces_record_text(record, field, text, sizeof(text)));
}

static void add_classification(struct json_object *event, enum ces_export_kind kind, bool bad)
{
	static const char *const severities[] = {
	    [INFORMATIONAL] = "Informational", [LOW] = "Low", [MEDIUM] = "Medium", [HIGH] = "High"};
	enum severity severity = bad ? kinds[kind].bad : kinds[kind].good;

	add_number(event, "class_uid", kinds[kind].class);
	add_number(event, "category_uid", kinds[kind].class / 1000);
	add_number(event, "activity_id", kinds[kind].activity);
	add_text(event, "activity_name", kinds[kind].name);
	add_number(event, "type_uid", kinds[kind].class * 100 + kinds[kind].activity);
	add_number(event, "severity_id", severity);
	add_text(event, "severity", severities[severity]);
	add_text(event, "message", kinds[kind].message);
}

/* (the number of the record finds it in the journal) */
static void add_metadata(struct json_object *event, const struct ces_record *record,
			 enum ocsf_class class)
{
	struct json_object *metadata = add_object(event, "metadata"), *product, *profiles;

	add_text(metadata, "version", "1.3.0");
	product = add_object(metadata, "product");
	add_text(product, "name", "Container Execution Service");
	add_text(product, "vendor_name", "CES");
	add_text(product, "version", CES_VERSION);
	add_text(metadata, "log_name", "audit.jsonl");
	add_number(metadata, "sequence", (int64_t)ces_record_number(record, CES_RECORD_SEQ));
	add_field(metadata, "original_time", record, CES_RECORD_TIME);
	profiles = json_object_new_array();
	(void)json_object_array_add(profiles, json_object_new_string("host"));
	if (class == NETWORK)
		(void)json_object_array_add(profiles, json_object_new_string("security_control"));
	(void)json_object_object_add(metadata, "profiles", profiles);
}

/* Adds the actor: at a port that is the stranger, and not the owner of the run. */
static void add_actor(struct json_object *event, const struct ces_audit_row *row, bool stranger)
{
	struct json_object *user = add_object(add_object(event, "actor"), "user");
	char uid[32];

	if (stranger) {
		snprintf(uid, sizeof(uid), "%lld",
			 (long long)ces_export_number(row->line, "stranger"));
		add_text(user, "uid", uid);
	} else {
		add_text(user, "name", row->user);
		add_field(user, "uid", row->record, CES_RECORD_UID);
	}
	add_number(user, "type_id", 1);
}

static void add_status(struct json_object *event, const struct ces_record *record, bool bad)
{
	add_number(event, "status_id", bad ? 2 : 1);
	add_text(event, "status", bad ? "Failure" : "Success");
	add_field(event, "status_code", record,
		  record->field[CES_RECORD_CODE].at != NULL ? CES_RECORD_CODE : CES_RECORD_STATUS);
	add_field(event, "status_detail", record, CES_RECORD_REASON);
}

/* The image is the application. Its registry counts as its maker. */
static void add_app(struct json_object *event, const struct ces_record *record)
{
	struct json_object *app = add_object(event, "app");
	struct ces_reference reference;
	char image[TEXT];

	(void)ces_record_text(record, CES_RECORD_IMAGE, image, sizeof(image));
	add_text(app, "name", image[0] != '\0' ? image : "container");
	add_text(app, "vendor_name",
		 ces_reference_parse(image, &reference, NULL) == 0 ? reference.registry
								   : "unknown");
	add_field(app, "uid", record, CES_RECORD_DIGEST);
}

static void fill_lifecycle(struct json_object *event, const struct ces_audit_row *row, bool bad)
{
	int64_t began = ces_export_ms(row->started), ended;
	char time[CES_TIME_TEXT];

	add_app(event, row->record);
	add_status(event, row->record, bad);
	if (row->record->field[CES_RECORD_COUNT].at != NULL)
		add_number(event, "count",
			   (int64_t)ces_record_number(row->record, CES_RECORD_COUNT));
	ended = ces_export_ms(ces_record_text(row->record, CES_RECORD_TIME, time, sizeof(time)));
	if (began > 0 && ended >= began) {
		add_number(event, "start_time", began);
		add_number(event, "duration", ended - began);
	}
}

static void fill_compliance(struct json_object *event, const struct ces_record *record, bool bad)
{
	struct json_object *compliance = add_object(event, "compliance"), *standards, *finding;
	char uid[32];

	standards = json_object_new_array();
	(void)json_object_array_add(standards, json_object_new_string("CES plan of the run"));
	(void)json_object_object_add(compliance, "standards", standards);
	add_text(compliance, "control", "the container is as planned");
	add_number(compliance, "status_id", bad ? 3 : 1);
	add_text(compliance, "status", bad ? "Fail" : "Pass");
	add_field(compliance, "status_detail", record, CES_RECORD_REASON);
	finding = add_object(event, "finding_info");
	snprintf(uid, sizeof(uid), "record %llu",
		 (unsigned long long)ces_record_number(record, CES_RECORD_SEQ));
	add_text(finding, "uid", uid);
	add_text(finding, "title",
		 bad ? "A container was not as planned, and was ended"
		     : "A container was as planned");
	add_number(event, "status_id", 1);
	add_text(event, "status", "New");
}

static void fill_network(struct json_object *event, const struct ces_audit_row *row)
{
	int64_t port = ces_export_number(row->line, "port");
	struct json_object *from = add_object(event, "src_endpoint"),
			   *to = add_object(event, "dst_endpoint");
	char name[48];

	snprintf(name, sizeof(name), "uid %lld",
		 (long long)ces_export_number(row->line, "stranger"));
	add_text(from, "name", name);
	add_field(to, "uid", row->record, CES_RECORD_RUN);
	add_text(to, "name", "port of a run");
	if (port >= 0)
		add_number(to, "port", port);
	add_number(event, "action_id", 2);
	add_text(event, "action", "Denied");
	add_number(event, "disposition_id", 2);
	add_text(event, "disposition", "Blocked");
	add_number(event, "count", (int64_t)ces_record_number(row->record, CES_RECORD_COUNT));
}

/* (the writer has no other key) */
static bool is_key(const char *key)
{
	while (*key > ' ' && *key <= '~')
		key++;
	return *key == '\0';
}

/* A copy in printable ASCII, as ces_record_text gives it. */
static struct json_object *plain(struct json_object *value)
{
	struct json_object *copy;
	char *text;

	if (json_object_is_type(value, json_type_array)) {
		copy = json_object_new_array();
		for (size_t i = 0; i < json_object_array_length(value); i++)
			(void)json_object_array_add(copy,
						    plain(json_object_array_get_idx(value, i)));
		return copy;
	}
	if (json_object_is_type(value, json_type_object)) {
		copy = json_object_new_object();
		json_object_object_foreach(value, key, member)
		{
			if (is_key(key))
				(void)json_object_object_add(copy, key, plain(member));
		}
		return copy;
	}
	if (!json_object_is_type(value, json_type_string))
		return json_object_get(value);
	text = strdup(json_object_get_string(value));
	for (char *at = text; at != NULL && *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	copy = json_object_new_string(text != NULL ? text : "");
	free(text);
	return copy;
}

/* All other keys of the record: its lists and objects, and what a later version writes. */
static void add_rest(struct json_object *rest, const struct ces_line *line)
{
	static const char *const placed[] = {"seq",  "time",  "user", "reason",
					     "code", "count", "port", "stranger"};
	CES_CLEANUP_FREE char *copy = strndup(line->at, line->length);
	struct json_object *tree = copy == NULL ? NULL : json_tokener_parse(copy);

	if (json_object_is_type(tree, json_type_object)) {
		json_object_object_foreach(tree, key, value)
		{
			bool known = !is_key(key) || json_object_object_get_ex(rest, key, NULL);

			for (size_t i = 0; i < CES_COUNT(placed) && !known; i++)
				known = strcmp(key, placed[i]) == 0;
			if (!known)
				(void)json_object_object_add(rest, key, plain(value));
		}
	}
	json_object_put(tree);
}

static void add_unmapped(struct json_object *event, const struct ces_audit_row *row)
{
	static const enum ces_record_key texts[] = {
	    CES_RECORD_EVENT,    CES_RECORD_VERB,    CES_RECORD_OUTCOME, CES_RECORD_RUN,
	    CES_RECORD_RULE,     CES_RECORD_POLICY,  CES_RECORD_PREV,    CES_RECORD_DIGEST,
	    CES_RECORD_APPROVAL, CES_RECORD_IMAGE,   CES_RECORD_OUTPUTS, CES_RECORD_MANIFEST,
	    CES_RECORD_CHECK,    CES_RECORD_WITHHELD};
	static const enum ces_record_key numbers[] = {
	    CES_RECORD_UID,   CES_RECORD_ARGS,   CES_RECORD_ENV,         CES_RECORD_GPUS,
	    CES_RECORD_PORTS, CES_RECORD_STATUS, CES_RECORD_PEAK_MEMORY, CES_RECORD_CPU_US,
	    CES_RECORD_FILES, CES_RECORD_BYTES,  CES_RECORD_FINDINGS};
	struct json_object *rest = add_object(event, "unmapped");

	add_text(rest, "project", row->project);
	for (size_t i = 0; i < CES_COUNT(texts); i++)
		add_field(rest, ces_record_name(texts[i]), row->record, texts[i]);
	for (size_t i = 0; i < CES_COUNT(numbers); i++)
		if (row->record->field[numbers[i]].at != NULL)
			add_number(rest, ces_record_name(numbers[i]),
				   (int64_t)ces_record_number(row->record, numbers[i]));
	add_rest(rest, row->line);
}

void ces_export_ocsf(FILE *out, const struct ces_audit_row *row)
{
	enum ces_export_kind kind = ces_export_kind(row->record);
	bool bad = ces_export_bad(row->record);
	struct json_object *event = json_object_new_object();
	char time[CES_TIME_TEXT];

	add_classification(event, kind, bad);
	add_number(
	    event, "time",
	    ces_export_ms(ces_record_text(row->record, CES_RECORD_TIME, time, sizeof(time))));
	add_metadata(event, row->record, kinds[kind].class);
	add_actor(event, row, kinds[kind].class == NETWORK);
	if (kinds[kind].class == COMPLIANCE)
		fill_compliance(event, row->record, bad);
	else if (kinds[kind].class == NETWORK)
		fill_network(event, row);
	else
		fill_lifecycle(event, row, bad);
	add_unmapped(event, row);
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(event);
}
