/* The words of demands, for people who write and read policies. Root's programs do not use them. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "policy/demand.h"
#include "policy/demand_text.h"

unsigned ces_finding_of(const char *word)
{
	unsigned i = 0;

	while (i < CES_FINDINGS && strcmp(word, ces_findings[i]) != 0)
		i++;
	return i;
}

void ces_demand_say(const struct ces_policy_demand *demand, char *buffer, size_t size)
{
	FILE *out = fmemopen(buffer, size, "w");
	const char *before = " without ";
	char age[32];

	buffer[0] = '\0';
	if (out == NULL)
		return;
	ces_num_format_time(demand->max_age, age, sizeof(age));
	if (demand->max_age > 0)
		(void)fprintf(out, "a scan at most %s old", age);
	for (unsigned i = 0; i < CES_FINDINGS; i++) {
		if ((demand->no & UINT64_C(1) << i) == 0)
			continue;
		(void)fprintf(out, "%s%s", before, ces_findings[i]);
		before = ", ";
	}
	if (demand->no != 0 && demand->unless_vex)
		(void)fputs(" (except what VEX excuses)", out);
	if (demand->sbom)
		(void)fprintf(out, "%san SBOM", demand->max_age > 0 ? ", and " : "");
	(void)fclose(out);
	buffer[size - 1] = '\0';
}
