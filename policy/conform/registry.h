/* An image in a registry: its documents and layers come from ces-fetch, the program of pulls,
 * started as the user who types the command. Nothing goes to disk: each body is a pipe, and the
 * reader at its end checks size and digest. */
#ifndef CES_POLICY_CONFORM_REGISTRY_H
#define CES_POLICY_CONFORM_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/name.h"
#include "common/worker.h"

#define CES_REGISTRY_HOSTS 32 /* as many as ces-fetch takes */

/* How a registry is reached. All borrowed. */
struct ces_registry_way {
	const struct ces_reference *image;
	const char *username, *token; /* or NULL: anonymous */
	const char *proxy;            /* "http://host:port", or NULL */
	int ca;                       /* trust these authorities alone; -1: the machine's */
	const char
	    *hosts[CES_REGISTRY_HOSTS]; /* may be contacted beside it: token servers, stores */
	size_t n_hosts;
};

struct ces_registry;

/* Where the registry of `image` answers ("https://host[:port]"), the repository's name there, and
 * the hosts to which it is known to send clients. These are added to way->hosts. */
struct ces_registry_place {
	char endpoint[300];
	char repository[300];
	char token_server[300];
};
void ces_registry_find(struct ces_registry_way *way, struct ces_registry_place *ret);

/* Starts ces-fetch. It gets this many milliseconds for the whole image. The caller has no
 * privilege. */
int ces_registry_open(struct ces_registry_way *way, int64_t patience_ms, struct ces_registry **ret,
		      struct ces_error *err);

/* Reads a manifest or an index by tag or digest, without comparing the digest. *ret is malloc'd. */
int ces_registry_manifest(struct ces_registry *registry, const char *reference, char **ret,
			  size_t *ret_length, struct ces_error *err);

/* The registry's type for the last one. */
enum ces_manifest_type ces_registry_type(const struct ces_registry *registry);

/* Begins to read a blob of exactly `size` bytes. The caller closes *ret_fd, and then asks for the
 * end: -1 if the registry failed, and not the reader, who had enough. */
int ces_registry_blob(struct ces_registry *registry, const char *digest, uint64_t size, int *ret_fd,
		      struct ces_error *err);
int ces_registry_end(struct ces_registry *registry, struct ces_error *err);

/* The first failure of the registry itself: -1 with it, or 0 if it has done what it was asked
 * for. */
int ces_registry_failed(const struct ces_registry *registry, struct ces_error *err);

/* Ends ces-fetch. NULL is allowed. */
void ces_registry_close(struct ces_registry *registry);

#endif
