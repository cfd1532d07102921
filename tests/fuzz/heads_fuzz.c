/* Takes any bytes for a file of signed heads, and each of its lines for a head with a good
 * signature. It is refused with a line of text, or gives a list that is compared with the records
 * of a journal. Its messages can be shown on any terminal. */
/* parses: policy/receipt/heads.c */
/* links: policy/receipt/heads.c policy/receipt/dsse.c policy/receipt/dsse_open.c policy/tool/record.c */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy/receipt/heads.h"
#include "policy/tool/audit.h"
#include "policy/tool/record.h"
#include "tests/fuzz/receipt_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_text(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			abort();
}

static void compare(struct ces_heads *heads)
{
	static const char line[] =
	    "{\"seq\":1,\"time\":\"2026-10-01T00:00:00.000Z\",\"prev\":\"\"}";
	struct ces_verify v = {.first_seq = 1};
	struct ces_record record;

	if (ces_record_read(line, sizeof(line) - 1, &record) != 0)
		abort();
	for (uint64_t seq = 1; seq <= 4; seq++) {
		v.seq = seq;
		v.records = seq;
		memset(v.digest, 0, sizeof(v.digest));
		ces_heads_see(heads, &v, &record);
	}
	check_text(ces_heads_judge(heads, &v));
	check_text(ces_heads_last(heads));
	if (ces_heads_count(heads) == 0)
		abort();
}

static void read_file(int fd, const char *bytes, size_t length)
{
	struct ces_heads *heads = NULL;
	struct ces_error err = {0};
	int key = memfd_create("key", 0);

	if (key < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, bytes, length, 0) != (ssize_t)length ||
	    lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if (ces_heads_read(key, fd, "heads", &heads, &err) == 0) {
		compare(heads);
		ces_heads_free(heads);
	} else if (err.text[0] == '\0') {
		abort();
	}
	close(key);
}

/* Puts each line into an envelope, with what syslog writes before it. */
static char *seal_lines(const char *text, size_t *ret_length)
{
	char *copy = strdup(text), *rest = copy, *line, *all = NULL;
	FILE *file = open_memstream(&all, ret_length);

	if (copy == NULL || file == NULL)
		abort();
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *envelope = sealed(CES_HEAD_MEDIA, line, strlen(line));

		fprintf(file, "Nov  1 host ces[1]: %s\n", envelope);
		free(envelope);
	}
	fclose(file);
	free(copy);
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = malloc(length + 1), *lines;
	int fd = memfd_create("heads", 0);
	size_t lines_length = 0;

	if (text == NULL || fd < 0 || length > 1 << 16) {
		free(text);
		close(fd);
		return 0;
	}
	memcpy(text, bytes, length);
	text[length] = '\0';
	read_file(fd, text, length);
	lines = seal_lines(text, &lines_length);
	read_file(fd, lines, lines_length);
	free(lines);
	free(text);
	close(fd);
	return 0;
}
