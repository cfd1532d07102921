/* Shows how far a pull is. On a terminal it redraws one line for each layer; elsewhere it prints a
 * line for each finished layer. */
#ifndef CES_CLIENT_PROGRESS_H
#define CES_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/event.h"
#include "common/request.h"

#define CES_PROGRESS_LAYERS 1024 /* more are not drawn */
#define CES_PROGRESS_LINE   512

struct ces_progress_layer {
	uint64_t state; /* enum ces_progress_state; 0 = nothing heard yet */
	uint64_t bytes, size;
	int64_t since; /* ms: when its first byte was reported */
	char id[13];   /* the first digits of its digest */
};

struct ces_progress {
	int fd;
	bool shown;    /* false: -q */
	bool terminal; /* redraw in place */
	size_t n;
	size_t drawn; /* our lines on the terminal, above the cursor */
	size_t rows, columns;
	int64_t last_drawn;
	struct ces_progress_layer *layers;
};

void ces_progress_start(struct ces_progress *progress, bool shown, int fd);
void ces_progress_update(struct ces_progress *progress, const struct ces_event_progress *event,
			 int64_t now_ms);

/* Draws again when it is time, even without news: a pull that hangs must not look like one that
 * goes on. */
void ces_progress_tick(struct ces_progress *progress, int64_t now_ms);

/* Draws the last state. Lines printed after it do not disturb what was drawn. */
void ces_progress_end(struct ces_progress *progress);
void ces_progress_free(struct ces_progress *progress);

/* Formats the line of one layer in at most `columns` columns, without newline. Pure. */
void ces_progress_format(const struct ces_progress_layer *layer, int64_t now_ms, size_t columns,
			 char ret[CES_PROGRESS_LINE]);

/* The same for all layers in one line, if they do not fit on the screen. */
void ces_progress_format_total(const struct ces_progress *progress, int64_t now_ms, size_t columns,
			       char ret[CES_PROGRESS_LINE]);

#endif
