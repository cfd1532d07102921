/* --profile: the options that a site keeps under a name. */
#ifndef CES_CLIENT_PROFILE_H
#define CES_CLIENT_PROFILE_H

#include "client/setters.h"

/* Reads /etc/ces/profiles.d/NAME.json, which only root may have written, and applies it. What is
 * set later wins, so call this before the options that the user types. The profile's image and
 * command go into options->profile. */
ces_setter ces_set_profile;

#endif
