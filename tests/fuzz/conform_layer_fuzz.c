/* Takes any bytes for the tar of an image's layer, and for its configuration. They are refused with
 * a text, or read to the end. */
/* links: policy/conform/look.c policy/conform/entry.c policy/conform/marks.c */
/* links: policy/conform/packages.c policy/conform/image_config.c policy/conform/start.c */
/* links: policy/conform/signs.c policy/conform/signs_command.c policy/conform/signs_secret.c policy/conform/findings.c */
/* links: policy/conform/rules.c */
/* links: helper/unpack/json.c helper/unpack/json_scan.c helper/unpack/path.c */
/* links: helper/unpack/whiteout.c helper/unpack/archive.c helper/unpack/headers.c helper/unpack/stream.c */
/* links: helper/unpack/decode.c */
/* parses: policy/conform/look.c policy/conform/entry.c policy/conform/marks.c */
/* parses: policy/conform/packages.c policy/conform/image_config.c helper/unpack/headers.c */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/digest.h"
#include "policy/conform/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void look(struct ces_conform *conform, const uint8_t *bytes, size_t length)
{
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_image_config config = {0};
	struct ces_error err = {0};
	struct ces_look state;
	bool broken = false;
	int fd = memfd_create("layer", 0);
	struct ces_stream_source source = {.fd = fd, .size = length, .digest = digest};

	ces_digest_of(bytes, length, digest);
	source.diff_id = digest;
	source.compression = CES_COMPRESSION_NONE;
	if (fd < 0 || write(fd, bytes, length) != (ssize_t)length)
		abort();
	ces_look_begin(&state, conform, UINT64_C(16) << 20);
	state.tmp[0] = "opt/tmp";
	/* Reads it as two layers: the upper one hides what it has of the lower one. */
	for (state.layer = 1; state.layer < 3; state.layer++) {
		if (lseek(fd, 0, SEEK_SET) != 0)
			abort();
		if (ces_look_layer(&state, &source, &broken, &err) < 0 && err.text[0] == '\0')
			abort();
	}
	ces_look_end(&state);
	ces_image_check_end(conform, &config, &state);
	ces_look_free(&state);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct ces_conform conform = {.path = "image", .image = true};
	struct ces_image_config config;
	struct ces_error err = {0};

	if (ces_image_config_read((const char *)bytes, length, &config, &err) == 0) {
		ces_image_config_check(&conform, &config);
		ces_image_config_free(&config);
	} else if (length > 0) {
		look(&conform, bytes, length);
	}
	ces_conform_sort(&conform);
	ces_conform_free(&conform);
	return 0;
}
