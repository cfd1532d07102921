/* The words that a request and a decision share: everything that a client may ask for. */
#ifndef CES_COMMON_VERB_H
#define CES_COMMON_VERB_H

enum ces_verb {
	CES_VERB_PULL = 1,
	CES_VERB_RUN = 2,
	CES_VERB_IMAGES = 3, /* list the caller's images */
	CES_VERB_REMOVE = 4, /* rmi */
	CES_VERB_RUNS = 5,   /* ps */
	CES_VERB_STOP = 6,
	CES_VERB_INSPECT = 7, /* a run or an image */
	CES_VERB_CLEAN = 8,   /* what dead runs of every user left: the janitor's; root only */
};

#define CES_GRACE_MAX     3600 /* seconds that a run may have to end before stop kills it */
#define CES_GRACE_DEFAULT 10

/* An X display. Its socket is DIR/X and the number, here and in a container. Its key has 128 bits,
 * and X calls it a MIT-MAGIC-COOKIE-1. The key's first byte is the highest byte of the first
 * word. */
#define CES_DISPLAY_DIR  "/tmp/.X11-unix"
#define CES_DISPLAY_MAX  65535
#define CES_COOKIE_WORDS 2
#define CES_DISPLAY_KEY  "etc/ces.Xauthority" /* in a container, for XAUTHORITY */

enum ces_request_flag {
	CES_FLAG_EXPLAIN = 1 << 0,     /* decide, say why, and do nothing (also --dry-run) */
	CES_FLAG_INTERACTIVE = 1 << 1, /* stdin reaches the container */
	CES_FLAG_TTY = 1 << 2,         /* fds 0-2 are a pty of the client's */
	CES_FLAG_DETACH = 1 << 3,
	CES_FLAG_READ_ONLY = 1 << 4, /* container root file system read-only */
	CES_FLAG_ENTRYPOINT =
	    1 << 5,                 /* `entrypoint` replaces the image's; its CMD is dropped too */
	CES_FLAG_SAME_UID = 1 << 6, /* ask for identity same-uid (ces-run apptainer) */
	CES_FLAG_NO_PROXY = 1 << 7, /* no network, even if the policy has a proxy */
	CES_FLAG_WAIT = 1 << 8,     /* a run that finds no place gets a ticket */
	CES_FLAG_OWN_IDS =
	    1 << 9, /* the caller's own numbers are theirs inside, see session/idmap.h */
	CES_FLAG_ALL = (1 << 10) - 1, /* every other bit is refused */
};

#endif
