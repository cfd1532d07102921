/* Suggests what there is in place of an image that is missing. */
#ifndef CES_CLIENT_MISSING_H
#define CES_CLIENT_MISSING_H

/* Says which other tags of the image the caller has; nothing when there is none. */
void ces_missing_image(const char *reference);

#endif
