/* Suggests images in place of a missing one. */
#ifndef CES_CLIENT_MISSING_H
#define CES_CLIENT_MISSING_H

/* Prints which other tags of the image the caller has, or nothing if there are none. */
void ces_missing_image(const char *reference);

#endif
