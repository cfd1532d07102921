/* The parts of ces-inside. Each ends the process when a step fails, after it has reported which. */
#ifndef CES_HELPER_INSIDE_INSIDE_H
#define CES_HELPER_INSIDE_INSIDE_H

#include "common/wire.h"
#include "common/inside.h"
#include "helper/session/json.h"

/* An order that was checked. */
struct ces_inside {
	struct ces_inside_order order;
	struct ces_strings rows[CES_INSIDE_ROWS];
};

static inline const char *ces_inside_text(const struct ces_inside *inside, enum ces_inside_text n)
{
	return inside->rows[CES_INSIDE_ROW_TEXTS].v[n];
}

/* Reports the step with errno and the place, and ends the process. */
void ces_inside_fail(enum ces_inside_step step) __attribute__((noreturn));

/* The place of a report (common/inside.h). */
extern uint32_t ces_inside_place;

/* Reads the order from fd. The memory of the words is never freed. */
void ces_inside_read(int fd, struct ces_inside *ret);

/* The text of config.json (OCI runtime-spec v1.0.2, config.md), which is never freed. It reads the
 * system call filter of this installation. */
const char *ces_inside_config(const struct ces_inside *inside);

/* Writes the environment of the program into the list that is open. */
void ces_inside_environment(const struct ces_inside *inside, struct ces_json *to);

/* Makes the rest of the container, when the run's tree is the root directory. */
void ces_inside_set_up(const struct ces_inside *inside);

/* Makes the mount points in the image's tree, and the files and links that are CES's there. */
void ces_inside_tree(const struct ces_inside *inside);

/* Fits an image made for root to a user who keeps their uid: a line in its /etc/passwd and
 * /etc/group, and a working directory that they can write to. Where the image makes a step
 * impossible (a link, a device, no such file), everything stays as it is. */
void ces_inside_settle(const struct ces_inside *inside);

/* Becomes the runtime. */
void ces_inside_execute(const struct ces_inside *inside) __attribute__((noreturn));

#endif
