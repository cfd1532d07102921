/* Draws a pull's progress. It must write to the terminal only text made here from numbers and hex
 * digits, so that no registry can write control characters. */
#include "client/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/say.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/num.h"

#define REDRAW_MS 100
#define KNOWN_MS  1000 /* (before that a rate says nothing about the rest) */
#define BAR_LEAST 6
#define BAR_MOST  40

void ces_progress_start(struct ces_progress *progress, bool shown, int fd)
{
	struct winsize size = {0};
	const char *term = getenv("TERM");

	memset(progress, 0, sizeof(*progress));
	progress->fd = fd;
	progress->shown = shown;
	progress->terminal = isatty(fd) && (term == NULL || strcmp(term, "dumb") != 0);
	progress->rows = 24;
	progress->columns = 80;
	if (!progress->terminal || ioctl(fd, TIOCGWINSZ, &size) < 0)
		return;
	if (size.ws_row > 0)
		progress->rows = size.ws_row;
	if (size.ws_col > 0)
		progress->columns = size.ws_col;
}

void ces_progress_free(struct ces_progress *progress)
{
	free(progress->layers);
	progress->layers = NULL;
}

static void take_id(const char *digest, char ret[13])
{
	const char *hex = digest != NULL ? strchr(digest, ':') : NULL;

	snprintf(ret, 13, "%.12s", hex != NULL ? hex + 1 : "?");
	ces_text_clean(ret);
}

/* Per cent, at most 100. A size of 0 is a layer that is there at once. */
static unsigned percent(uint64_t bytes, uint64_t size)
{
	if (bytes >= size)
		return 100;
	return (unsigned)((double)bytes * 100.0 / (double)size);
}

static void draw_bar(unsigned done, size_t width, char *ret)
{
	size_t filled = width * done / 100;

	for (size_t i = 0; i < width; i++)
		ret[i] = "= >"[i < filled ? 0 : (i == filled ? 2 : 1)];
	ret[width] = '\0';
}

/* "ces: NAME [=====> ] 45% TAIL". The bar is as wide as the columns allow; without room there is no
 * bar. */
static void format_bar(const char *name, unsigned done, const char *tail, size_t columns,
		       char ret[CES_PROGRESS_LINE])
{
	char bar[BAR_MOST + 1];
	size_t fixed = strlen("ces: ") + strlen(name) + strlen(" []  100%  ") + strlen(tail);
	size_t width = columns > fixed ? columns - fixed : 0;

	if (width > BAR_MOST)
		width = BAR_MOST;
	if (width < BAR_LEAST) {
		snprintf(ret, CES_PROGRESS_LINE, "ces: %s %3u%%  %s", name, done, tail);
	} else {
		draw_bar(done, width, bar);
		snprintf(ret, CES_PROGRESS_LINE, "ces: %s [%s] %3u%%  %s", name, bar, done, tail);
	}
	if (columns < CES_PROGRESS_LINE)
		ret[columns] = '\0';
}

/* " 9.5/450.1 MiB": both in the unit of the whole, and always of the same width. */
static void format_amount(uint64_t bytes, uint64_t size, char *ret, size_t ret_size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double divisor = 1;
	char whole[32];
	size_t unit = 0;
	int decimals;

	while ((double)size / divisor >= 1024 && unit + 1 < CES_COUNT(units)) {
		divisor *= 1024;
		unit++;
	}
	decimals = unit > 0 ? 1 : 0;
	snprintf(whole, sizeof(whole), "%.*f", decimals, (double)size / divisor);
	snprintf(ret, ret_size, "%*.*f/%s %s", (int)strlen(whole), decimals,
		 (double)(bytes < size ? bytes : size) / divisor, whole, units[unit]);
}

/* "1m30s". Above an hour it leaves out the seconds. "" while it is too early to say. */
static void format_left(double seconds, char ret[32])
{
	uint64_t left = (uint64_t)seconds;

	ret[0] = '\0';
	if (seconds < 0 || seconds > 99.0 * 3600)
		return;
	if (left >= 3600)
		left -= left % 60;
	ces_num_format_time(left > 0 ? left : 1, ret, 32);
}

/* "120.5/450.1 MiB   35.2 MiB/s      9s left" */
static void format_tail(uint64_t bytes, uint64_t size, int64_t elapsed_ms, char *ret,
			size_t ret_size)
{
	double per_second = elapsed_ms > 0 ? (double)bytes * 1000.0 / (double)elapsed_ms : 0;
	bool known = elapsed_ms >= KNOWN_MS && per_second >= 1 && bytes < size;
	char amount[64], rate[32], left[32];

	format_amount(bytes, size, amount, sizeof(amount));
	ces_num_format_size((uint64_t)per_second, rate, sizeof(rate));
	format_left(known ? (double)(size - bytes) / per_second : -1, left);
	snprintf(ret, ret_size, "%s %10s/s %6s %s", amount, rate, left,
		 left[0] != '\0' ? "left" : "    ");
}

