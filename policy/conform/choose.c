/* Goes from the index of a layout, or a tag of a registry, to one manifest: that of the wanted
 * machine, also through nested indexes. It must not follow more than a few of these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "helper/unpack/json.h"
#include "helper/unpack/manifest.h"
#include "policy/conform/layout.h"
#include "policy/conform/registry.h"

#define NESTED_MAX 4

struct entry {
	const char *digest, *media_type, *os, *architecture, *ref;
};

static int read_entry(struct json_object *json, struct entry *ret, struct ces_error *err)
{
	struct json_object *platform = NULL, *annotations = NULL, *name = NULL;

	memset(ret, 0, sizeof(*ret));
	if (!json_object_is_type(json, json_type_object))
		return ces_error_set(err, CES_E_IMAGE, "a descriptor is not an object");
	if (ces_json_text(json, "digest", &ret->digest, err) < 0 ||
	    ces_json_text(json, "mediaType", &ret->media_type, err) < 0 ||
	    ces_json_member(json, "platform", json_type_object, &platform, err) < 0 ||
	    ces_json_member(json, "annotations", json_type_object, &annotations, err) < 0)
		return -1;
	if (ret->digest == NULL || !ces_digest_valid(ret->digest))
		return ces_error_set(err, CES_E_IMAGE, "\"digest\" is not a sha256 digest");
	if (annotations != NULL &&
	    json_object_object_get_ex(annotations, "org.opencontainers.image.ref.name", &name) &&
	    json_object_is_type(name, json_type_string))
		ret->ref = json_object_get_string(name);
	if (platform == NULL)
		return 0;
	if (ces_json_text(platform, "os", &ret->os, err) < 0)
		return -1;
	return ces_json_text(platform, "architecture", &ret->architecture, err);
}

/* How well it fits: 0 not at all (a signature or a statement beside an image). */
static unsigned rank(const struct entry *entry, const struct ces_layout_choice *choice)
{
	if (entry->os != NULL && strcmp(entry->os, "unknown") == 0)
		return 0;
	if (entry->os == NULL || entry->architecture == NULL)
		return 3;
	if (strcmp(entry->os, "linux") != 0)
		return 1;
	if (strcmp(entry->architecture, choice->architecture) == 0)
		return 4;
	return strcmp(entry->architecture, ces_manifest_architecture()) == 0 ? 2 : 1;
}

struct found {
	struct entry entry;
	unsigned rank;
	size_t same; /* fits as well as the first one, and is another image */
	char names[200];
};

static void offer(struct found *found, const char *name)
{
	size_t used = strlen(found->names);

	if (name != NULL && used + strlen(name) + 3 < sizeof(found->names))
		snprintf(found->names + used, sizeof(found->names) - used, "%s%s",
			 used > 0 ? ", " : "", name);
}

static int look(struct json_object *entries, const struct ces_layout_choice *choice, bool top,
		struct found *found, struct ces_error *err)
{
	size_t n = json_object_array_length(entries);

	for (size_t i = 0; i < n; i++) {
		struct entry entry;
		unsigned fits;

		if (read_entry(json_object_array_get_idx(entries, i), &entry, err) < 0)
			return -1;
		offer(found, entry.ref);
		if (top && choice->ref != NULL &&
		    (entry.ref == NULL || strcmp(entry.ref, choice->ref) != 0))
			continue;
		fits = rank(&entry, choice);
		if (fits > found->rank) {
			found->entry = entry;
			found->rank = fits;
			found->same = 0;
		} else if (fits > 0 && fits == found->rank &&
			   strcmp(entry.digest, found->entry.digest) != 0) {
			found->same++;
		}
	}
	return 0;
}

static int choose(struct json_object *index, const struct ces_layout_choice *choice, bool top,
		  struct entry *ret, struct ces_error *err)
{
	struct json_object *entries = NULL;
	struct found found = {.rank = 0};

	if (ces_json_member(index, "manifests", json_type_array, &entries, err) < 0)
		return -1;
	if (entries == NULL)
		return ces_error_set(err, CES_E_IMAGE, "it has no \"manifests\"");
	if (look(entries, choice, top, &found, err) < 0)
		return -1;
	if (found.rank == 0 && top && choice->ref != NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "no image has the name %s; type --ref with %s", choice->ref,
				     found.names[0] != '\0' ? found.names : "no name");
	if (found.rank == 0)
		return ces_error_set(err, CES_E_IMAGE, "it names no image");
	if (top && found.same > 0)
		return ces_error_set(err, CES_E_USAGE,
				     "it has several images; type --ref with one of these: %s",
				     found.names);
	*ret = found.entry;
	return 0;
}

