/* Names from outside: image references, projects, runs, environment names. Pure syntax: the policy
 * says whether a name is allowed. */
#ifndef CES_COMMON_NAME_H
#define CES_COMMON_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define CES_REFERENCE_MAX 512 /* bytes of a whole reference */
#define CES_LAYERS_MAX                                                                             \
	127 /* of one image, as Docker; also what fits one page of overlay options                 \
	     */
#define CES_DIGEST_LENGTH 71 /* "sha256:" and 64 lower-case hex digits */
#define CES_RUN_DIGITS    10 /* a run is named by ten decimal digits */
#define CES_NAME_MAX      64 /* project names */
#define CES_RUN_NAME_MAX  128

/* A qualified image reference, split. The grammar is that of distribution references
 * (github.com/distribution/reference), with a mandatory registry: the first component has a '.' or
 * a ':' or is "localhost". Without a tag and a digest the tag is "latest". If both are written, the
 * digest decides, and the tag is only remembered. */
struct ces_reference {
	char registry[256];                 /* host[:port], lower case */
	char repository[256];               /* "epcced/tool", no leading or trailing slash */
	char tag[129];                      /* "" if there is only a digest */
	char digest[CES_DIGEST_LENGTH + 1]; /* "" if there is only a tag */
};

/* Splits text. An unqualified name ("ubuntu") is an error that says what to type. */
int ces_reference_parse(const char *text, struct ces_reference *ret, struct ces_error *err);

#define CES_REFERENCE_ERROR                                                                        \
	"'%.200s' is not an image name; write REGISTRY/OWNER/NAME[:TAG] or "                       \
	"REGISTRY/OWNER/NAME@sha256:DIGEST, in lower case"

/* Says whether this is text split, as ces_reference_parse does it: for one that another process has
 * split. */
bool ces_reference_is(const struct ces_reference *reference, const char *text);

/* The parts of a reference. host[:port] (not an IPv6 address); one component of the repository, up
 * to a '/' or the end: lower-case words joined by '.', '_', '__' or dashes; all of its components;
 * and a tag. */
bool ces_reference_registry_valid(const char *text);
bool ces_reference_part_valid(const char *text, size_t length);
bool ces_reference_repository_valid(const char *text);
bool ces_reference_tag_valid(const char *text);

/* Writes the canonical form "registry/repository[:tag][@digest]" (CES_REFERENCE_MAX is enough). */
void ces_reference_format(const struct ces_reference *reference, char *buffer, size_t size);

/* "sha256:" and 64 lower-case hex digits, nothing else. */
bool ces_digest_valid(const char *text);

/* A project: 1 to 64 of [A-Za-z0-9._-], not beginning with '.' or '-'. It becomes a path
 * component. */
bool ces_project_valid(const char *text);

/* A run's number: exactly ten digits. */
bool ces_run_valid(const char *text);

/* A run's name, given with --name: 1 to 64 of [A-Za-z0-9._-], beginning with a letter or digit, and
 * not ten digits (that is a run's number). */
bool ces_run_name_valid(const char *text);

/* An environment name: 1 to 256 printable ASCII bytes without '=' and without space. */
bool ces_env_name_valid(const char *name, size_t length);

/* Returns the bytes of the first character of well-formed UTF-8 (RFC 3629: no overlong form, no
 * surrogate) in `left` bytes; 0 for anything else. *ret is the character. */
size_t ces_utf8_next(const char *text, size_t left, uint32_t *ret);

/* One line of UTF-8 that people can read, without control characters, invisible characters, or any
 * that change the direction of the text. */
bool ces_line_valid(const char *text, size_t length);

/* A path inside the container: absolute, one line of UTF-8, at most 1024 bytes, no "." or ".."
 * component, no empty component (one trailing slash is allowed), no ':' or ',' . */
bool ces_container_path_valid(const char *path);

/* A device's name within its kind: 1 to 127 characters. */
bool ces_device_valid(const char *text);

#endif
