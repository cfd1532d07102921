/* NAME:TAG.sif: a pull for Apptainer leaves this file in the working directory. It is no image, but
 * a small text file that names one in CES's store. It grants nothing: a run of it needs the same
 * policy and the same pull as a run of the name. */
#ifndef CES_CLIENT_SIF_H
#define CES_CLIENT_SIF_H

#include <stdbool.h>

#include "client/options.h"
#include "common/event.h"

#define CES_SIF_MAX 4096 /* bytes of a file */

/* Returns whether a word means such a file: it ends in ".sif". */
bool ces_sif_is(const char *word);

/* Writes the file into the working directory. It replaces only an older one of CES's own, and
 * renames a real SIF of the caller's to NAME:TAG.sif.old. */
int ces_sif_write(const char *reference, const char *digest, struct ces_error *err);

/* Puts the image that the file names into the request. It refuses, and says what to type, for a
 * real SIF, a link, and a file of another user, who could change it meanwhile. */
int ces_sif_read(const char *path, struct ces_options *options, struct ces_error *err);

/* Says so if the run has another image than the one that the file was written for: its tag may have
 * moved since. */
void ces_sif_compare(const struct ces_options *options, const struct ces_event_started *started);

#endif
