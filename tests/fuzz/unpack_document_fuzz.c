/* Takes any bytes for a manifest and for a configuration. The result is an answer that the wire
 * accepts, or an error with a text. */
/* links: helper/unpack/json.c helper/unpack/json_scan.c helper/unpack/manifest.c */
/* links: helper/unpack/config.c */
/* parses: helper/unpack/json.c helper/unpack/json_scan.c */
/* parses: helper/unpack/manifest.c helper/unpack/config.c */
#include <stdint.h>
#include <stdlib.h>

#include "helper/unpack/config.h"
#include "helper/unpack/manifest.h"

#include "common/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must_encode(const struct ces_wire_schema *schema, const void *object)
{
	struct ces_error err;
	uint8_t *frame;
	size_t length;

	if (ces_wire_encode(schema, object, &frame, &length, &err) < 0)
		abort();
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char digest[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct ces_error err = {0};
	struct ces_manifest manifest;
	struct ces_config config;

	enum ces_manifest_type served =
	    length > 0 ? bytes[length - 1] % (CES_MANIFEST_DOCKER + 1) : CES_MANIFEST_UNSAID;

	if (ces_manifest_parse((const char *)bytes, length, served, &manifest, &err) == 0) {
		manifest.answer.digest = digest;
		must_encode(&ces_unpack_manifest_schema, &manifest.answer);
		ces_manifest_free(&manifest);
	} else if (err.text[0] == '\0') {
		abort();
	}
	if (ces_config_parse((const char *)bytes, length, 1, &config, &err) == 0) {
		must_encode(&ces_image_record_schema, &config.record);
		ces_config_free(&config);
	}
	return 0;
}
