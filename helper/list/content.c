/* Says what a file is by its first bytes, in a few plain words for an output checker. It must never
 * trust a file's name, and must look for nothing but the kind: the checker reads the content. */
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "helper/list/list.h"

static const struct {
	const char *word;
	size_t at, length;
	const char *bytes;
} marks[] = {
#define MARK(word, at, bytes)                                                                      \
	{                                                                                          \
		word, at, sizeof(bytes) - 1, bytes                                                 \
	}
    MARK("image", 0, "\x89PNG\r\n\x1a\n"),
    MARK("image", 0, "\xff\xd8\xff"),
    MARK("image", 0, "GIF8"),
    MARK("image", 0, "II*\0"),
    MARK("image", 0, "MM\0*"),
    MARK("image", 128, "DICM"),
    MARK("pdf", 0, "%PDF-"),
    MARK("archive", 0, "PK\3\4"), /* also office documents, and packages of R and Python */
    MARK("archive", 0, "\x1f\x8b"),
    MARK("archive", 0, "\x28\xb5\x2f\xfd"),
    MARK("archive", 0, "\xfd\x37zXZ\0"),
    MARK("archive", 0, "BZh"),
    MARK("archive", 0, "7z\xbc\xaf\x27\x1c"),
    MARK("archive", 257, "ustar"),
    MARK("program", 0, "\x7f\x45LF"),
    MARK("program", 0, "MZ"),
    MARK("script", 0, "#!"),
    MARK("data", 0, "SQLite format 3"),
    MARK("data", 0, "\x89HDF\r\n\x1a\n"),
    MARK("data", 0, "PAR1"),
    MARK("data", 0, "CDF\1"),
    MARK("data", 0, "CDF\2"),
    MARK("data", 0, "\x93NUMPY"),
    MARK("data", 0, "ARROW1"),
#undef MARK
};

/* Text for people: UTF-8 without control characters. The last character may be cut. */
static bool is_text(const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t c;
		size_t n = ces_utf8_next((const char *)bytes + i, length - i, &c);

		if (n == 0)
			return length - i < 4 && bytes[i] >= 0xc2 && length == CES_LIST_SAMPLE;
		if ((c < ' ' && strchr("\t\n\r\f", (int)c) == NULL) || c == 0 || c == 0x7f)
			return false;
		i += n;
	}
	return true;
}

const char *ces_list_content(const unsigned char *bytes, size_t length)
{
	if (length == 0)
		return "empty";
	for (size_t i = 0; i < CES_COUNT(marks); i++)
		if (length >= marks[i].at + marks[i].length &&
		    memcmp(bytes + marks[i].at, marks[i].bytes, marks[i].length) == 0)
			return marks[i].word;
	return is_text(bytes, length) ? "text" : "other";
}
