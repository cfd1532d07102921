/* Reads the order. Must not use a number before it is bounded, nor a word before its end was
 * seen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/inside/inside.h"

static size_t count_words(const struct ces_inside_order *order)
{
	size_t n = 0;

	for (size_t i = 0; i < CES_INSIDE_ROWS; i++)
		n += order->words[i];
	return n;
}

static bool numbers_are_bounded(const struct ces_inside_order *order)
{
	/* (each word has a byte at least) */
	return order->magic == CES_INSIDE_MAGIC && order->size == sizeof(*order) &&
	       order->length <= CES_INSIDE_MAX && count_words(order) <= order->length &&
	       order->words[CES_INSIDE_ROW_TEXTS] == CES_INSIDE_TEXTS &&
	       order->words[CES_INSIDE_ROW_MOUNTS] <= CES_INSIDE_MOUNTS &&
	       order->words[CES_INSIDE_ROW_TMPFS] <= CES_TMPFS_MAX &&
	       order->n_gids <= CES_INSIDE_GIDS;
}

/* Each word begins where the one before it ended, and the last ends with the bytes. */
static bool split(const struct ces_inside_order *order, char *bytes, char **words,
		  struct ces_strings rows[CES_INSIDE_ROWS])
{
	size_t left = order->length;

	for (size_t row = 0; row < CES_INSIDE_ROWS; row++) {
		rows[row] = (struct ces_strings){words, order->words[row]};
		for (size_t i = 0; i < order->words[row]; i++) {
			size_t length = strnlen(bytes, left);

			if (length == left)
				return false;
			*words++ = bytes;
			bytes += length + 1;
			left -= length + 1;
		}
	}
	return left == 0;
}

static bool are_absolute(const struct ces_strings *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		if (paths->v[i][0] != '/')
			return false;
	return true;
}

static int read_order(int fd, struct ces_inside *ret)
{
	struct ces_inside_order *order = &ret->order;
	char *bytes, **words;

	if (ces_read_full(fd, order, sizeof(*order), -1) < 0)
		return -1;
	errno = EBADMSG;
	if (!numbers_are_bounded(order))
		return -1;
	bytes = malloc(order->length);
	words = calloc(count_words(order), sizeof(*words));
	if (bytes == NULL || words == NULL || ces_read_full(fd, bytes, order->length, -1) < 0)
		return -1;
	errno = EBADMSG;
	return read(fd, &(char){0}, 1) == 0 && split(order, bytes, words, ret->rows) &&
		       are_absolute(&ret->rows[CES_INSIDE_ROW_MOUNTS]) &&
		       are_absolute(&ret->rows[CES_INSIDE_ROW_TMPFS]) &&
		       are_absolute(&ret->rows[CES_INSIDE_ROW_LIBRARIES]) &&
		       are_absolute(&ret->rows[CES_INSIDE_ROW_LINKS])
		   ? 0
		   : -1;
}

void ces_inside_read(int fd, struct ces_inside *ret)
{
	if (read_order(fd, ret) < 0)
		ces_inside_fail(CES_STEP_ORDER);
}
