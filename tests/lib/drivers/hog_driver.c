/* Takes memory in a container until it is stopped: hog_driver heap|memfd MEBIBYTES. It is static,
 * since the images of the tests have no C library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const size_t piece = 1u << 20;
	char *block = malloc(piece);
	long left = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	int fd = argc == 3 && strcmp(argv[1], "memfd") == 0 ? memfd_create("hog", 0) : -1;

	if (left <= 0 || block == NULL)
		return 2;
	memset(block, 1, piece);
	for (; left > 0; left--) {
		if (fd >= 0 ? write(fd, block, piece) < 0 : (block = malloc(piece)) == NULL)
			return 3;
		memset(block, 1, piece);
	}
	puts("took it all");
	return 0;
}
