/* A run's plan as data, with the parts it points to: of user ann (1000:1000), project p, whose
 * group is 5000. Host ids of the container begin at 200000. */
#ifndef CES_TESTS_UNIT_LAUNCH_PLAN_H
#define CES_TESTS_UNIT_LAUNCH_PLAN_H

#include <check.h>
#include <string.h>

#include "common/image.h"
#include "common/request.h"
#include "helper/launch/plan.h"
#include "tests/unit/policy_fixture.h"

#define BASE 200000u

static struct ces_session session;
static struct ces_request request;
static struct ces_image_record image;
static struct ces_decision decision;
static struct ces_host host;
static struct ces_plan plan;
static struct ces_error err;

/* (they are there for as long as the block) */
#define STRINGS(...)                                                                               \
	((struct ces_strings){(char *[]){__VA_ARGS__},                                             \
			      sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)})

/* Makes the map of a process that is uid:gid inside. */
static inline void plan_map(uint32_t uid, uint32_t gid)
{
	static const gid_t groups[] = {5000};

	plan.uid = uid;
	plan.gid = gid;
#ifndef PLAN_WITHOUT_MAP /* (a suite that plays helper/session/idmap.c) */
	ck_assert_int_eq(
	    ces_idmap_make(&session.caller, uid, gid, BASE, groups, 1, &plan.map, &err), 0);
#else
	(void)groups;
#endif
}

static inline void plan_begin(void)
{
	memset(&err, 0, sizeof(err));
	memset(&request, 0, sizeof(request));
	memset(&image, 0, sizeof(image));
	memset(&decision, 0, sizeof(decision));
	memset(&host, 0, sizeof(host));
	session = (struct ces_session){
	    .uid = 1000,
	    .caller = {.uid = 1000, .gid = 1000, .user = "ann", .home = "/home/ann"},
	    .request = &request,
	    .host = &host,
	    .runs = -1,
	};
	strcpy(decision.project, "p");
	decision.limits = (struct ces_policy_limits){.cpus = 2000,
						     .memory = 1u << 30,
						     .pids = 100,
						     .time = 60,
						     .runs = 2,
						     .shm = 64u << 20,
						     .writable_layer = 1u << 30};
	plan = (struct ces_plan){.run = "0123456789",
				 .session = &session,
				 .decision = &decision,
				 .image = &image,
				 .hostname = "ces-0123456789",
				 .runtime = "/usr/bin/crun",
				 .filter = "RklMVEVS",
				 .gpus = CES_GPUS_NONE,
				 .scratch_dir = -1,
				 .kept = -1,
				 .withheld = -1,
				 .outputs_parent = -1,
				 .scratch_parent = -1};
	plan_map(0, 0);
}

static inline void plan_mount(const char *destination, int fd, bool read_only, bool file)
{
	plan.mounts[plan.n_mounts++] = (struct ces_plan_mount){fd, destination, read_only, file};
}

#endif
