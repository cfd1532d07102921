/* Gives the files of directories to a fuzzer, one after the other, without libFuzzer: replay
 * DIRECTORY... So each test run shows that the fuzzer still builds, and that it still takes the
 * inputs that it keeps. It prints how many there were. */
#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void replay(const char *path)
{
	FILE *file = fopen(path, "re");
	uint8_t *bytes;
	long length;

	if (file == NULL || fseek(file, 0, SEEK_END) < 0 || (length = ftell(file)) < 0)
		err(1, "%s", path);
	rewind(file);
	bytes = malloc((size_t)length);
	if ((bytes == NULL && length > 0) ||
	    fread(bytes, 1, (size_t)length, file) != (size_t)length)
		err(1, "%s", path);
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, (size_t)length);
	free(bytes);
}

int main(int argc, char **argv)
{
	char path[4096];
	struct dirent *entry;
	int count = 0;

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		DIR *directory = opendir(argv[i]);

		if (directory == NULL)
			err(1, "%s", argv[i]);
		while ((entry = readdir(directory)) != NULL) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			replay(path);
			count++;
		}
		closedir(directory);
	}
	printf("%d inputs\n", count);
	return 0;
}
