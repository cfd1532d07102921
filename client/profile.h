/* --profile: the options that a site keeps under a name. */
#ifndef CES_CLIENT_PROFILE_H
#define CES_CLIENT_PROFILE_H

#include "client/setters.h"

/* Reads /etc/ces/profiles.d/NAME.json, which root alone may have written, and sets what it says.
 * What is set later wins: so this comes before the options that the user types. Its image and
 * command go into options->profile. */
ces_setter ces_set_profile;

#endif
