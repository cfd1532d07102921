/* The orders that root gives its workers, and the one report that it reads, a relay's. Who speaks
 * with whom is in common/worker.h, with the messages that no program of root's knows. */
#ifndef CES_COMMON_WORKER_ORDER_H
#define CES_COMMON_WORKER_ORDER_H

#include "common/wire.h"

struct ces_fetch_open {
	void *memory;
	char *scheme_host_port; /* "https://tre-ghcr-proxy.nsh.loc:5000", no trailing slash; https,
				   always. For ces-layout "oci:/directory" */
	char *prefix;     /* path prefix of the endpoint ("/ghcr"), or NULL. For ces-layout the
			     registry's name ("ghcr.io"): the names of images begin with it */
	char *repository; /* "epcced/tool" */
	struct ces_strings hosts; /* other hosts (token servers, blob stores) that it may contact:
				     "host" or "host:port" */
	char *username;           /* or NULL: anonymous */
	char *token;
	uint64_t ca; /* 1: trust only the CA bundle in the attached fd */
	char *proxy; /* "http://host:port" for every connection; or NULL */
};

enum ces_unpack_kind {
	CES_UNPACK_MANIFEST = 1, /* answer: UNPACK_MANIFEST */
	CES_UNPACK_CONFIG =
	    2, /* answer: IMAGE_RECORD without digest, uid, gid, groups, home, size */
	CES_UNPACK_LAYER = 3,      /* answer: UNPACK_LAYER */
	CES_UNPACK_FIND_USER = 4,  /* answer: IMAGE_RECORD with only uid, gid, groups, home */
	CES_UNPACK_SIGNATURES = 5, /* answer: UNPACK_SIGNATURES */
};

struct ces_unpack_job {
	void *memory;
	uint64_t kind; /* enum ces_unpack_kind */
	char *digest;  /* of the bytes on fd 5, which decide: a mismatch is an error. NULL for a
			  manifest by tag */
	uint64_t size; /* exact size of fd 5 for a layer and a config; largest for a manifest */
	uint64_t compression; /* layer */
	char *diff_id;        /* layer: digest that the tar must have */
	uint64_t layers;      /* config: how many diff_ids it must have */
	char *user;           /* job USER: the image's USER, NULL = root */
	uint64_t max_bytes;   /* layer: cap on unpacked bytes */
	uint64_t max_entries; /* layer: cap on entries */
	uint64_t reserve;     /* layer: bytes of the file system that stay free */
	uint64_t type;        /* manifest, what the registry calls it: enum ces_manifest_type */
};

#define CES_RELAY_PORTS 32

enum ces_relay_kind { CES_RELAY_INWARDS = 1, CES_RELAY_OUTWARDS = 2, CES_RELAY_RESOLVE = 3 };

struct ces_relay_job {
	void *memory;
	uint64_t kind; /* enum ces_relay_kind */
	/* INWARDS */
	uint64_t uid;               /* who may connect */
	struct ces_u64s host_ports; /* two lists of equal length, in the order of the listeners */
	struct ces_u64s container_ports;
	/* OUTWARDS, RESOLVE */
	char *proxy;   /* "host:port", as the policy writes it */
	char *address; /* OUTWARDS: of the host: a literal, still to be checked */
};

struct ces_relay_report {
	void *memory;
	uint64_t port; /* host port where another user's connection was closed; 0: ready, the first
			  report */
	uint64_t uid;  /* who */
	char *address; /* RESOLVE's answer: a literal */
	char *text;    /* instead of the first report, if it has given up: one line for people */
};

/* The most bytes of a layer, unpacked; of a manifest; and of a bag (common/worker.h). */
#define CES_LAYER_BYTES_MAX (64ull << 30)
#define CES_MANIFEST_MAX    (4u * 1024 * 1024)
#define CES_BAG_MAX         (4u * 1024 * 1024)

#endif
