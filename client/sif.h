/* NAME:TAG.sif, which a pull for Apptainer leaves where it was typed: no image, but a small text
 * file that names one in CES's store. It grants nothing: running it needs the same policy and the
 * same pull as if the name had been typed. */
#ifndef CES_CLIENT_SIF_H
#define CES_CLIENT_SIF_H

#include <stdbool.h>

#include "client/options.h"

#define CES_SIF_MAX 4096 /* bytes of a file */

/* Whether a word means such a file: it ends in ".sif". */
bool ces_sif_is(const char *word);

/* Writes it into the working directory, over an older one of CES's own and nothing else. */
int ces_sif_write(const char *reference, const char *digest, struct ces_error *err);

/* Puts the image that the file names into the request. Refuses, and says what to type, a real SIF,
 * a link, and a file of another user, who could change it meanwhile. */
int ces_sif_read(const char *path, struct ces_options *options, struct ces_error *err);

#endif
