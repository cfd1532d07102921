/* Takes any bytes for an envelope, for the statement in a well-signed one, and for the file beside
 * a run's outputs. It is refused with a line of text, or gives a statement that is the exact
 * payload with the parts of every receipt, or a manifest that is the same when it is read again. */
/* parses: policy/receipt/dsse.c policy/receipt/read.c */
/* links: policy/receipt/dsse.c policy/receipt/dsse_open.c policy/receipt/read.c */
#include <stdint.h>

#include "policy/receipt/read.h"
#include "policy/receipt/statement.h"
#include "tests/fuzz/receipt_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_statement(struct json_object *statement)
{
	if (!ces_receipt_is(statement, "_type", CES_STATEMENT_TYPE) ||
	    !json_object_is_type(ces_receipt_at(statement, "predicate.run"), json_type_string) ||
	    ces_receipt_at(statement, "predicate.run.run") != NULL)
		abort();
}

/* payload: the expected text; NULL: anything */
static void open_receipt(const char *envelope, size_t length, const char *payload)
{
	struct json_object *statement = NULL;
	struct ces_error err = {0};
	char *text = NULL;

	if (ces_receipt_open(NULL, envelope, length, &text, &statement, &err) == 0) {
		check_statement(statement);
		if (payload != NULL && strcmp(text, payload) != 0)
			abort();
	} else if (err.text[0] == '\0') {
		abort();
	}
	json_object_put(statement);
	free(text);
}

static void open_manifest(const char *text, size_t length)
{
	char digest[CES_DIGEST_LENGTH + 1], again[CES_DIGEST_LENGTH + 1];
	char *manifest = NULL, *whole = NULL, *second = NULL;
	struct ces_error err = {0};

	if (ces_receipt_manifest(text, length, &manifest, digest, &err) == 0) {
		if (asprintf(&whole, "{\"manifest\":%s}", manifest) < 0 ||
		    ces_receipt_manifest(whole, strlen(whole), &second, again, &err) < 0 ||
		    strcmp(manifest, second) != 0 || strcmp(digest, again) != 0)
			abort();
	} else if (err.text[0] == '\0') {
		abort();
	}
	free(manifest);
	free(whole);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	/* (as files are read: with a NUL after it) */
	char *text = malloc(length + 1), *envelope;

	if (text == NULL || length > 1 << 16) {
		free(text);
		return 0;
	}
	memcpy(text, bytes, length);
	text[length] = '\0';
	open_receipt(text, length, NULL);
	envelope = sealed(CES_STATEMENT_MEDIA, text, length);
	open_receipt(envelope, strlen(envelope), text);
	open_manifest(text, length);
	free(envelope);
	free(text);
	return 0;
}
