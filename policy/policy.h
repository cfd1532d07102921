/* The policy as data: what /etc/ces/policy.json says, after strict parsing. Const once it is made.
 * The shape of the file is in the manual ces-policy.json(5). */
#ifndef CES_POLICY_POLICY_H
#define CES_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "common/error.h"
#include "common/wire.h" /* struct ces_strings */

enum ces_credentials { CES_CREDENTIALS_REQUIRED, CES_CREDENTIALS_OPTIONAL, CES_CREDENTIALS_NONE };
enum ces_access { CES_ACCESS_READ_ONLY, CES_ACCESS_READ_WRITE };
enum ces_identity { CES_IDENTITY_ROOT_IS_USER, CES_IDENTITY_SAME_UID };
enum ces_retain { CES_RETAIN_RUN, CES_RETAIN_TIME, CES_RETAIN_ALWAYS };
enum ces_cgroup_parent { CES_CGROUP_AUTO, CES_CGROUP_PATH };

struct ces_policy_registry {
	char *name;     /* as written in references: "ghcr.io" */
	char *endpoint; /* "https://host[:port][/prefix]", no trailing slash; or "oci:/directory" */
	char *ca_file;  /* absolute, or NULL: the system's CAs */
	enum ces_credentials credentials;
	struct ces_strings token_hosts; /* "host" or "host:port" */
	char *proxy;                    /* "http://host:port", the way there; or NULL */
};

/* The directory of an endpoint that is an OCI image layout (OCI image-spec, "Image Layout"), in
 * skopeo's form oci:PATH; NULL for a registry on the network. */
static inline const char *ces_endpoint_layout(const char *endpoint)
{
	return strncmp(endpoint, "oci:", 4) == 0 ? endpoint + 4 : NULL;
}

/* Bounds of the list of a run's outputs. The policy can only lower these. */
#define CES_MANIFEST_SECONDS 20
#define CES_MANIFEST_SIZE    (UINT64_C(64) << 30)
#define CES_MANIFEST_FILES   20000u

struct ces_policy_manifest {
	uint64_t time; /* seconds of reading */
	uint64_t size; /* bytes that are read */
	uint64_t files;
};

#define CES_CHECK_TEXT 4096 /* of a check of outputs, with the NUL */

struct ces_policy_limits {
	uint64_t cpus;   /* thousandths */
	uint64_t memory; /* bytes */
	uint64_t pids;
	uint64_t time;           /* seconds */
	uint64_t runs;           /* at once, per user and project */
	uint64_t shm;            /* bytes */
	uint64_t writable_layer; /* bytes */
};

/* How much of the image store one user may take, and how much is left free. */
struct ces_policy_store {
	uint64_t images;  /* of one user */
	uint64_t pulls;   /* of one user at once */
	uint64_t space;   /* bytes of one user's layers; 0: half of the file system */
	uint64_t reserve; /* bytes that no pull may use */
};

/* The settings of `defaults` and of each project. A project's struct is already merged with the
 * defaults. */
struct ces_policy_settings {
	char *data_source; /* template; never NULL after merging */
	enum ces_access data_access;
	bool data_home_override;
	char *outputs_source; /* template */
	struct ces_policy_manifest manifest;
	char *check;          /* of outputs: JSON, see policy/outputs.h; NULL: none */
	char *withhold;       /* where outputs wait that may be withheld; NULL: nowhere */
	char *scratch_source; /* template */
	struct ces_policy_limits limits;
	enum ces_identity identity;
	struct ces_strings publish; /* "8787" */
	char *proxy;                /* the one way out: "http://host:port"; NULL: none */
	uint64_t gpus_max;
	struct ces_strings gpu_kinds;   /* "nvidia.com/gpu" */
	struct ces_strings gpu_devices; /* names within their kind; none = any */
	bool gpu_exclusive;             /* no other run has the same device at the same time */
	struct ces_strings binds;       /* templates of allowed source directories */
	bool display;                   /* may open windows on the caller's X display */
	enum ces_retain retain;
	uint64_t retain_seconds; /* CES_RETAIN_TIME */
	unsigned own;            /* bits of enum ces_policy_own; 0 in `defaults` */
};

/* The settings that a project wrote itself: a denial names the rule where somebody wrote it. */
enum ces_policy_own {
	CES_OWN_CPUS = 1 << 0,
	CES_OWN_MEMORY = 1 << 1,
	CES_OWN_TIME = 1 << 2,
	CES_OWN_RUNS = 1 << 3,
	CES_OWN_SHM = 1 << 4,
	CES_OWN_PUBLISH = 1 << 5,
	CES_OWN_GPUS = 1 << 6,
	CES_OWN_BINDS = 1 << 7,
	CES_OWN_ACCESS = 1 << 8,
	CES_OWN_GPU_DEVICES = 1 << 9,
	CES_OWN_DISPLAY = 1 << 10,
	CES_OWN_CHECK = 1 << 11,
};

