/* The register of live runs. Must not hold anything that a decision about a new run needs, except
 * the number of runs: it is on a tmpfs that a reboot empties. */
#include "helper/session/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/core/beneath.h"
#include "helper/session/object.h"

#define STOP "stop"

/* How often, and how long, a process that clears up waits for those that look. */
#define LOOKS   50
#define LOOK_US 1000

int ces_runs_open(int *ret, struct ces_error *err)
{
	return ces_beneath_own_dir(CES_AT_ROOT, CES_RUN_DIR, ret, err);
}

int ces_runs_name(int runs, char ret[CES_RUN_DIGITS + 1], struct ces_error *err)
{
	for (int attempt = 0; attempt < 16; attempt++) {
		uint64_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			break;
		(void)snprintf(ret, CES_RUN_DIGITS + 1, "%010llu",
			       (unsigned long long)(random % 10000000000ull));
		if (faccessat(runs, ret, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			return 0;
	}
	return ces_error_set(err, CES_E_HOST, "no number for a new run");
}

int ces_runs_enter(int runs, const struct ces_run_record *record, int *ret, int *ret_stop,
		   struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int stop = -1;
	char making[32];

	(void)snprintf(making, sizeof(making), ".new-%s", record->run);
	if (mkdirat(runs, making, 0700) < 0)
		return ces_error_errno(err, CES_E_HOST, "making the run directory");
	dir = ces_beneath_open(runs, making, O_RDONLY | O_DIRECTORY, 0);
	/* any process that sees the run's name also sees it locked and with its record */
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return ces_error_errno(err, CES_E_HOST, "locking the run directory");
	if (ces_object_write(dir, "record", &ces_run_record_schema, record, NULL, err) < 0)
		return -1;
	/* opened for writing too: without a writer the FIFO would always be at its end */
	if (mkfifoat(dir, STOP, 0600) == 0)
		stop = ces_beneath_open(dir, STOP, O_RDWR | O_NONBLOCK, 0);
	if (stop < 0)
		return ces_error_errno(err, CES_E_HOST, "making the run's FIFO");
	if (renameat(runs, making, runs, record->run) < 0)
		return ces_error_errno(err, CES_E_HOST, "entering the run");
	*ret = ces_steal_fd(&dir);
	*ret_stop = ces_steal_fd(&stop);
	return 0;
}

int ces_runs_need(int entry, const char *digest, const struct ces_strings *layers,
		  struct ces_error *err)
{
	struct ces_run_record record, more;
	int result;

	if (ces_object_read(entry, "record", &ces_run_record_schema, &record, err) < 0)
		return -1;
	more = record;
	more.digest = (char *)(uintptr_t)digest;
	more.layers = *layers;
	result = ces_object_write(entry, "record", &ces_run_record_schema, &more, NULL, err);
	ces_wire_free(&ces_run_record_schema, &record);
	return result;
}

/* A helper that lives has the lock of its entry alone. A process that only looks shares it for a
 * moment, so that another one does not take it for a helper. A process that clears up needs a dead
 * one's lock alone. */
static bool is_alive(int dir, bool alone)
{
	bool alive = flock(dir, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0;

	for (int i = 0; alone && alive && i < LOOKS && flock(dir, LOCK_SH | LOCK_NB) == 0; i++) {
		(void)flock(dir, LOCK_UN);
		(void)usleep(LOOK_US);
		alive = flock(dir, LOCK_EX | LOCK_NB) < 0;
	}
	return alive;
}

bool ces_runs_alive(int runs, const char *run)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(runs, run, O_RDONLY | O_DIRECTORY, 0);

	return dir >= 0 && is_alive(dir, false);
}

int ces_runs_stop(int runs, const char *run, uint32_t grace, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(runs, run, O_RDONLY | O_DIRECTORY, 0);
	CES_CLEANUP_FD int stop =
	    dir < 0 ? -1 : ces_beneath_open(dir, STOP, O_WRONLY | O_NONBLOCK, 0);

	/* without a reader (ENXIO) the run's helper is gone, or about to go */
	if (stop < 0 && errno != ENOENT && errno != ENXIO)
		return ces_error_errno(err, CES_E_HOST, "stopping the run");
	if (stop >= 0 && write(stop, &grace, sizeof(grace)) < 0 && errno != EAGAIN &&
	    errno != EPIPE)
		return ces_error_errno(err, CES_E_HOST, "stopping the run");
	return 0;
}

void ces_runs_leave(int runs, const char *run)
{
	(void)ces_object_clear(runs, run);
}

void ces_runs_restore(int runs, const struct ces_run_record *record)
{
	CES_CLEANUP_FD int dir = -1;
	struct ces_error ignored;
	char making[32];

	/* (if two processes do this at once, the second finds the name taken) */
	(void)snprintf(making, sizeof(making), ".new-%d.old", (int)getpid());
	(void)ces_object_clear(runs, making);
	if (mkdirat(runs, making, 0700) == 0)
		dir = ces_beneath_open(runs, making, O_RDONLY | O_DIRECTORY, 0);
	if (dir >= 0 &&
	    ces_object_write(dir, "record", &ces_run_record_schema, record, NULL, &ignored) == 0)
		(void)renameat2(runs, making, runs, record->run, RENAME_NOREPLACE);
	(void)ces_object_clear(runs, making);
}

void ces_runs_keep(int runs, int kept, const char *run, bool cgroup)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(runs, run, O_RDONLY | O_DIRECTORY, 0);
	struct ces_run_record record, rest;
	struct ces_error ignored;

	if (dir < 0 ||
	    ces_object_read(dir, "record", &ces_run_record_schema, &record, &ignored) < 0)
		return;
	rest = (struct ces_run_record){.run = record.run,
				       .uid = record.uid,
				       .outputs = record.outputs,
				       .scratch = record.scratch,
				       .user = record.user,
				       .group = record.group,
				       .project_gids = record.project_gids};
	if (cgroup) {
		rest.gpus = record.gpus;
		rest.cgroups = record.cgroups;
		rest.categories = record.categories;
	}
	(void)ces_object_write(kept, run, &ces_run_record_schema, &rest, NULL, &ignored);
	(void)ces_object_write(dir, "record", &ces_run_record_schema, &rest, NULL, &ignored);
	ces_wire_free(&ces_run_record_schema, &record);
}

bool ces_runs_is_kept(const struct ces_run_record *record)
{
	return record->digest == NULL;
}

bool ces_runs_is_pull(const char *run)
{
	return strncmp(run, CES_RUNS_PULL, strlen(CES_RUNS_PULL)) == 0;
}

/* Removes a directory whose helper died before the run was entered: nothing else was made for it
 * yet. */
static void remove_unborn(int runs, const char *name)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(runs, name, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	/* A young directory may only just not be locked yet. One of a clock that was ahead is as
	 * old as one of long ago. */
	if (dir >= 0 && fstat(dir, &st) == 0 && labs(time(NULL) - st.st_mtime) > 60 &&
	    flock(dir, LOCK_EX | LOCK_NB) == 0)
		ces_runs_leave(runs, name);
}

struct listing {
	void (*each)(const struct ces_run_record *, bool, void *);
	void *context;
	unsigned which;
	bool failed;
};

/* Shows one entry. An entry that has gone by now, or was never whole, is skipped. */
static int look(int runs, const char *name, const struct listing *listing)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(runs, name, O_RDONLY | O_DIRECTORY, 0);
	struct ces_run_record record;
	struct ces_error err;
	bool alive;

	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	alive = is_alive(dir, (listing->which & CES_EACH_ALONE) != 0);
	if (ces_object_read(dir, "record", &ces_run_record_schema, &record, &err) < 0) {
		/* an entered run has a record, so this one was being removed when its helper
		 * died */
		if (err.code == CES_E_NOTFOUND && !alive)
			ces_runs_leave(runs, name);
		return err.code == CES_E_HOST ? -1 : 0;
	}
	if (strcmp(record.run, name) == 0)
		listing->each(&record, alive, listing->context);
	ces_wire_free(&ces_run_record_schema, &record);
	return 0;
}

