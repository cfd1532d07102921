/* Watches a directory in a container while a file comes into it: watch_driver DIRECTORY. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char event[4096];
	int fd = inotify_init1(IN_NONBLOCK);

	if (argc != 2 || chdir(argv[1]) < 0 || inotify_add_watch(fd, ".", IN_CREATE) < 0 ||
	    creat("watched", 0600) < 0 || read(fd, event, sizeof(event)) <= 0) {
		perror(argc == 2 ? argv[1] : "watch_driver DIRECTORY");
		return 1;
	}
	puts("seen");
	return 0;
}
