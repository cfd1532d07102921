/* A run of ann's that nothing is against, and its start. */
#ifndef CES_TESTS_UNIT_RUN_START_H
#define CES_TESTS_UNIT_RUN_START_H

#include "tests/unit/run_scene.h"

static void run_begin(void)
{
	static char *layers[] = {D1};

	plan_begin();
	steps_begin(0, 0);
	memset(&world, 0, sizeof(world));
	session.runs = 91;
	session.store.dir = 92;
	strcpy(host.runtime, "/usr/bin/crun");
	world.grant_digest = world.top_digest = D1;
	world.image =
	    (struct ces_image_record){.digest = D1, .uid = 33, .gid = 44, .diff_ids = {layers, 1}};
	world.command = "sh";
	world.all = world.idle = 2;
	world.held = getpid();
	strcpy(decision.image.registry, "ghcr.io");
	strcpy(decision.image.repository, "lab/tool");
	strcpy(decision.image.tag, "1");
	strcpy(decision.outputs.source, "/home/ann/outputs");
	strcpy(decision.scratch.source, "/tmp");
	decision.scratch.per_run = true;
}

static int run(void)
{
	size_t before = open_fds();
	int result;

	steps->n = 0;
	err = (struct ces_error){0};
	result = ces_verb_run(&session, &decision, "0123456789", &err);
	ck_assert_uint_eq(open_fds(), before);
	return result;
}

#endif
