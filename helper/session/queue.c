/* The table of tickets. Must not let a caller show another caller's ticket, nor let a ticket that
 * could not be served now hold others up.
 *
 * Who controls what: the file is root's. The ticket that a caller shows is a number of their
 * choice: it counts only where the table has it for their uid. The decision says which place they
 * wait for. */
#include "helper/session/queue.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/name.h"
#include "helper/core/beneath.h"

#define QUEUE    ".queue"
#define MOST     256
#define MOST_OWN 16

struct entry {
	uint64_t ticket; /* 0: free */
	uint64_t gpus, seen_ms;
	uint64_t uid, devices;
	char project[CES_NAME_MAX + 1]; /* ended by NUL */
};

struct queue {
	uint64_t last; /* the last ticket that was given */
	struct entry v[MOST];
};

/* Reads the table and returns an fd to write it back to; -1. A table that cannot be read whole is
 * empty. */
static int load(int runs, struct queue *queue)
{
	int fd = ces_beneath_open(runs, QUEUE, O_RDWR | O_CREAT, 0600);
	uint64_t now = (uint64_t)ces_now_ms();

	if (fd < 0 || pread(fd, queue, sizeof(*queue), 0) != (ssize_t)sizeof(*queue))
		memset(queue, 0, sizeof(*queue));
	for (size_t i = 0; i < MOST; i++) {
		queue->v[i].project[CES_NAME_MAX] = '\0';
		if (queue->v[i].seen_ms > now || now - queue->v[i].seen_ms > CES_QUEUE_MS)
			queue->v[i] = (struct entry){0};
	}
	return fd;
}

static struct entry *find(struct queue *queue, const struct ces_queue_wish *wish)
{
	for (size_t i = 0; i < MOST && wish->ticket != 0; i++)
		if (queue->v[i].ticket == wish->ticket && queue->v[i].uid == wish->uid)
			return &queue->v[i];
	return NULL;
}

static bool same(const struct entry *entry, const struct ces_queue_wish *wish)
{
	return wish->gpus > 0 ? entry->gpus > 0
			      : entry->gpus == 0 && entry->uid == wish->uid &&
				    strcmp(entry->project, wish->project) == 0;
}

/* A wish for other GPUs begins to wait anew. Otherwise a ticket that had long waited for a device
 * that is never free would come before all who wait for others. */
static bool is_unchanged(const struct entry *entry, const struct ces_queue_wish *wish)
{
	return wish->gpus == 0 || (entry->gpus == wish->gpus && entry->devices == wish->devices);
}

/* Counts the tickets before `ticket` that wait for the same, want no more than most, and would take
 * one of these devices. */
static size_t count(const struct queue *queue, const struct ces_queue_wish *wish, uint64_t ticket,
		    uint64_t most, uint64_t set)
{
	size_t n = 0;

	for (const struct entry *it = queue->v; it < queue->v + MOST; it++)
		n += it->ticket != 0 && it->ticket < ticket && same(it, wish) && it->gpus <= most &&
		     (it->gpus == 0 || (it->devices & set) != 0);
	return n;
}

size_t ces_queue_before(int runs, const struct ces_queue_wish *wish, uint64_t idle, uint64_t set)
{
	struct queue queue;
	CES_CLEANUP_FD int fd = load(runs, &queue);
	const struct entry *own = find(&queue, wish);

	return count(&queue, wish,
		     own != NULL && is_unchanged(own, wish) ? own->ticket : UINT64_MAX, idle, set);
}

uint64_t ces_queue_wait(int runs, const struct ces_queue_wish *wish, uint64_t *ret_position)
{
	struct queue queue;
	CES_CLEANUP_FD int fd = load(runs, &queue);
	struct entry *entry = find(&queue, wish);
	size_t own = 0;

	for (size_t i = 0; i < MOST && entry == NULL; i++)
		own += queue.v[i].ticket != 0 && queue.v[i].uid == wish->uid;
	for (size_t i = 0; i < MOST && entry == NULL && own < MOST_OWN; i++)
		if (queue.v[i].ticket == 0)
			entry = &queue.v[i];
	if (fd < 0 || entry == NULL)
		return 0;
	if (entry->ticket == 0 || !is_unchanged(entry, wish))
		entry->ticket = ++queue.last;
	entry->uid = wish->uid;
	entry->gpus = wish->gpus;
	entry->devices = wish->devices;
	entry->seen_ms = (uint64_t)ces_now_ms();
	(void)snprintf(entry->project, sizeof(entry->project), "%s", wish->project);
	*ret_position = count(&queue, wish, entry->ticket, UINT64_MAX, UINT64_MAX) + 1;
	return pwrite(fd, &queue, sizeof(queue), 0) == (ssize_t)sizeof(queue) ? entry->ticket : 0;
}

void ces_queue_leave(int runs, const struct ces_queue_wish *wish)
{
	struct queue queue;
	CES_CLEANUP_FD int fd = load(runs, &queue);
	struct entry *entry = find(&queue, wish);

	if (fd < 0 || entry == NULL)
		return;
	*entry = (struct entry){0};
	(void)!pwrite(fd, &queue, sizeof(queue), 0);
}
