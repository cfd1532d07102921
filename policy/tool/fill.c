/* Fills in a template for one project. Where {user}, {run} and ~ lead is unknown here: they stay as
 * they are written, and mean the same on both sides of a comparison. */
#include <string.h>

#include "policy/tool/tool.h"

void ces_tool_fill(const char *template, const char *project, char ret[CES_TOOL_FILLED])
{
	static const char word[] = "{project}";
	size_t used = 0;

	while (*template != '\0' && used + CES_NAME_MAX + 1 < CES_TOOL_FILLED) {
		if (project != NULL && strncmp(template, word, strlen(word)) == 0) {
			used += (size_t)snprintf(ret + used, CES_TOOL_FILLED - used, "%s", project);
			template += strlen(word);
		} else {
			ret[used++] = *template ++;
		}
	}
	ret[used] = '\0';
}
