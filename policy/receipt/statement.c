/* Writes the statement about a run. It must never say more than the journal does: it leaves out a
 * key that the records do not have. */
#include "policy/receipt/statement.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

static void add(struct json_object *to, const char *key, struct json_object *value)
{
	if (value != NULL)
		(void)json_object_object_add(to, key, value);
}

static struct json_object *text(const char *value)
{
	return value == NULL ? NULL : json_object_new_string(value);
}

/* Another reference to a member of a record; NULL when it has none. */
static struct json_object *member(const struct ces_receipt_record *from, const char *key)
{
	struct json_object *value;

	if (from->record == NULL || !json_object_object_get_ex(from->record, key, &value))
		return NULL;
	return json_object_get(value);
}

static const char *word(const struct ces_receipt_record *from, const char *key)
{
	struct json_object *value;

	if (from->record == NULL || !json_object_object_get_ex(from->record, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

/* A subject of in-toto: a name, and the digest without the word before it. */
static void add_subject(struct json_object *list, const char *name, const char *digest)
{
	struct json_object *one, *digests;

	if (digest == NULL || !ces_digest_valid(digest))
		return;
	one = json_object_new_object();
	digests = json_object_new_object();
	add(one, "name", text(name));
	add(digests, "sha256", text(strchr(digest, ':') + 1));
	add(one, "digest", digests);
	(void)json_object_array_add(list, one);
}

static struct json_object *make_image(const struct ces_receipt_run *e)
{
	struct json_object *image = json_object_new_object();

	add(image, "reference", member(&e->decision, "image"));
	add(image, "digest", member(&e->decision, "digest"));
	return image;
}

static struct json_object *make_permission(const struct ces_receipt_run *e)
{
	static const char *const keys[] = {"policy", "rule", "approval", "evidence", "signed_by"};
	struct json_object *permission = json_object_new_object();

	for (size_t i = 0; i < CES_COUNT(keys); i++)
		add(permission, keys[i], member(&e->decision, keys[i]));
	return permission;
}

static struct json_object *make_user(const struct ces_receipt_run *e)
{
	struct json_object *user = json_object_new_object();

	add(user, "uid", member(&e->decision, "uid"));
	add(user, "name", member(&e->decision, "user"));
	return user;
}

/* What the decision granted the run. */
static struct json_object *make_granted(const struct ces_receipt_run *e)
{
	static const char *const keys[] = {"mounts",    "limits",  "gpus",  "devices",
					   "published", "display", "proxy", "args"};
	struct json_object *granted = json_object_new_object();

	for (size_t i = 0; i < CES_COUNT(keys); i++)
		add(granted, keys[i], member(&e->decision, keys[i]));
	return granted;
}

/* What the kernel said about the container: each key that is not about the record itself. */
static struct json_object *make_proof(const struct ces_receipt_run *e)
{
	static const char *const others[] = {"seq",    "time",  "prev",  "event", "outcome",
					     "reason", "verb",  "uid",   "user",  "project",
					     "run",    "image", "digest"};
	struct json_object *proof, *kernel;

	if (e->proof.record == NULL)
		return NULL;
	proof = json_object_new_object();
	kernel = json_object_new_object();
	add(proof, "time", member(&e->proof, "time"));
	add(proof, "outcome", member(&e->proof, "outcome"));
	add(proof, "reason", member(&e->proof, "reason"));
	json_object_object_foreach(e->proof.record, key, value)
	{
		size_t i = 0;

		while (i < CES_COUNT(others) && strcmp(others[i], key) != 0)
			i++;
		if (i == CES_COUNT(others))
			add(kernel, key, json_object_get(value));
	}
	add(proof, "kernel", kernel);
	return proof;
}

static struct json_object *make_end(const struct ces_receipt_run *e)
{
	static const char *const keys[] = {"status", "reason", "peak_memory", "cpu_us"};
	struct json_object *end = json_object_new_object();

	for (size_t i = 0; i < CES_COUNT(keys); i++)
		add(end, keys[i], member(&e->end, keys[i]));
	return end;
}

/* NULL: the installation did not list them. */
static struct json_object *make_outputs(const struct ces_receipt_run *e)
{
	struct json_object *outputs;

	if (word(&e->end, "outputs") == NULL)
		return NULL;
	outputs = json_object_new_object();
	add(outputs, "state", member(&e->end, "outputs"));
	add(outputs, "manifest", member(&e->end, "manifest"));
	add(outputs, "files", member(&e->end, "files"));
	add(outputs, "bytes", member(&e->end, "bytes"));
	add(outputs, "check", member(&e->end, "check"));
	add(outputs, "findings", member(&e->end, "findings"));
	add(outputs, "withheld", member(&e->end, "withheld"));
	return outputs;
}

static void add_place(struct json_object *to, const char *key, uint64_t seq, const char *digest)
{
	struct json_object *place = json_object_new_object();

	add(place, "seq", json_object_new_uint64(seq));
	add(place, "digest", text(digest));
	add(to, key, place);
}

static struct json_object *make_journal(const struct ces_receipt_run *e)
{
	struct json_object *journal = json_object_new_object();

	add(journal, "first", json_object_new_uint64(e->first));
	add_place(journal, "decision", e->decision.seq, e->decision.digest);
	if (e->proof.record != NULL)
		add_place(journal, "proof", e->proof.seq, e->proof.digest);
	add_place(journal, "end", e->end.seq, e->end.digest);
	add_place(journal, "head", e->head, e->head_digest);
	return journal;
}

static struct json_object *make_issued(void)
{
	struct json_object *issued = json_object_new_object();
	char host[256] = "", when[40] = "";
	time_t now = time(NULL);
	struct tm tm;

	(void)gethostname(host, sizeof(host) - 1);
	ces_text_clean(host);
	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add(issued, "time", text(when));
	add(issued, "host", text(host));
	return issued;
}

static struct json_object *make_predicate(const struct ces_receipt_run *e)
{
	struct json_object *predicate = json_object_new_object();

	add(predicate, "run", member(&e->decision, "run"));
	add(predicate, "image", make_image(e));
	add(predicate, "permission", make_permission(e));
	add(predicate, "project", member(&e->decision, "project"));
	add(predicate, "user", make_user(e));
	add(predicate, "decided", member(&e->decision, "time"));
	add(predicate, "ended", member(&e->end, "time"));
	add(predicate, "granted", make_granted(e));
	add(predicate, "proof", make_proof(e));
	add(predicate, "end", make_end(e));
	add(predicate, "outputs", make_outputs(e));
	add(predicate, "journal", make_journal(e));
	add(predicate, "issued", make_issued());
	return predicate;
}

int ces_statement_make(const struct ces_receipt_run *e, char **ret, struct ces_error *err)
{
	struct json_object *statement = json_object_new_object();
	struct json_object *subjects = json_object_new_array();
	const char *printed;

	add_subject(subjects, "manifest of the outputs", word(&e->end, "manifest"));
	add_subject(subjects, word(&e->decision, "image"), word(&e->decision, "digest"));
	if (json_object_array_length(subjects) == 0)
		add_subject(subjects, "record of the end", e->end.digest);
	add(statement, "_type", text(CES_STATEMENT_TYPE));
	add(statement, "subject", subjects);
	add(statement, "predicateType", text(CES_PREDICATE_TYPE));
	add(statement, "predicate", make_predicate(e));
	printed = json_object_to_json_string_ext(statement, JSON_C_TO_STRING_PLAIN |
								JSON_C_TO_STRING_NOSLASHESCAPE);
	*ret = printed == NULL ? NULL : strdup(printed);
	json_object_put(statement);
	return *ret != NULL ? 0 : ces_error_set(err, CES_E_HOST, "out of memory");
}
