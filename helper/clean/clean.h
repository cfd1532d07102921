/* ces-clean: hands over and empties directories of a run or of the store. See common/clean.h. */
#ifndef CES_HELPER_CLEAN_CLEAN_H
#define CES_HELPER_CLEAN_CLEAN_H

#include "common/clean.h"

/* Gives up everything but the walk below the two directories. Ends the process on failure. From
 * here on `/` is the outputs directory, or the scratch where there are no outputs. */
void ces_clean_confine(const struct ces_clean_job *job);

#endif
