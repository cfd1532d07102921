/* The decision: (policy, caller, request, facts, time) in, decision out. Pure: no system calls, no
 * clock, no globals, so that explain, test, dry run and the real run can never disagree. */
#ifndef CES_POLICY_DECIDE_H
#define CES_POLICY_DECIDE_H

#include <sys/types.h>

#include "common/name.h"
#include "common/verb.h"
#include "policy/policy.h"
#include "policy/proxy.h"

struct ces_request; /* common/request.h */

/* The caller: from the kernel (uid) and the user database, never from the request or the
 * environment. */
struct ces_caller {
	uid_t uid;
	gid_t gid;          /* primary, from the user database */
	char *user;         /* name */
	char *home;         /* absolute */
	gid_t *groups;      /* all groups the database gives the caller, primary included */
	char **group_names; /* same order; NULL where a gid has no name */
	size_t n_groups;
};

/* The facts about the file system that the decision needs. The caller of ces_decide collects them
 * first. */
struct ces_facts {
	struct ces_strings inferred; /* project names p for which the caller is in group <prefix>p
					and <base>/p exists */
	bool home_data;              /* ~/safe_data is a directory */
};

#define CES_DECISION_GROUPS 8
#define CES_DESTINATION     256
#define CES_DECISION_NAMES  64
#define CES_PREFIXES_MAX    16 /* of infer_projects */
#define CES_BINDS_MAX       32 /* as many as a request can have */
#define CES_TMPFS_MAX       33 /* and one for a home */
#define CES_PORTS_MAX       32

struct ces_decision_mount {
	char source[1024]; /* absolute host path, templates filled in except {run} */
	char destination[CES_DESTINATION]; /* in the container */
	bool read_only;
	bool create;  /* make the last component if it is missing (outputs, scratch) */
	bool per_run; /* the source holds {run}: CES made it, scratch is deleted at the end */
};

struct ces_decision_port {
	uint16_t host, container;
};

struct ces_decision_tmpfs {
	char destination[CES_DESTINATION];
	uint64_t size; /* bytes */
};

/* A list of the policy's: hosts, kinds or names of devices. */
struct ces_decision_names {
	size_t n;
	char v[CES_DECISION_NAMES][264];
};

/* Copies one; CES_E_POLICY if it has too many names, or one that is too long. */
int ces_decision_names(const struct ces_strings *names, const char *key,
		       struct ces_decision_names *ret, struct ces_error *err);

/* ChainIDs of the OCI image-spec (config.md, "Layer ChainID"), of which one must begin the layers
 * of the image; none: any image may. */
struct ces_decision_bases {
	size_t n;
	char v[CES_BASES_MAX][CES_DIGEST_LENGTH + 1];
};

/* Copies those of a rule. */
void ces_decision_bases(const struct ces_strings *bases, struct ces_decision_bases *ret);

/* The keys of which at_least must have signed the image; n 0: none need to have. What they have
 * signed is not known here: ces-session finds out, with ces-verify, before it stores or starts
 * anything. */
struct ces_decision_signers {
	size_t n;
	uint64_t at_least;
	char v[CES_SIGNERS_MAX][CES_SIGNER_PATH]; /* as the policy writes them */
};

/* All that is allowed: CES does exactly this and takes nothing else from request or policy. Flat:
 * it points to nothing, so it goes from one program to the next as it is. */
struct ces_decision {
	uint64_t verb;
	uid_t uid;
	char rule[CES_RULE_TEXT]; /* that allowed it: "projects.P.images[0]" */

	/* project */
	char project[CES_NAME_MAX + 1];
	char title[257];    /* "" when it has none */
	char approval[128]; /* "" when the rule has none */
	gid_t
	    project_gids[CES_DECISION_GROUPS]; /* the groups through which the caller is a member */
	char project_group_names[CES_DECISION_GROUPS][64];
	size_t n_project_gids;

	/* image */
	struct ces_reference image;
	char locked_digest[CES_DIGEST_LENGTH + 1]; /* "" = any */
	struct ces_policy_demand demand;           /* of evidence about that digest */
	char approved_by[CES_DIGEST_LENGTH + 1];   /* the records that the rule names; "" = none */
	struct ces_decision_bases bases;
	char evidence[CES_DIGEST_LENGTH + 1]; /* the record that met the demand; "": none */
	struct ces_decision_signers signed_by;
	enum ces_retain retain;
	uint64_t retain_seconds;

	/* pull: the registry */
	char endpoint[512]; /* "https://host:port[/prefix]", or "oci:/directory" */
	char ca_file[512];  /* "" = the system's */
	enum ces_credentials credentials;
	struct ces_decision_names token_hosts;

	/* run */
	struct ces_decision_mount data, outputs, scratch;
	struct ces_policy_manifest manifest;
	char check[CES_CHECK_TEXT]; /* what outputs should pass; "" = nothing */
	char withhold[512]; /* where outputs wait until they pass; "" = they need not wait */
	struct ces_decision_mount binds[CES_BINDS_MAX]; /* each below an allowed source */
	size_t n_binds;
	struct ces_decision_tmpfs tmpfs[CES_TMPFS_MAX];
	size_t n_tmpfs;
	struct ces_policy_limits limits;   /* what this run gets */
	struct ces_policy_limits most;     /* what it could have asked for */
	struct ces_policy_limits together; /* of all runs of the user; 0: no such limit */
	struct ces_decision_port ports[CES_PORTS_MAX];
	size_t n_ports;
	uint64_t gpus;
	uint64_t display; /* the number of the X display that it may use, plus 1; 0: none */
	uint64_t cookie[CES_COOKIE_WORDS]; /* the key to it */
	char proxy[CES_PROXY_TEXT]; /* of a run the one way out, of a pull the way to the registry:
				       "http://host:port"; "" = none */
	char gpu_id[128];           /* a device asked for by name; "" = any */
	struct ces_decision_names gpu_kinds, gpu_devices; /* no device: any */
	enum ces_identity identity;
	char home[256]; /* HOME of a caller who keeps the uid; "" = the image's */
	bool own_ids;   /* root-is-user, but the caller's own numbers are theirs inside */
	bool gpus_all;  /* as many GPUs as are free, at least one */
	bool gpu_exclusive;
	bool read_only;
};

/* Decides about pull, run (and with CES_FLAG_EXPLAIN the same). Where the rule demands evidence,
 * ces_decide_demand (policy/demand.h) must follow. Returns 0 and fills *ret, or -1
 * with err: CES_E_DENIED with the rule that denies, CES_E_USAGE for a request that makes no sense
 * (with what to type), CES_E_NOTFOUND when the caller has no project at all. A pull needs a project
 * too: any of the caller's projects whose rules allow the image, or the one that --project names.
 * Determinism: the same five inputs give the same answer, byte for byte. */
int ces_decide(const struct ces_policy *policy, const struct ces_caller *caller,
	       const struct ces_request *request, const struct ces_facts *facts, time_t now,
	       struct ces_decision *ret, struct ces_error *err);

/* The names p of projects that group membership would infer (before <base>/p is looked at), for the
 * helper to collect facts. Returns how many: at most one for each group and prefix. The caller has
 * room for so many names of CES_NAME_MAX + 1 bytes: of those after max, nothing would be known. */
size_t ces_decide_candidates(const struct ces_policy *policy, const struct ces_caller *caller,
			     char (*ret)[CES_NAME_MAX + 1], size_t max);

#endif
