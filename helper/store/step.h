/* The order of a ces-store, and the steps that it may ask ces-session for, and nothing else. Both
 * are packets on a SOCK_SEQPACKET socket: flat, with no descriptor and no path in them. A staged
 * thing has a name of 16 hex digits, everything else is a digest or a number.
 *
 * ces-session answers each step with one packet, but CES_STEP_BUSY with several, and END and FAILED
 * with none. If it refuses a step, that ends the request, so no answer is an error. */
#ifndef CES_HELPER_STORE_STEP_H
#define CES_HELPER_STORE_STEP_H

#include <stdint.h>

#include "common/name.h"

/* The descriptors of a ces-store. A directory that its mode does not need is /dev/null. */
enum ces_store_fd {
	CES_STORE_SESSION = 3, /* the socket to ces-session */
	CES_STORE_EVENT,       /* to the client, as CES_FD_EVENT */
	CES_STORE_LAYERS,
	CES_STORE_IMAGES,
	CES_STORE_GRANTS,
	CES_STORE_STAGING,
	CES_STORE_TRASH,
	CES_STORE_LOCKS,
	CES_STORE_FDS
};

enum ces_store_mode {
	CES_STORE_PULL = 1, /* a pull, led by a ces-resolve, from the user's limits to the grant */
	CES_STORE_SETTLE,   /* waits until these layers are on the disk */
	CES_STORE_COLLECT,  /* moves what nobody needs out of its place, and has it removed */
	CES_STORE_LIST,     /* shows the user's images */
	CES_STORE_INSPECT,  /* shows one image */
	CES_STORE_REMOVE    /* removes the grant of one */
};

/* The first packet, to ces-store. */
struct ces_store_order {
	uint64_t mode; /* enum ces_store_mode */
	uint64_t uid;  /* of the caller */
	char user[256];
	char image[CES_REFERENCE_MAX + 1]; /* for a pull canonical, otherwise as it was typed; "" */
	char named[CES_DIGEST_LENGTH + 1]; /* a pull's digest in that; "" */
	char project[CES_NAME_MAX + 1];
	uint64_t images, space, reserve;     /* host.user_limits, host.store_reserve */
	uint64_t retain;                     /* of the grant */
	char signers[CES_DIGEST_LENGTH + 1]; /* the name of the documents that may hold signatures;
						"": none are wanted */
	uint64_t soon;                       /* COLLECT: 1: waits for its turn, and for one only */
	uint64_t n;                          /* SETTLE: diff_ids */
	char layers[CES_LAYERS_MAX][CES_DIGEST_LENGTH + 1];
};

#define CES_STEP_NAME      16 /* hex digits */
#define CES_STEP_BYTES_MAX 16384
#define CES_STEP_DIGESTS   64

enum ces_step_kind {
	/* of a pull: before anything else */
	CES_STEP_START = 1, /* ces-fetch and ces-resolve. Answered with the socket to ces-resolve */
	/* while it looks for the manifest, for signatures and for the configuration */
	CES_STEP_READ, /* ces-unpack reads a document: kind of job in number, layers, size, type and
			  digest as there. Answered twice: with the fd of its answer, and with the
			  one that the document is written to */
	CES_STEP_FOUND,  /* digest: of the manifest; top: of what the reference names */
	CES_STEP_SIGNED, /* the documents that may hold signatures are in the file "bag" of the
			    staged name; bytes: why one could not be had, if so */
	CES_STEP_NEED,   /* bytes: the diff_ids of the layers that the pull counts on, each with
			    its NUL. The collector leaves them and the image from here on */
	/* while it fetches layers and puts the image together */
	CES_STEP_UNPACK,   /* ces-unpack, on a staged name: digest, diff_id, size; compression in
			      number; left: bytes that it may have. Answered as READ is */
	CES_STEP_UNPACKED, /* has the ces-unpack of name done its job? Answered: state 1, it has */
	CES_STEP_MARK,     /* bytes: a directory in name, which hides what is below */
	CES_STEP_COMMIT, /* no mark comes after this: name is the layer that was named to UNPACK */
	CES_STEP_USER, /* ces-unpack reads the passwd of the layers that are needed, for the user in
			  bytes. Answered with the fd of its answer */
	CES_STEP_GRANT, /* the grant is written next, and after that comes the end alone */
	/* of a collector */
	CES_STEP_BUSY, /* the images and layers of live runs and pulls. Answered until state is not
			  CES_BUSY_MORE */
	/* of a collector, and of a pull that gives up */
	CES_STEP_EMPTY, /* removes trash/name, and ends its ces-unpack first; for a collector, where
			   there is none of that name: all of the trash */
	/* the end */
	CES_STEP_END,    /* of a pull: CES_END_* in number */
	CES_STEP_FAILED, /* enum ces_code in number, its text in bytes; size: enum ces_step_rule */
	CES_STEP_KINDS
};

/* How a pull has ended. */
#define CES_END_UP_TO_DATE 1 /* nothing had to be fetched */
#define CES_END_SETTLED    2 /* every layer of the image is on the disk: none has the mark */

enum ces_busy { CES_BUSY_MORE, CES_BUSY_ALL, CES_BUSY_UNKNOWN /* not all could be read */ };

/* The rules of the policy that ces-store may name in an error. */
enum ces_step_rule {
	CES_STEP_NO_RULE,
	CES_STEP_CREDENTIALS,
	CES_STEP_LIMIT_IMAGES,
	CES_STEP_LIMIT_STORE,
	CES_STEP_RULES
};
#define CES_STEP_RULE_NAMES                                                                        \
	{                                                                                          \
		"", "registries.credentials", "host.user_limits.images", "host.user_limits.store"  \
	}

struct ces_step {
	uint64_t kind, number, size, left;
	uint64_t layers, type; /* of a job, as in common/worker.h */
	char name[CES_STEP_NAME + 1];
	char digest[CES_DIGEST_LENGTH + 1], diff_id[CES_DIGEST_LENGTH + 1];
	char top[CES_DIGEST_LENGTH + 1];
	uint64_t length; /* of the bytes that follow */
	char bytes[CES_STEP_BYTES_MAX];
};

struct ces_step_answer {
	uint64_t state, n; /* n: of the digests that follow */
	char digests[CES_STEP_DIGESTS][CES_DIGEST_LENGTH + 1];
};

#endif
