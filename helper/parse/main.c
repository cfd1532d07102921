/* ces-parse: turns root's JSON files (the policy, specifications of devices, and evidence) into
 * flat blocks, and a decision into sentences. It has an account of its own, no file, no network, no
 * exec. Each process does one job. If the job is a file, the process must not get a byte from a
 * caller, a registry or an image: root's programs believe what it says of a policy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/parse/evidence.h"
#include "helper/parse/sandbox.h"
#include "policy/cdi.h"
#include "policy/cdi_parse.h"
#include "policy/explain.h"
#include "policy/flat.h"
#include "policy/names.h"
#include "policy/parse.h"
#include "policy/parsed.h"

static int read_policy(const char *bytes, size_t length, uint8_t **ret, size_t *ret_length,
		       struct ces_error *err)
{
	struct ces_policy *policy;

	if (ces_policy_parse(bytes, length, &policy, err) < 0)
		return -1;
	policy->memory = NULL; /* (an address, which no other program may see) */
	return ces_flat_pack(&ces_policy_flat, policy, ret, ret_length, err);
}

static void forget_hooks(struct ces_cdi_edits *edits)
{
	edits->hooks = NULL;
	edits->n_hooks = 0;
}

static int read_cdi(struct ces_parse_job *job, const char *bytes, size_t length, uint8_t **ret,
		    size_t *ret_length, struct ces_error *err)
{
	char *names[CES_DECISION_NAMES];
	const struct ces_strings kinds = ces_decision_list(&job->kinds, names);
	struct ces_cdi_spec *spec;

	if (ces_cdi_parse(bytes, length, &kinds, &spec, err) < 0)
		return -1;
	if (spec == NULL)
		return 0;
	spec->memory = NULL;
	forget_hooks(&spec->edits);
	for (size_t i = 0; i < spec->n_devices; i++)
		forget_hooks(&spec->devices[i].edits);
	return ces_flat_pack(&ces_cdi_flat, spec, ret, ret_length, err);
}

static void add_line(void *context, const char *line)
{
	FILE *lines = context;

	(void)fprintf(lines, "%s\n", line);
}

static int explain(char *bytes, size_t length, uint8_t **ret, size_t *ret_length,
		   struct ces_error *err)
{
	struct ces_parse_explain *what = (void *)bytes;
	FILE *lines;

	if (length != sizeof(*what))
		return ces_error_set(err, CES_E_INTERNAL, "not a decision");
	lines = open_memstream((char **)ret, ret_length);
	if (lines == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	what->user[sizeof(what->user) - 1] = '\0';
	ces_decision_explain(&(struct ces_caller){.uid = what->uid, .user = what->user},
			     &what->decision, add_line, lines);
	return fclose(lines) == 0 ? 0 : ces_error_set(err, CES_E_HOST, "out of memory");
}

static int work(uint8_t **ret, size_t *ret_length, struct ces_error *err)
{
	static struct ces_parse_job job;
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t most = CES_PARSE_BYTES;
	ssize_t length;

	if (ces_read_full(CES_PARSE_JOB, &job, sizeof(job), -1) < 0 ||
	    job.magic != CES_PARSE_MAGIC || job.kinds.n > CES_DECISION_NAMES)
		return ces_error_set(err, CES_E_INTERNAL, "not a job");
	if (job.kind == CES_PARSE_EVIDENCE)
		most = CES_PARSE_FILES;
	bytes = malloc(most + 1);
	if (bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	length = read(CES_PARSE_JOB, bytes, most);
	if (length < 0)
		return ces_error_errno(err, CES_E_HOST, "reading a file");
	bytes[length] = '\0';
	if (job.kind == CES_PARSE_EXPLAIN)
		return explain(bytes, (size_t)length, ret, ret_length, err);
	if (job.kind == CES_PARSE_EVIDENCE)
		return ces_parse_evidence(bytes, (size_t)length, ret, ret_length, err);
	return job.kind == CES_PARSE_POLICY
		   ? read_policy(bytes, (size_t)length, ret, ret_length, err)
		   : read_cdi(&job, bytes, (size_t)length, ret, ret_length, err);
}

int main(void)
{
	return ces_parse_serve(work);
}
