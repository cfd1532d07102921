/* Leaves ces-run.json in a run's outputs directory, beside the run's files. It says where they come
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

/* Prints the line that names the directory. */
void ces_outputs_say(const struct ces_event_started *started);

/* Words the result of the project's check of the outputs; "" if there is nothing to say. */
void ces_outputs_word(const struct ces_event_exited *exited, struct ces_kept *kept);

/* After the end: removes a directory that was made for this run and is empty, and writes the file
 * into any other. It does not make a directory again. It must not report a failure: a failure
 * changes nothing of the run. */
void ces_outputs_settle(const struct ces_outputs *outputs, struct ces_kept *kept,
			const struct ces_event_exited *exited);

#endif
