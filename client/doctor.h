/* `doctor`: whether this machine is fit to run CES, as far as an unprivileged user can see, and
 * what to do where it is not. */
#ifndef CES_CLIENT_DOCTOR_H
#define CES_CLIENT_DOCTOR_H

#include "client/options.h"

/* Looks at everything and prints it. Returns 0 when fit, 1 when not. */
int ces_doctor(struct ces_options *options);

#endif
