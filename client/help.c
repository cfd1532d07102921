/* Prints the help texts. */
#include "client/help.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define OPTION_WIDTH 30

void ces_help_commands(const struct ces_command *commands, size_t n)
{
	printf("Usage: ces-client COMMAND [OPTION...] [ARG...]\n\n"
	       "Pulls container images from approved registries and runs them on project data.\n\n"
	       "Commands:\n");
	for (size_t i = 0; i < n; i++) {
		if (commands[i].options != NULL)
			printf("  %-8s %-22s %s\n", commands[i].name, commands[i].usage,
			       commands[i].help);
	}
	printf("  %-8s %-22s %s\n", "explain", "pull|run ...",
	       "Say whether CES would allow it, and why; do nothing");
	printf("\n'ces-client COMMAND --help' lists the options of a command. The manual is "
	       "ces-client(1).\n");
}

static void print_option(const struct ces_option *option)
{
	char left[128];
	char letter[8] = "    ";

	if (option->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	if (option->value == NULL)
		snprintf(left, sizeof(left), "%s--%s", letter, option->name);
	else if (option->argument == optional_argument)
		snprintf(left, sizeof(left), "%s--%s[=%s]", letter, option->name, option->value);
	else
		snprintf(left, sizeof(left), "%s--%s %s", letter, option->name, option->value);
	if (strlen(left) > OPTION_WIDTH)
		printf("  %s\n  %-*s %s\n", left, OPTION_WIDTH, "", option->help);
	else
		printf("  %-*s %s\n", OPTION_WIDTH, left, option->help);
}

void ces_help_options(const char *command, const char *usage, const char *help,
		      const struct ces_option_table *table)
{
	printf("Usage: %s %s\n\n%s.\n\nOptions:\n", command, usage, help);
	for (size_t i = 0; i < table->n; i++) {
		if (table->options[i].help != NULL)
			print_option(&table->options[i]);
	}
}

void ces_help_command(const struct ces_command *command)
{
	char name[64], usage[128];

	snprintf(name, sizeof(name), "ces-client %s", command->name);
	snprintf(usage, sizeof(usage), "[OPTION...]%s%s", *command->usage != '\0' ? " " : "",
		 command->usage);
	ces_help_options(name, usage, command->help, command->options);
}