static bool is_index(const struct entry *entry)
{
	return entry->media_type != NULL &&
	       (strcmp(entry->media_type, "application/vnd.oci.image.index.v1+json") == 0 ||
		strcmp(entry->media_type,
		       "application/vnd.docker.distribution.manifest.list.v2+json") == 0);
}

/* Takes *bytes, an index, and puts what it leads to there. 1 when that is an index again. */
static int descend(const struct ces_layout *layout, const struct ces_layout_choice *choice,
		   bool top, char **bytes, size_t *length, char ret_digest[CES_DIGEST_LENGTH + 1],
		   struct ces_error *err)
{
	struct json_object *json = NULL;
	struct entry entry;
	char *next = NULL;
	int result = -1;

	if (ces_json_parse(*bytes, *length, &json, err) < 0 ||
	    choose(json, choice, top, &entry, err) < 0) {
		if (top)
			err->code = CES_E_USAGE;
		(void)ces_error_context(err, "%s", top ? "index.json" : "an index");
	} else if (ces_layout_read(layout, entry.digest, 0, &next, length, err) == 0) {
		snprintf(ret_digest, CES_DIGEST_LENGTH + 1, "%s", entry.digest);
		free(*bytes);
		*bytes = next;
		result = is_index(&entry) ? 1 : 0;
	}
	json_object_put(json);
	return result;
}

/* What a registry's tag or digest is: 1 an index, 0 a manifest. The registry says so, or else its
 * members; the reader of the manifest checks that both agree. */
static int leads_on(const struct ces_layout *layout, const char *bytes, size_t length,
		    struct ces_error *err)
{
	struct json_object *json = NULL, *entries = NULL;
	int result = -1;

	switch (ces_layout_served(layout)) {
	case CES_MANIFEST_OCI_INDEX:
	case CES_MANIFEST_DOCKER_LIST:
		return 1;
	case CES_MANIFEST_OCI:
	case CES_MANIFEST_DOCKER:
		return 0;
	case CES_MANIFEST_UNSAID:
	default:
		break;
	}
	if (ces_json_parse(bytes, length, &json, err) == 0 &&
	    ces_json_member(json, "manifests", json_type_array, &entries, err) == 0)
		result = entries != NULL ? 1 : 0;
	json_object_put(json);
	return result;
}

/* The first document: 1 if it leads to another one, 0 if it is the manifest. */
static int read_first(const struct ces_layout *layout, char **ret, size_t *ret_length,
		      char ret_digest[CES_DIGEST_LENGTH + 1], struct ces_error *err)
{
	int result;

	if (layout->registry == NULL) {
		result = ces_layout_json(layout, layout->flat ? "manifest.json" : "index.json", ret,
					 ret_length, err);
		if (result == 0 && layout->flat)
			ces_digest_of(*ret, *ret_length, ret_digest);
		return result < 0 ? -1 : !layout->flat;
	}
	if (ces_digest_valid(layout->reference))
		result = ces_layout_read(layout, layout->reference, 0, ret, ret_length, err);
	else
		result = ces_registry_manifest(layout->registry, layout->reference, ret, ret_length,
					       err);
	if (result < 0)
		return -1;
	ces_digest_of(*ret, *ret_length, ret_digest);
	return leads_on(layout, *ret, *ret_length, err);
}

int ces_layout_manifest(const struct ces_layout *layout, const struct ces_layout_choice *choice,
			char **ret, size_t *ret_length, char ret_digest[CES_DIGEST_LENGTH + 1],
			struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;
	int more = read_first(layout, &bytes, &length, ret_digest, err);

	for (unsigned depth = 0; more > 0 && depth < NESTED_MAX; depth++)
		more = descend(layout, choice, layout->registry == NULL && depth == 0, &bytes,
			       &length, ret_digest, err);
	if (more > 0)
		return ces_error_set(err, CES_E_IMAGE, "more than %d indexes inside each other",
				     NESTED_MAX);
	if (more < 0)
		return -1;
	*ret = ces_steal_pointer(&bytes);
	*ret_length = length;
	return 0;
}
