/* ces-policy conform: checks whether a Dockerfile, or an image built from one, keeps the rules of
 * the service. Its input comes from anywhere. It must not execute or fetch anything from it.
 * Sources of the rules: the container build guide of EPCC's service, and what CES itself
 * refuses. */
#ifndef CES_POLICY_CONFORM_CONFORM_H
#define CES_POLICY_CONFORM_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/name.h"

enum ces_conform_severity {
	CES_CONFORM_NOTE,    /* better otherwise */
	CES_CONFORM_WARNING, /* a reviewer will ask; with --strict it is refused */
	CES_CONFORM_ERROR,   /* it leaks something, is refused, or cannot work without a network */
};

/* In the order of their numbers. A number must never get another rule. */
enum ces_conform_rule_index {
	CES_CONFORM_BASE_TAG,
	CES_CONFORM_BASE_DIGEST,
	CES_CONFORM_BASE_REGISTRY,
	CES_CONFORM_BASE_BARE,
	CES_CONFORM_BASE_UNKNOWN,
	CES_CONFORM_DIRECTORIES,
	CES_CONFORM_SECRET_FILE,
	CES_CONFORM_SECRET_VALUE,
	CES_CONFORM_GIT,
	CES_CONFORM_CONTEXT,
	CES_CONFORM_NO_COMMAND,
	CES_CONFORM_INHERITED_COMMAND,
	CES_CONFORM_BARE_SHELL,
	CES_CONFORM_NETWORK,
	CES_CONFORM_HUB_OFFLINE,
	CES_CONFORM_ROOT,
	CES_CONFORM_LICENCE,
	CES_CONFORM_ADD_URL,
	CES_CONFORM_ADD,
	CES_CONFORM_APT_LISTS,
	CES_CONFORM_ORDER,
	CES_CONFORM_DATA,
	CES_CONFORM_HOME,
	CES_CONFORM_BROKEN,
	CES_CONFORM_REFUSED,
	CES_CONFORM_PLATFORM,
	CES_CONFORM_LAYERS,
	CES_CONFORM_DIFF_IDS,
	CES_CONFORM_SIZE,
	CES_CONFORM_LABELS,
	CES_CONFORM_TMPDIR,
	CES_CONFORM_SETUID,
	CES_CONFORM_WRITABLE,
	CES_CONFORM_RULES, /* how many there are */
};

struct ces_conform_rule {
	const char *id;   /* "CES-C001" */
	const char *name; /* "base-tag" */
	enum ces_conform_severity severity;
	const char *title; /* what must hold */
	const char *why;   /* the reason, for a Trusted Research Environment */
	const char *write; /* what to write instead */
};
extern const struct ces_conform_rule ces_conform_rules[CES_CONFORM_RULES];

/* "note", "warning", "error": these are also the levels of SARIF. */
const char *ces_conform_severity_name(enum ces_conform_severity severity);

/* Where something was found. All zero: in the whole. */
struct ces_conform_place {
	size_t line;      /* of the Dockerfile, from 1; 0: an image's */
	size_t layer;     /* from 1, lowest first; 0: none */
	const char *path; /* in the layer, or what of the image: "configuration"; NULL: neither */
};

struct ces_conform_finding {
	enum ces_conform_rule_index rule;
	size_t line, layer; /* as in a place */
	char *path;
	char *text;       /* what was found; any bytes */
	char *write;      /* instead of the rule's own, or NULL */
	size_t hidden_in; /* a later layer hides the path; 0: none does */
	bool dropped;     /* does not count: a later layer mends it */
};

/* This many of one rule are kept; the others are counted. */
#define CES_CONFORM_KEPT 50

struct ces_conform_package {
	char *name, *version;
};

struct ces_conform_packages {
	const char *kind; /* "debian", "alpine"; NULL: the image has no list */
	struct ces_conform_package *v;
	size_t n;
};

struct ces_conform {
	const char *path; /* borrowed: as on the command line */
	bool image;       /* and not a Dockerfile */
	struct ces_conform_finding *v;
	size_t n, cap;
	size_t more[CES_CONFORM_RULES]; /* beyond CES_CONFORM_KEPT */
	bool no_memory;

	/* of an image */
	char digest[CES_DIGEST_LENGTH + 1];
	char platform[64];
	size_t layers;
	uint64_t size;                         /* bytes of all layers as they are stored */
	char (*chains)[CES_DIGEST_LENGTH + 1]; /* the ChainID up to each layer */
	size_t n_chains;
	struct ces_conform_packages packages;
};

/* Adds a finding (printf style). Returns its index; SIZE_MAX if it is only counted. */
size_t ces_conform_add(struct ces_conform *conform, enum ces_conform_rule_index rule,
		       const struct ces_conform_place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What to write instead, if the rule's own advice is too general. */
void ces_conform_write(struct ces_conform *conform, size_t finding, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The number of findings of a severity that count. */
size_t ces_conform_count(const struct ces_conform *conform, enum ces_conform_severity severity);

/* In the order of lines and layers. */
void ces_conform_sort(struct ces_conform *conform);

void ces_conform_free(struct ces_conform *conform);

/* "Dockerfile:3", "image: layer 2: /etc/x": the place of a finding, for people. */
void ces_conform_where(const struct ces_conform *conform, const struct ces_conform_finding *finding,
		       char *buffer, size_t size);

/* The formats. All print to stdout. */
void ces_conform_text(const struct ces_conform *conform);
void ces_conform_json(const struct ces_conform *conform);
void ces_conform_sarif(const struct ces_conform *conform);

struct ces_conform_options {
	const char *ref;          /* which image of a layout that has several, or NULL */
	const char *architecture; /* the platform that it is for: "amd64" */
	uint64_t max_size;        /* bytes that the layers may unpack to */
};

/* Reads a Dockerfile. `ignore` is the .dockerignore beside it, or NULL. CES_E_USAGE if the bytes
 * are no Dockerfile. */
int ces_conform_dockerfile(struct ces_conform *conform, const char *bytes, size_t length,
			   const char *ignore, struct ces_error *err);

/* Reads a layout whose directory is open. An error in a blob is a finding; -1 only if there is no
 * image to check. */
int ces_conform_image(struct ces_conform *conform, int dir,
		      const struct ces_conform_options *options, struct ces_error *err);

/* The same for an image in a registry, by tag or digest. An error of the registry is -1: nothing
 * can be said about an image that did not arrive whole. */
struct ces_registry;
int ces_conform_registry(struct ces_conform *conform, struct ces_registry *registry,
			 const char *reference, const struct ces_conform_options *options,
			 struct ces_error *err);

#endif
