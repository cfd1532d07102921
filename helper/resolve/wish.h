/* The wishes that ces-resolve may send to ces-store in a pull, and nothing else. Each wish is one
 * packet on a SOCK_SEQPACKET socket: flat, of fixed size but for the bytes at its end, with no
 * descriptor and no name of a file in it. The place in the image, from the lowest, names a layer.
 *
 * ces-store answers the wishes that say so, each with one packet. If it refuses a wish, that ends
 * the pull, so no answer is an error. */
#ifndef CES_HELPER_RESOLVE_WISH_H
#define CES_HELPER_RESOLVE_WISH_H

#include <stdint.h>

#include "common/name.h"

#define CES_RESOLVE_SESSION 3 /* the socket to ces-store; its first packet is root's order */
#define CES_RESOLVE_FETCH   4 /* the socket to ces-fetch, or ces-layout */

#define CES_WISH_BYTES_MAX 16384

enum ces_wish_kind {
	/* while it looks for the manifest */
	CES_WISH_BYTES = 1, /* more of a document: number is an enum ces_wish_document */
	CES_WISH_PARSE,     /* ces-unpack reads a document: kind of job in number, layers and size
			       and digest as there. Answered twice: with the fd of its answer, and
			       with the one that the document is written to */
	CES_WISH_MANIFEST,  /* the manifest is whole, and the index, where there is one */
	/* the same for the configuration */
	CES_WISH_LAYER, /* the next layer: digest, diff_id, size; compression in number */
	CES_WISH_NEED,  /* those were all. Answered: here */
	/* the same while it fetches layers */
	CES_WISH_ROOM,   /* is there room for size bytes? */
	CES_WISH_CLAIM,  /* fetch it here? number 1: without asking others. Answered: state 1,
			    nobody else fetches it; here */
	CES_WISH_LOOK,   /* at what another fetches. Answered: state 1, the other has let go of it;
			    size, the bytes that have come */
	CES_WISH_UNPACK, /* ces-unpack, on a staging directory. Answered as CES_WISH_PARSE is */
	CES_WISH_OPAQUE, /* bytes: a directory in it, which hides what is below */
	CES_WISH_COMMIT, /* it is whole, and takes size bytes */
	CES_WISH_PROGRESS, /* number: enum ces_progress_state; size: bytes so far */
	CES_WISH_IMAGE,    /* all layers are there; number 1: another pull fetched some */
	/* while it puts the image together */
	CES_WISH_USER, /* ces-unpack reads the image's passwd for the user in bytes. Answered with
			  the fd of its answer */
	/* the end */
	CES_WISH_DONE,
	CES_WISH_FAILED, /* at any time: enum ces_code in number, its text in bytes; size 1: the
			    registry wants a login, or another */
	/* if the rule wants signatures: between the manifest and the configuration */
	CES_WISH_SIGNED, /* the documents that may hold them are whole. bytes: why one could not be
			    had, if so */
	CES_WISH_KINDS
};

enum ces_wish_document {
	CES_WISH_TOP,    /* named by the reference: a manifest, or an index */
	CES_WISH_CHOSEN, /* the manifest that an index leads to */
	CES_WISH_CONFIG,
	CES_WISH_RECORD,     /* a frame of ces_image_record_schema */
	CES_WISH_SIGNATURES, /* a bag, see helper/verify/job.h */
	CES_WISH_DOCUMENTS
};

struct ces_wish {
	uint64_t kind, layer, number, size;
	uint64_t layers, type; /* of a job, as in common/worker.h */
	char digest[CES_DIGEST_LENGTH + 1], diff_id[CES_DIGEST_LENGTH + 1]; /* "": none */
	uint64_t length; /* of the bytes that follow */
	char bytes[CES_WISH_BYTES_MAX];
};

struct ces_wish_answer {
	uint64_t state, size;
	uint64_t here[(CES_LAYERS_MAX + 63) / 64]; /* a bit for each layer that is in the store */
};

/* The first packet, to ces-resolve. */
struct ces_resolve_order {
	char reference[257]; /* a tag, or a digest */
	uint64_t signatures; /* 1: they are wanted as well */
	char layout[512];    /* the directory, if CES_RESOLVE_FETCH leads to ces-layout; or "" */
};

#endif
