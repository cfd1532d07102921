/* The two ends of a stream of bytes over TCP, to measure what is between them. "stream serve PORT"
 * listens on 127.0.0.1 and takes connections one after another. The first byte of a connection says
 * what it wants: after 'p' it reads what follows to its end; after 'g' it sends bytes until the
 * connection is closed. It prints "up" when it listens. "stream put|get PORT BYTES" does the other
 * half and prints microseconds. */
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 20];

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Reads up to `most` bytes. Returns how many there were. */
static uint64_t take(int fd, uint64_t most)
{
	uint64_t total = 0;
	ssize_t n = 1;

	while (total < most && n > 0) {
		n = read(fd, buffer, sizeof(buffer));
		total += n > 0 ? (uint64_t)n : 0;
	}
	return total;
}

static uint64_t give(int fd, uint64_t most)
{
	uint64_t total = 0;
	ssize_t n = 1;

	while (total < most && n > 0) {
		uint64_t left = most - total;

		n = write(fd, buffer, left < sizeof(buffer) ? left : sizeof(buffer));
		total += n > 0 ? (uint64_t)n : 0;
	}
	return total;
}

static void serve(const struct sockaddr_in *address)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 8) < 0)
		err(1, "listening");
	puts("up");
	fflush(stdout);
	for (;;) {
		int one = accept(fd, NULL, NULL);
		char what = 0;

		if (one >= 0 && read(one, &what, 1) == 1)
			(void)(what == 'p' ? take(one, UINT64_MAX) : give(one, UINT64_MAX));
		close(one);
	}
}

/* Moves the bytes. A put ends with the other side's end of file: by then everything has arrived. */
static void transfer(const struct sockaddr_in *address, bool put, uint64_t bytes)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t begin = now_us(), done;

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
	    write(fd, put ? "p" : "g", 1) != 1)
		err(1, "connecting");
	done = put ? give(fd, bytes) : take(fd, bytes);
	if (put && shutdown(fd, SHUT_WR) == 0)
		(void)take(fd, 1);
	if (done < bytes)
		errx(1, "ended early");
	printf("%llu\n", (unsigned long long)(now_us() - begin));
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 3)
		errx(2, "stream serve PORT, or stream put|get PORT BYTES");
	address.sin_port = htons((in_port_t)strtoul(argv[2], NULL, 10));
	if (strcmp(argv[1], "serve") == 0)
		serve(&address);
	else if (argc == 4)
		transfer(&address, strcmp(argv[1], "put") == 0, strtoull(argv[3], NULL, 10));
	return 0;
}