void ces_progress_format(const struct ces_progress_layer *layer, int64_t now_ms, size_t columns,
			 char ret[CES_PROGRESS_LINE])
{
	char tail[128], size[32];

	ces_num_format_size(layer->size, size, sizeof(size));
	switch ((enum ces_progress_state)layer->state) {
	case CES_PROGRESS_FETCHING:
		format_tail(layer->bytes, layer->size, now_ms - layer->since, tail, sizeof(tail));
		format_bar(layer->id, percent(layer->bytes, layer->size), tail, columns, ret);
		return;
	case CES_PROGRESS_DONE:
		snprintf(tail, sizeof(tail), "done, %s", size);
		break;
	case CES_PROGRESS_EXISTS:
		snprintf(tail, sizeof(tail), "already here");
		break;
	case CES_PROGRESS_WAITING:
	default:
		snprintf(tail, sizeof(tail), "waiting");
		break;
	}
	snprintf(ret, CES_PROGRESS_LINE, "ces: %s %s", layer->id, tail);
	if (columns < CES_PROGRESS_LINE)
		ret[columns] = '\0';
}

void ces_progress_format_total(const struct ces_progress *progress, int64_t now_ms, size_t columns,
			       char ret[CES_PROGRESS_LINE])
{
	uint64_t bytes = 0, size = 0;
	int64_t since = now_ms;
	size_t done = 0;
	char name[48], tail[128];

	for (size_t i = 0; i < progress->n; i++) {
		const struct ces_progress_layer *layer = &progress->layers[i];

		if (layer->state == CES_PROGRESS_DONE || layer->state == CES_PROGRESS_EXISTS)
			done++;
		if (layer->state == CES_PROGRESS_EXISTS)
			continue;
		bytes += layer->state == CES_PROGRESS_DONE ? layer->size : layer->bytes;
		size += layer->size;
		if (layer->since != 0 && layer->since < since)
			since = layer->since;
	}
	snprintf(name, sizeof(name), "%zu of %zu layers", done, progress->n);
	format_tail(bytes, size, now_ms - since, tail, sizeof(tail));
	format_bar(name, percent(bytes, size), tail, columns, ret);
}

/* Goes back to the first of our lines and writes all of these again. It leaves the last column
 * free: a terminal would wrap there, and the count of lines would be wrong. */
static void draw(struct ces_progress *progress, int64_t now_ms)
{
	bool fits = progress->n + 1 < progress->rows;
	size_t lines = fits ? progress->n : 1;
	size_t capacity = 32 + lines * (CES_PROGRESS_LINE + 8);
	char *text = malloc(capacity), line[CES_PROGRESS_LINE];
	size_t length = 0;

	if (text == NULL)
		return;
	if (progress->drawn > 0)
		length += (size_t)snprintf(text, capacity, "\033[%zuA", progress->drawn);
	for (size_t i = 0; i < lines; i++) {
		if (fits)
			ces_progress_format(&progress->layers[i], now_ms, progress->columns - 1,
					    line);
		else
			ces_progress_format_total(progress, now_ms, progress->columns - 1, line);
		length += (size_t)snprintf(text + length, capacity - length, "\r\033[K%s\n", line);
	}
	if (ces_write_full(progress->fd, text, length, -1) < 0)
		progress->shown = false;
	free(text);
	progress->drawn = lines;
	progress->last_drawn = now_ms;
}

static void tell(const struct ces_progress *progress, size_t i)
{
	const struct ces_progress_layer *layer = &progress->layers[i];
	char size[32];

	ces_num_format_size(layer->size, size, sizeof(size));
	if (layer->state == CES_PROGRESS_DONE)
		ces_say("layer %zu of %zu done, %s (%s)", i + 1, progress->n, size, layer->id);
	else if (layer->state == CES_PROGRESS_EXISTS)
		ces_say("layer %zu of %zu already here (%s)", i + 1, progress->n, layer->id);
}

static bool make_room(struct ces_progress *progress, uint64_t layers)
{
	struct ces_progress_layer *grown;

	if (layers <= progress->n)
		return true;
	if (layers > CES_PROGRESS_LAYERS)
		return false;
	grown = reallocarray(progress->layers, layers, sizeof(*grown));
	if (grown == NULL)
		return false;
	memset(grown + progress->n, 0, (layers - progress->n) * sizeof(*grown));
	for (size_t i = progress->n; i < layers; i++)
		take_id(NULL, grown[i].id);
	progress->layers = grown;
	progress->n = layers;
	return true;
}

void ces_progress_update(struct ces_progress *progress, const struct ces_event_progress *event,
			 int64_t now_ms)
{
	struct ces_progress_layer *layer;
	bool changed;

	if (!progress->shown || event->layer >= event->layers ||
	    !make_room(progress, event->layers))
		return;
	layer = &progress->layers[event->layer];
	changed = layer->state != event->state;
	layer->state = event->state;
	layer->bytes = event->bytes;
	if (event->size != 0)
		layer->size = event->size;
	if (event->digest != NULL)
		take_id(event->digest, layer->id);
	if (layer->since == 0 && event->state == CES_PROGRESS_FETCHING)
		layer->since = now_ms;
	if (progress->terminal && (changed || now_ms - progress->last_drawn >= REDRAW_MS))
		draw(progress, now_ms);
	else if (!progress->terminal && changed)
		tell(progress, event->layer);
}

void ces_progress_tick(struct ces_progress *progress, int64_t now_ms)
{
	if (progress->shown && progress->terminal && progress->n > 0 &&
	    now_ms - progress->last_drawn >= REDRAW_MS)
		draw(progress, now_ms);
}

void ces_progress_end(struct ces_progress *progress)
{
	if (progress->shown && progress->terminal && progress->n > 0)
		draw(progress, ces_now_ms());
	progress->shown = false;
}