/* The SELinux state that a host must have before CES does anything. */
enum ces_selinux_rule {
	CES_SELINUX_IF_ENABLED, /* nothing; but where it is enforcing, CES's domains */
	CES_SELINUX_REQUIRED,   /* that it is enforcing, with CES's domains */
};

#define CES_SIGNERS_MAX 8
#define CES_SIGNER_PATH 256 /* bytes of a path, with its NUL */

/* The keys, and how many must have signed an image. */
struct ces_policy_signers {
	struct ces_strings keys; /* paths of public keys: absolute, or below CES_POLICY_DIR */
	uint64_t at_least;       /* 0: no signature is needed */
};

/* An image rule's demand for evidence about its digest, see policy/demand.h. */
struct ces_policy_demand {
	uint64_t max_age; /* of the newest scan, in seconds; 0: no scan is demanded */
	uint64_t no;      /* forbidden findings of a scan: bits of enum ces_finding */
	bool unless_vex;  /* what a statement excuses does not count */
	bool sbom;
};

#define CES_BASES_MAX 16 /* of a rule */

struct ces_policy_image_rule {
	char *allow;    /* pattern, see ces_pattern_match */
	char *digest;   /* locked digest, or NULL */
	char *approval; /* or NULL */
	char *evidence; /* the digest of the records that it was approved by, or NULL */
	time_t expires; /* first second after; 0 = never */
	struct ces_policy_demand demand;
	struct ces_strings base; /* ChainIDs, one of which must begin the layers; none: any */
	struct ces_policy_signers signed_by;
};

struct ces_policy_image_rules {
	struct ces_policy_image_rule *v;
	size_t n;
};

struct ces_policy_project {
	char *name;
	char *title; /* or NULL */
	struct ces_strings member_groups, member_users;
	time_t expires; /* 0 = never */
	struct ces_policy_image_rules images;
	struct ces_policy_settings settings;
};

/* Where `ces-run k8s` sends a job. Claims hold {project}, {user} and {user_first}. */
struct ces_policy_kubernetes {
	char *namespace; /* NULL: the site has no cluster */
	char *queue;     /* never NULL where there is a namespace */
	char *data_claim, *outputs_claim;
	char *pull_secret; /* or NULL */
	char *gpu_product; /* which a job with GPUs runs on; or NULL */
};

struct ces_policy {
	char *site, *approved_by, *contact; /* or NULL */
	time_t approved_on, review_by;      /* 0 = not said; review_by: first second after */
	struct ces_policy_registry *registries;
	size_t n_registries;
	struct ces_policy_settings defaults;
	struct ces_policy_project *projects;
	size_t n_projects;
	bool infer; /* infer_projects is written */
	char *infer_base;
	struct ces_strings infer_prefixes;
	struct ces_policy_image_rules infer_images;
	struct ces_policy_kubernetes kubernetes;
	enum ces_cgroup_parent cgroup_parent;
	/* an absolute path; that of CES_CGROUP_PATH; a path or the URI of a key, or NULL */
	char *runtime, *cgroup_path, *audit_key;
	struct ces_policy_limits user_limits; /* of all runs of one user together; 0: no such limit;
						 time, shm and writable_layer are not used */
	struct ces_policy_store store;
	uint64_t subid_first, subid_per_user, subid_users;
	struct ces_strings cdi_dirs;
	bool audit_syslog;
	enum ces_selinux_rule selinux;
	char digest[72]; /* "sha256:..." of the bytes of the file */
	void *memory;    /* private to policy/parse.c */
};

/* Opens path component by component from "/". Every directory and the file itself must be
 * root-owned and not writable by others (a sticky directory is no excuse), no symlink, a regular
 * file with one link, at most 4 MiB, by fstat on the very fd that is read. Returns the bytes,
 * malloc'd and NUL-terminated. Who controls each input: path is compiled in; the bytes are root's.
 * A rename during the read changes nothing: one open file is read once. Code CES_E_POLICY on
 * failure. */
int ces_policy_read(const char *path, char **ret, size_t *ret_length, struct ces_error *err);

/* The same walk for a file that the policy names and that is not read here (the OCI runtime).
 * Returns its fd if every directory and the file belong to root alone. */
int ces_policy_open_trusted(const char *path, int *ret, struct ces_error *err);

/* The same walk to a directory. If there is none, 0 with *ret unchanged. */
int ces_policy_open_directory(const char *path, int *ret, struct ces_error *err);

/* Reads a file of that directory, of at most max bytes, with the same checks except for its links:
 * for files with their digests as names. */
int ces_policy_read_in(int dir, const char *name, size_t max, char **ret, size_t *ret_length,
		       struct ces_error *err);
/* The same walk to a directory of root's that nobody else writes to, and only its group reads. */
int ces_policy_open_closed(const char *path, int *ret, struct ces_error *err);

#endif
