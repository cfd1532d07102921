/* The orders that root gives its workers, and the one report that it reads, a relay's. Each is one
 * struct of fixed size; a text is "" if there is none. common/worker.h says who speaks with whom,
 * and has the messages that no program of root's knows. */
#ifndef CES_COMMON_WORKER_ORDER_H
#define CES_COMMON_WORKER_ORDER_H

#include "policy/decide.h"

struct ces_fetch_open {
	char scheme_host_port[512]; /* "https://tre-ghcr-proxy.nsh.loc:5000", no trailing slash;
				       https, always. For ces-layout "oci:/directory" */
	char prefix[512];           /* path prefix of the endpoint ("/ghcr"). For ces-layout the
				       registry's name ("ghcr.io"): the names of images begin with it */
	char repository[256];       /* "epcced/tool" */
	struct ces_decision_names hosts; /* other hosts (token servers, blob stores) that it may
					    contact: "host" or "host:port" */
	char username[257];              /* "": anonymous */
	char token[8193];
	uint64_t ca;                /* 1: trust only the CA bundle in the attached fd */
	char proxy[CES_PROXY_TEXT]; /* "http://host:port" for every connection */
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
	uint64_t kind; /* enum ces_unpack_kind */
	uint64_t size; /* exact size of fd 5 for a layer and a config; largest for a manifest */
	uint64_t compression; /* layer */
	uint64_t layers;      /* config: how many diff_ids it must have */
	uint64_t max_bytes;   /* layer: cap on its unpacked bytes, as ces-unpack counts them */
	uint64_t max_entries; /* layer: cap on entries */
	uint64_t reserve;     /* layer: bytes of the file system that stay free */
	uint64_t type;        /* manifest, what the registry calls it: enum ces_manifest_type */
	char digest[CES_DIGEST_LENGTH + 1];  /* of the bytes on fd 5, which decide: a mismatch is an
						error. "" for a manifest by tag */
	char diff_id[CES_DIGEST_LENGTH + 1]; /* layer: digest that the tar must have */
	char user[257];                      /* job USER: the image's USER; "" = root */
};

#define CES_RELAY_PORTS 32

enum ces_relay_kind { CES_RELAY_INWARDS = 1, CES_RELAY_OUTWARDS = 2, CES_RELAY_RESOLVE = 3 };

struct ces_relay_job {
	uint64_t kind; /* enum ces_relay_kind */
	/* INWARDS */
	uint64_t uid; /* who may connect */
	uint64_t n_ports;
	uint16_t host_ports[CES_RELAY_PORTS]; /* in the order of the listeners */
	uint16_t container_ports[CES_RELAY_PORTS];
	/* OUTWARDS, RESOLVE */
	char proxy[CES_PROXY_TEXT]; /* "host:port", as the policy writes it */
	char address[256];          /* OUTWARDS: of the host: a literal, still to be checked */
};

struct ces_relay_report {
	uint64_t port; /* host port where another user's connection was closed; 0: ready, the first
			  report */
	uint64_t uid;  /* who */
	char address[256];         /* RESOLVE's answer: a literal */
	char text[CES_ERROR_TEXT]; /* instead of the first report, if it has given up: one line for
				      people */
};

/* The most bytes of a layer, unpacked; of a manifest; and of a bag (common/worker.h). */
#define CES_LAYER_BYTES_MAX (64ull << 30)
#define CES_MANIFEST_MAX    (4u * 1024 * 1024)
#define CES_BAG_MAX         (4u * 1024 * 1024)

#endif
