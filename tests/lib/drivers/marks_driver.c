/* Tries, in a container, to write and read the marks by which an overlay hides or redirects files:
 * marks_driver DIRECTORY. It prints what succeeded; nothing should. It is static, since the images
 * of the tests have no C library. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char *const marks[] = {"opaque", "redirect", "metacopy", "origin",
					    "whiteouts"};
	char name[64], value[8], list[256];

	if (argc != 2 || chdir(argv[1]) < 0)
		return 2;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		snprintf(name, sizeof(name), "trusted.overlay.%s", marks[i]);
		if (setxattr(".", name, "n", 1, 0) == 0)
			printf("set %s\n", name);
		if (removexattr(".", name) == 0)
			printf("removed %s\n", name);
		if (getxattr(".", name, value, sizeof(value)) >= 0)
			printf("read %s\n", name);
		/* where a tmpfs has them, these can be written and mean nothing */
		snprintf(name, sizeof(name), "user.overlay.%s", marks[i]);
		(void)setxattr(".", name, "y", 1, 0);
	}
	for (ssize_t i = 0, n = listxattr(".", list, sizeof(list)); i < n; i++)
		if (list[i] == 't' && (i == 0 || list[i - 1] == '\0'))
			printf("listed %s\n", list + i);
	if (mknod("whiteout", S_IFCHR, 0) == 0)
		puts("made a whiteout");
	puts("tried");
	return 0;
}
