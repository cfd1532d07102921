/* Leaves ces-run.json in a run's outputs directory, beside the run's files: it says where they come
 * from. */
#ifndef CES_CLIENT_OUTPUTS_H
#define CES_CLIENT_OUTPUTS_H

#include "client/kept.h"

#define CES_OUTPUTS_FILE "ces-run.json"

/* The facts known when the run starts; the request must outlive it. */
struct ces_outputs {
	const struct ces_request *request;
	uint64_t time, memory, cpus; /* its limits, struct ces_event_started */
};

void ces_outputs_begin(struct ces_outputs *outputs, const struct ces_request *request,
		       const struct ces_event_started *started);

/* The line that says where they are. */
void ces_outputs_say(const struct ces_event_started *started);

/* Puts into words what the project's check of the outputs found; "" where there is nothing to say.
 */
void ces_outputs_word(const struct ces_event_exited *exited, struct ces_kept *kept);

/* After the end: removes a directory that was made for this run and is empty, and writes the file
 * into any other. A directory that is no longer there is not kept. Does not report a failure: it
 * changes nothing of the run. */
void ces_outputs_settle(const struct ces_outputs *outputs, struct ces_kept *kept,
			const struct ces_event_exited *exited);

#endif
