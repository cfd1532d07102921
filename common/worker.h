/* The messages between the helper and its unprivileged workers.
 *
 * ces-fetch: fd 3 is one end of a SOCK_SEQPACKET socket pair. The first message is a struct
 * ces_fetch_open (with the CA bundle as an SCM_RIGHTS fd when `ca` is 1). Every other message is
 * one frame: FETCH_GETs come, each with the fd to write the body to (a pipe; it is closed when the
 * body is whole or has failed). ces-fetch answers with FETCH_STATUS messages: `bytes` grows while a
 * body streams (at most ten a second for each), then one final status of another kind for each GET.
 * End of file on fd 3 ends ces-fetch.
 *
 * ces-layout: the same, with a directory in place of a network. It gets no login. It opens the
 * directory when its order names it, and its files only when a FETCH_GET asks for them.
 *
 * ces-unpack: fd 3 is a pipe with exactly one struct ces_unpack_job, fd 4 a pipe for exactly one
 * answer frame, fd 5 the bytes to read (manifest, config or layer), fd 6 a directory: for a layer
 * the empty staging directory (read-write), for a config nothing (/dev/null); fds from 6 upward in
 * job USER: the layers' root directories, lowest first, read-only. All directories are id-mapped to
 * its user namespace. The exit status is 0 when the job is done and its answer is written, and
 * CES_UNPACK_FAILED when the answer is an error; anything else is a crash.
 *
 * ces-relay: fd 3 is one end of a SOCK_SEQPACKET socket pair; ces-relay receives one struct
 * ces_relay_job and sends structs ces_relay_report. INWARDS runs in the container's network
 * namespace: fd 4 is a NETLINK_SOCK_DIAG socket of the host's, fds from 5 are listeners of the
 * host's, one for each port. OUTWARDS runs in the host's: fd 4 is nothing, fd 5 is a listener of
 * the container's. Their first report says that they are confined, or why not. RESOLVE has no other
 * fd, answers once and ends. End of file on fd 3 ends ces-relay. */
#ifndef CES_COMMON_WORKER_H
#define CES_COMMON_WORKER_H

#include "common/image.h"
#include "common/worker_order.h"

enum ces_fetch_kind {
	CES_FETCH_MANIFEST = 1,
	CES_FETCH_BLOB = 2,
	CES_FETCH_CHECK = 3,      /* is this blob there, for this login, with this size? Nothing is
					  fetched, and no fd comes with it */
	CES_FETCH_SIGNATURES = 4, /* a manifest that may be missing: nobody looks for others then */
	CES_FETCH_REFERRERS = 5,  /* the list of those that name this digest as their subject */
};

struct ces_fetch_get {
	void *memory;
	uint64_t id;     /* chosen by the helper, echoed in statuses */
	uint64_t kind;   /* enum ces_fetch_kind */
	char *reference; /* manifest, signatures: tag or digest; else a digest */
	uint64_t size;   /* blob, check: exact size in bytes; anything else fails. Else: largest
			    size */
};

/* The type that the registry gives a manifest (its Content-Type). OCI distribution-spec, "Pulling
 * manifests": it must be the type in the manifest itself. */
enum ces_manifest_type {
	CES_MANIFEST_UNSAID = 0, /* absent, or none of these: it means nothing */
	CES_MANIFEST_OCI_INDEX = 1,
	CES_MANIFEST_OCI = 2,
	CES_MANIFEST_DOCKER_LIST = 3,
	CES_MANIFEST_DOCKER = 4,
};

enum ces_fetch_state {
	CES_FETCH_BYTES = 1,
	CES_FETCH_DONE = 2,
	CES_FETCH_FAILED = 3,
	CES_FETCH_UNREAD = 4, /* also failed, but only because its reader is gone */
};

struct ces_fetch_status {
	void *memory;
	uint64_t id;
	uint64_t state; /* enum ces_fetch_state */
	uint64_t bytes;
	uint64_t code; /* enum ces_code when failed or unread */
	char *text;    /* then: one line for the user */
	uint64_t type; /* of a manifest, when done: enum ces_manifest_type */
};

#define CES_UNPACK_FAILED 3

enum ces_compression {
	CES_COMPRESSION_NONE = 0,
	CES_COMPRESSION_GZIP = 1,
	CES_COMPRESSION_ZSTD = 2
};

struct ces_unpack_manifest {
	void *memory;
	char *digest; /* of the bytes read */
	char *chosen; /* set when it was an index: digest of this machine's manifest; nothing else
			 is set */
	uint64_t chosen_size;
	char *config_digest;
	uint64_t config_size;
	struct ces_strings layer_digests; /* three lists of equal length, lowest layer first */
	struct ces_u64s layer_sizes;
	struct ces_u64s layer_compressions;
};

/* A bag is documents in any order, each after its length (four bytes, the lowest first). A document
 * is found in it by its digest, which another document names. ces-resolve fills the bag, root keeps
 * it unchanged, and only ces-verify looks into it. */
#define CES_BAG_DOCUMENTS 32
#define CES_BAG_DOCUMENT  (256u * 1024) /* bytes of one */

/* What a manifest of signatures has, or an index of such manifests. */
struct ces_unpack_signatures {
	void *memory;
	uint64_t index;             /* 1: they are manifests; 0: blobs */
	struct ces_strings digests; /* two lists of equal length */
	struct ces_u64s sizes;
};

struct ces_unpack_layer {
	void *memory;
	char *diff_id;
	uint64_t bytes; /* unpacked: each entry in blocks of 4 KiB, one at least */
	uint64_t entries;
	struct ces_strings opaque; /* directories that hide what lower layers have in them, by
				      their path in the layer; "" = its root */
};

/* As many as fit into an answer frame. An image from Docker may have one for every directory that
 * it adds. */
#define CES_OPAQUE_MAX   65536
#define CES_OPAQUE_BYTES (3u * 1024 * 1024)

struct ces_unpack_error {
	void *memory;
	uint64_t code; /* enum ces_code */
	char *text;
};

#define CES_CONFIG_MAX (4u * 1024 * 1024)

#endif
