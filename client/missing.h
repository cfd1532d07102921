/* Suggests images in place of a missing one. */
#ifndef CES_CLIENT_MISSING_H
#define CES_CLIENT_MISSING_H

/* Prints which other tags of the image the caller has, or nothing if there are none. */
void ces_missing_image(const char *reference);

/* Says that a run would need a pull first, if the caller does not have the image. */
void ces_missing_note(const char *reference);

#endif
