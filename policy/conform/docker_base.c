/* FROM: which images a Dockerfile begins with. It only reads names, and must not ask a registry. */
#include "policy/conform/docker_check.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

/* By their names at Docker's registry, and at their makers'. */
static const char *const distributions[] = {
    "ubuntu",
    "debian",
    "alpine",
    "centos",
    "rockylinux",
    "almalinux",
    "fedora",
    "oraclelinux",
    "amazonlinux",
    "archlinux",
    "busybox",
    "opensuse/leap",
    "opensuse/tumbleweed",
    "rockylinux/rockylinux",
    "quay.io/centos/centos",
    "quay.io/rockylinux/rockylinux",
    "quay.io/fedora/fedora",
    "registry.fedoraproject.org/fedora",
    "registry.access.redhat.com/ubi8",
    "registry.access.redhat.com/ubi8/ubi",
    "registry.access.redhat.com/ubi9",
    "registry.access.redhat.com/ubi9/ubi",
    "public.ecr.aws/docker/library/ubuntu",
    "public.ecr.aws/docker/library/debian",
    "public.ecr.aws/docker/library/alpine",
};

struct base {
	char name[CES_REFERENCE_MAX]; /* without tag and digest */
	bool tag, latest, digest, registry;
};

static void split(const char *text, struct base *ret)
{
	size_t length = strcspn(text, "@"), first;
	const char *colon;

	memset(ret, 0, sizeof(*ret));
	ret->digest = text[length] == '@';
	snprintf(ret->name, sizeof(ret->name), "%.*s",
		 (int)(length < sizeof(ret->name) ? length : sizeof(ret->name) - 1), text);
	colon = strrchr(ret->name, ':');
	if (colon != NULL && strchr(colon, '/') == NULL) {
		ret->tag = true;
		ret->latest = strcmp(colon, ":latest") == 0;
		ret->name[colon - ret->name] = '\0';
	}
	first = strcspn(ret->name, "/");
	ret->registry = ret->name[first] == '/' && (memchr(ret->name, '.', first) != NULL ||
						    memchr(ret->name, ':', first) != NULL ||
						    strncmp(ret->name, "localhost/", 10) == 0);
}

static const char *without(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
}

static bool is_bare(const struct base *base)
{
	const char *name = without(without(base->name, "docker.io/"), "library/");

	for (size_t i = 0; i < CES_COUNT(distributions); i++)
		if (strcmp(name, distributions[i]) == 0)
			return true;
	return false;
}

static void check_base(struct ces_docker_check *check, const struct ces_docker_stage *stage,
		       bool final)
{
	const struct ces_conform_place place = {.line = stage->line};
	struct ces_conform *conform = check->conform;
	struct base base;

	split(stage->base, &base);
	if (!base.digest && (!base.tag || base.latest))
		ces_conform_add(conform, CES_CONFORM_BASE_TAG, &place,
				"the base %s has no version%s", stage->base,
				base.latest ? ": latest changes" : "");
	else if (!base.digest)
		ces_conform_add(conform, CES_CONFORM_BASE_DIGEST, &place,
				"the base %s has no digest", stage->base);
	if (!base.registry) {
		size_t found = ces_conform_add(conform, CES_CONFORM_BASE_REGISTRY, &place,
					       "the base %s names no registry", stage->base);

		ces_conform_write(conform, found, "FROM docker.io/%s%s",
				  strchr(base.name, '/') == NULL ? "library/" : "", stage->base);
	}
	if (final && is_bare(&base))
		ces_conform_add(conform, CES_CONFORM_BASE_BARE, &place,
				"the base %s is a bare distribution", stage->base);
}

void ces_docker_check_bases(struct ces_docker_check *check)
{
	for (size_t i = 0; i < check->docker->n_stages; i++) {
		const struct ces_docker_stage *stage = &check->docker->stages[i];
		const struct ces_conform_place place = {.line = stage->line};

		if (stage->unknown)
			ces_conform_add(check->conform, CES_CONFORM_BASE_UNKNOWN, &place,
					"the base is an ARG without a default");
		else if (stage->parent == 0 && strcmp(stage->base, "scratch") != 0)
			check_base(check, stage, check->final[i + 1]);
	}
}
