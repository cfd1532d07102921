/* ces-policy receipt verify. It must never print a word of a receipt before it has checked the
 * signature, and never a control character. */
#include "policy/receipt/check.h"

#include <json-c/json.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/receipt/read.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

#define KEY_MAX 65536

static int take(int fd, const char *path, size_t most, char **ret, size_t *ret_length,
		struct ces_error *err)
{
	if (ces_read_file(fd, most, ret, ret_length) != 0)
		return ces_error_errno(err, CES_E_USAGE, "%s", path);
	return 0;
}

/* Opens both files, gives up root's rights, and reads the public key. The caller releases what is
 * there, also after a failure. */
static int open_files(const char *key, const char *file, EVP_PKEY **ret_key, char **ret_bytes,
		      size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int key_fd = -1, fd = -1;
	CES_CLEANUP_FREE char *pem = NULL;
	size_t length = 0;

	if (ces_input_open(key, &key_fd, err) != 0 || ces_input_open(file, &fd, err) != 0 ||
	    ces_input_drop(err) != 0 || take(key_fd, key, KEY_MAX, &pem, &length, err) != 0 ||
	    ces_key_public(pem, length, "--key", ret_key, err) != 0)
		return -1;
	return take(fd, file, CES_ENVELOPE_MAX, ret_bytes, ret_length, err);
}

static const char *shown(struct json_object *value, char buffer[300])
{
	snprintf(buffer, 300, "%s",
		 value == NULL ? "-"
		 : json_object_is_type(value, json_type_string)
		     ? json_object_get_string(value)
		     : json_object_to_json_string(value));
	ces_text_clean(buffer);
	return buffer;
}

static void print_text(const struct json_object *statement, const char *keyid)
{
	static const struct {
		const char *label, *way;
	} rows[] = {{"run", "run"},
		    {"image", "image.reference"},
		    {"digest", "image.digest"},
		    {"rule", "permission.rule"},
		    {"approval", "permission.approval"},
		    {"evidence", "permission.evidence"},
		    {"policy", "permission.policy"},
		    {"project", "project"},
		    {"user", "user.name"},
		    {"decided", "decided"},
		    {"ended", "ended"},
		    {"status", "end.status"},
		    {"reason", "end.reason"},
		    {"kernel", "proof.outcome"},
		    {"manifest", "outputs.manifest"},
		    {"check", "outputs.check"},
		    {"findings", "outputs.findings"},
		    {"withheld", "outputs.withheld"},
		    {"record", "journal.end.seq"},
		    {"head", "journal.head.seq"},
		    {"head", "journal.head.digest"},
		    {"issued", "issued.time"},
		    {"by", "issued.host"}};
	struct json_object *predicate =
	    ces_receipt_at((struct json_object *)(uintptr_t)statement, "predicate");
	char text[300];

	printf("%sgood%s: signed by key %s\n", ces_colour(stdout, CES_GREEN),
	       ces_colour(stdout, CES_PLAIN), keyid);
	for (size_t i = 0; i < CES_COUNT(rows); i++)
		if (ces_receipt_at(predicate, rows[i].way) != NULL)
			printf("  %-10s %s\n", rows[i].label,
			       shown(ces_receipt_at(predicate, rows[i].way), text));
}

/* Prints whether the file beside the outputs is the receipt's. */
static int compare_outputs(struct json_object *statement, const char *bytes, size_t length,
			   struct ces_error *err)
{
	char digest[CES_DIGEST_LENGTH + 1];
	CES_CLEANUP_FREE char *manifest = NULL;

	if (!json_object_is_type(ces_receipt_at(statement, "predicate.outputs.manifest"),
				 json_type_string))
		return ces_error_set(err, CES_E_DENIED,
				     "the receipt names no manifest of outputs to compare with");
	if (ces_receipt_manifest(bytes, length, &manifest, digest, err) != 0)
		return ces_error_context(err, "--outputs");
	if (!ces_receipt_is(statement, "predicate.outputs.manifest", digest))
		return ces_error_set(
		    err, CES_E_DENIED,
		    "--outputs: its manifest is not the one of the receipt: it was "
		    "changed, or is of another run");
	return 0;
}

static int report(EVP_PKEY *key, const char *text, struct json_object *statement, bool json,
		  struct ces_error *err)
{
	char keyid[CES_KEY_ID + 1];

	if (json) {
		puts(text);
		return 0;
	}
	if (ces_key_id(key, keyid, err) != 0)
		return -1;
	print_text(statement, keyid);
	return 0;
}

/* Releases on every way out what it has opened. */
int ces_receipt_check(const char *key_path, const char *file, const char *outputs, bool json)
{
	CES_CLEANUP_FD int outputs_fd = -1;
	CES_CLEANUP_FREE char *bytes = NULL, *text = NULL, *listed = NULL;
	struct json_object *statement = NULL;
	struct ces_error err = {0};
	size_t length = 0, listed_length = 0;
	EVP_PKEY *key = NULL;
	bool good = (outputs == NULL || ces_input_open(outputs, &outputs_fd, &err) == 0) &&
		    open_files(key_path, file, &key, &bytes, &length, &err) == 0;

	if (good && ces_receipt_open(key, bytes, length, &text, &statement, &err) != 0)
		good = (ces_error_put_context(&err, "%s", file), false);
	if (good && outputs != NULL)
		good = take(outputs_fd, outputs, CES_MANIFEST_FILE_MAX, &listed, &listed_length,
			    &err) == 0 &&
		       compare_outputs(statement, listed, listed_length, &err) == 0;
	good = good && report(key, text, statement, json, &err) == 0;
	json_object_put(statement);
	EVP_PKEY_free(key);
	if (!good) {
		int status = ces_tool_fail(&err);

		return err.code == CES_E_DENIED ? CES_TOOL_FINDING : status;
	}
	return ces_tool_finish(stdout, CES_TOOL_GOOD);
}
