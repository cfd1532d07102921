/* The command lines of approve and revoke: one set of options, of which each command takes some. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "policy/approve/change.h"
#include "policy/tool/tool.h"

static void take(struct ces_change *change, int option)
{
	switch (option) {
	case 'p':
		change->project = optarg;
		break;
	case 'i':
		change->inferred = true;
		break;
	case 'a':
		change->approval = optarg;
		break;
	case 'x':
		change->expires = optarg;
		break;
	case 'e':
		change->directory = optarg;
		break;
	case 'n':
		change->no_evidence = true;
		break;
	case 'd':
		change->dry_run = true;
		break;
	default:
		break;
	}
}

int ces_change_options(int argc, char **argv, const struct ces_change_command *command,
		       struct ces_change *change)
{
	static const struct option options[] = {{"project", required_argument, NULL, 'p'},
						{"inferred", no_argument, NULL, 'i'},
						{"approval", required_argument, NULL, 'a'},
						{"dry-run", no_argument, NULL, 'd'},
						{"help", no_argument, NULL, 'h'},
						{"expires", required_argument, NULL, 'x'},
						{"evidence", required_argument, NULL, 'e'},
						{"no-evidence", no_argument, NULL, 'n'},
						{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(command->help, stdout);
			return 1;
		}
		if (option == '?')
			return -1;
		if (strchr(command->takes, option) == NULL) {
			fprintf(stderr, "%s takes no such option\n", argv[0]);
			return -1;
		}
		take(change, option);
	}
	return 0;
}
