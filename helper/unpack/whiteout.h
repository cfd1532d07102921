/* Whiteouts, as layers write them. Source: OCI image-spec v1.0.2 layer.md, "Whiteouts". */
#ifndef CES_UNPACK_WHITEOUT_H
#define CES_UNPACK_WHITEOUT_H

#include "helper/unpack/path.h"

enum ces_whiteout {
	CES_WHITEOUT_NONE,   /* an ordinary entry */
	CES_WHITEOUT_HIDE,   /* hides *ret */
	CES_WHITEOUT_OPAQUE, /* hides what is in the directory *ret */
	CES_WHITEOUT_IGNORE, /* bookkeeping of aufs */
};

/* Classifies the entry `path`; writes *ret for HIDE and OPAQUE. CES_E_IMAGE if it is malformed. */
int ces_whiteout_classify(const struct ces_path *path, enum ces_whiteout *ret_kind,
			  struct ces_path *ret, struct ces_error *err);

#endif