static void show(int runs, const char *name, void *context)
{
	struct listing *listing = context;
	bool pull = ces_runs_is_pull(name);

	if ((listing->which & (pull ? CES_EACH_PULL : CES_EACH_RUN)) != 0 &&
	    ces_run_valid(name + (pull ? strlen(CES_RUNS_PULL) : 0)))
		listing->failed |= look(runs, name, listing) < 0;
	else if (strncmp(name, ".new-", 5) == 0)
		remove_unborn(runs, name);
}

int ces_runs_each(int runs, unsigned which,
		  void (*each)(const struct ces_run_record *, bool, void *), void *context)
{
	struct listing listing = {.each = each, .context = context, .which = which};

	return ces_beneath_each(runs, show, &listing) < 0 || listing.failed ? -1 : 0;
}

struct sharing {
	int runs;
	uid_t uid;
	const char *outputs;
	bool found;
};

/* A run that was killed counts no more, and a run that ends has no FIFO any more. */
static void find_sharing(const struct ces_run_record *record, bool alive, void *context)
{
	struct sharing *sharing = context;
	char stop[32];

	(void)snprintf(stop, sizeof(stop), "%s/" STOP, record->run);
	sharing->found |= alive && !ces_runs_is_kept(record) && record->uid == sharing->uid &&
			  record->outputs != NULL &&
			  strcmp(record->outputs, sharing->outputs) == 0 &&
			  faccessat(sharing->runs, stop, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool ces_runs_end_shared(int runs, const char *run, uid_t uid, const char *outputs)
{
	struct sharing sharing = {runs, uid, outputs, false};
	char stop[32];

	(void)snprintf(stop, sizeof(stop), "%s/" STOP, run);
	(void)unlinkat(runs, stop, 0);
	(void)ces_runs_each(runs, CES_EACH_RUN, find_sharing, &sharing);
	return sharing.found;
}
