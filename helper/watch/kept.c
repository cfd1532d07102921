/* Keeps the records that cleaning up after a run needs, where a reboot does not lose them. Must not
 * be believed for any decision: the register is.
 *
 * CES enters a run in the register first and then keeps it here; it removes it here first. So a run
 * that is here and not in the register is one that a crash of the machine has ended. */
#include "helper/watch/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/name.h"
#include "common/record.h"
#include "helper/core/beneath.h"
#include "helper/session/object.h"
#include "helper/session/runs.h"

void ces_kept_forget(const struct ces_store *store, const char *run)
{
	(void)unlinkat(store->runs, run, 0);
}

/* A damaged record belongs to a run of which the power cut has taken everything else too. A longer
 * name is of a record that a killed helper did not finish. */
static void restore(int kept, const char *name, void *context)
{
	int runs = *(const int *)context;
	struct ces_run_record record;
	struct ces_error err = {.code = CES_E_INTERNAL};
	char run[CES_RUN_DIGITS + 1];

	(void)snprintf(run, sizeof(run), "%s", name);
	if (!ces_run_valid(run) || faccessat(runs, run, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT)
		return;
	if (strcmp(name, run) != 0 ||
	    ces_object_read(kept, name, &ces_run_record_schema, &record, &err) < 0) {
		if (err.code == CES_E_INTERNAL)
			(void)unlinkat(kept, name, 0);
		return;
	}
	ces_runs_restore(runs, &record);
	ces_wire_free(&ces_run_record_schema, &record);
}

void ces_kept_restore(const struct ces_store *store, int runs)
{
	(void)ces_beneath_each(store->runs, restore, &runs);
}
