/* Where a registry answers, and which other hosts belong to it. ces-fetch must contact no other:
 * the command line names the other hosts of a registry that is not in the table. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/conform/registry.h"

/* As their owners publish them, for firewalls. */
static const struct {
	const char *registry, *answers;
	const char *hosts[4];
} known[] = {
    {"docker.io",
     "registry-1.docker.io",
     {"auth.docker.io", "production.cloudflare.docker.com", "production.cloudfront.docker.com",
      "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com"}},
    {"ghcr.io", NULL, {"pkg-containers.githubusercontent.com"}},
    {"quay.io", NULL, {"cdn.quay.io", "cdn01.quay.io", "cdn02.quay.io", "cdn03.quay.io"}},
    {"registry.gitlab.com", NULL, {"gitlab.com", "cdn.registry.gitlab-static.net"}},
};

static void add(struct ces_registry_way *way, const char *host)
{
	if (way->n_hosts < CES_REGISTRY_HOSTS)
		way->hosts[way->n_hosts++] = host;
}

void ces_registry_find(struct ces_registry_way *way, struct ces_registry_place *ret)
{
	const struct ces_reference *image = way->image;
	const char *answers = image->registry;
	const char *port = strchr(image->registry, ':');
	bool docker = strcmp(image->registry, "docker.io") == 0;

	for (size_t i = 0; i < CES_COUNT(known); i++) {
		if (strcmp(known[i].registry, image->registry) != 0)
			continue;
		if (known[i].answers != NULL)
			answers = known[i].answers;
		for (size_t k = 0; k < CES_COUNT(known[i].hosts) && known[i].hosts[k] != NULL; k++)
			add(way, known[i].hosts[k]);
	}
	(void)snprintf(ret->endpoint, sizeof(ret->endpoint), "https://%s", answers);
	/* a repository without an owner: docker.io/python is docker.io/library/python */
	(void)snprintf(ret->repository, sizeof(ret->repository), "%s%s",
		       docker && strchr(image->repository, '/') == NULL ? "library/" : "",
		       image->repository);
	/* GitLab gives tokens at port 443 of the host whose registry has another port */
	if (port != NULL) {
		(void)snprintf(ret->token_server, sizeof(ret->token_server), "%.*s",
			       (int)(port - image->registry), image->registry);
		add(way, ret->token_server);
	}
}
