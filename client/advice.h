/* What people write in place of an image's name. It grants nothing: the helper decides about the
 * name that is sent. */
#ifndef CES_CLIENT_ADVICE_H
#define CES_CLIENT_ADVICE_H

#include "client/options.h"
#include "common/error.h"
#include "common/event.h"

/* Skips "docker://", which podman and Apptainer write before a name. */
const char *ces_advice_bare(const char *word);

/* Refuses a file, and the name of another kind of source, with what to type. */
int ces_advice_check(const char *image, struct ces_error *err);

/* Prints a refusal (ces_say_refusal). It says what to type instead of whom to ask, if the policy
 * has the registry, which the caller wrote with a port or by the address of the site's proxy; and
 * if waiting would help. */
void ces_advice_refusal(const struct ces_event_error *refusal, const struct ces_options *options);

/* Prints why there may be no such program as the request asks for, if its words say that. text says
 * which program could not be started. */
void ces_advice_command(const struct ces_request *request, const char *text);

#endif
