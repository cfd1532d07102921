/* `doctor`: says whether this machine can run CES, as far as an unprivileged user can see, and what
 * to do if it cannot. */
#ifndef CES_CLIENT_DOCTOR_H
#define CES_CLIENT_DOCTOR_H

#include "client/options.h"

/* Runs every check and prints the findings. Returns 0 if the machine is fit, 1 if not. */
int ces_doctor(struct ces_options *options);

#endif
