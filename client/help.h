/* The text of --help. It is made from the parser's own tables, so that it lists every option. */
#ifndef CES_CLIENT_HELP_H
#define CES_CLIENT_HELP_H

#include <stddef.h>
#include <stdint.h>

#include "client/options.h"

enum ces_operand {
	CES_OPERAND_NONE,
	CES_OPERAND_IMAGE,
	CES_OPERAND_RUN,     /* a run's number or name */
	CES_OPERAND_EITHER,  /* RUN or IMAGE */
	CES_OPERAND_COMMAND, /* IMAGE, and the words of a command */
};

struct ces_command {
	const char *name;
	uint64_t verb; /* enum ces_verb; 0: no request */
	enum ces_operand operand;
	const struct ces_option_table *options; /* NULL: not in this version */
	const char *usage;                      /* what follows the name */
	const char *help;
	int (*act)(struct ces_options *options); /* it makes no request of its own */
	bool many;                               /* the operand may be written several times */
};

void ces_help_commands(const struct ces_command *commands, size_t n);
void ces_help_command(const struct ces_command *command);
void ces_help_options(const char *command, const char *usage, const char *help,
		      const struct ces_option_table *table);

#endif
