/* Ownership by attribute: a scope releases on every way out what it has opened or allocated. */
#ifndef CES_COMMON_CLEANUP_H
#define CES_COMMON_CLEANUP_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static inline void ces_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void ces_cleanup_free(void *pointer)
{
	void **p = pointer;

	free(*p);
	*p = NULL;
}

static inline void ces_cleanup_closedir(DIR **dir)
{
	if (*dir != NULL)
		closedir(*dir);
	*dir = NULL;
}

#define CES_CLEANUP_FD   __attribute__((cleanup(ces_cleanup_close)))
#define CES_CLEANUP_FREE __attribute__((cleanup(ces_cleanup_free)))
#define CES_CLEANUP_DIR  __attribute__((cleanup(ces_cleanup_closedir)))

/* Hands an fd over: the variable forgets it, and the receiver owns it. */
static inline int ces_steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* The same for memory. It is a macro, so that the pointer keeps its type. */
#define ces_steal_pointer(pointer)                                                                 \
	__extension__({                                                                            \
		__typeof__(*(pointer)) taken_ = *(pointer);                                        \
		*(pointer) = NULL;                                                                 \
		taken_;                                                                            \
	})

#define CES_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
