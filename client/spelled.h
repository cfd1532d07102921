/* What people write in place of an image's name. It grants nothing: the helper decides about the
 * name that is sent. */
#ifndef CES_CLIENT_SPELLED_H
#define CES_CLIENT_SPELLED_H

#include "common/error.h"
#include "common/event.h"

/* Skips "docker://", which podman and Apptainer write before a name. */
const char *ces_spelled_bare(const char *word);

/* Refuses a file, and the name of another kind of source, with what to type. */
int ces_spelled_check(const char *image, struct ces_error *err);

/* Prints a refusal (ces_say_refusal). If the policy has the registry, and the caller wrote it with
 * a port or by the address of the site's proxy, it says what to type instead of whom to ask. */
void ces_spelled_refusal(const struct ces_event_error *refusal, const char *image);

#endif
