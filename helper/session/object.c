/* Writes and reads records. Must not be given a directory that is not root's alone. */
#include "helper/session/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/core/beneath.h"

int ces_object_boot(char ret[CES_BOOT_LENGTH + 1], struct ces_error *err)
{
	static char boot[CES_BOOT_LENGTH + 1]; /* "": not read yet */

	if (boot[0] == '\0' && ces_read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot,
					     sizeof(boot)) != CES_BOOT_LENGTH)
		return ces_error_errno(err, CES_E_HOST, "boot id");
	memcpy(ret, boot, sizeof(boot));
	return 0;
}

int ces_object_write(int dir, const char *name, const struct ces_wire_schema *schema,
		     const void *object, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	CES_CLEANUP_FD int fd = -1;
	char temporary[128];
	size_t length;

	if (ces_wire_encode(schema, object, &frame, &length, err) < 0)
		return -1;
	(void)snprintf(temporary, sizeof(temporary), "%s.%d", name, (int)getpid());
	fd = ces_beneath_open(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ces_write_full(fd, frame, length, -1) < 0 ||
	    (ret == NULL && fdatasync(fd) < 0) || renameat(dir, temporary, dir, name) < 0) {
		ces_error_errno(err, CES_E_HOST, "storing %s", name);
		(void)unlinkat(dir, temporary, 0);
		return -1;
	}
	if (ret != NULL)
		*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_object_take(int fd, const char *what, char **ret, size_t *ret_length, struct ces_error *err)
{
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return ces_error_set(err, CES_E_NOTFOUND, "no %s", what);
	return fd < 0 || ces_read_file(fd, CES_WIRE_RECORD_MAX, ret, ret_length) < 0
		   ? ces_error_errno(err, CES_E_HOST, "reading the %s", what)
		   : 0;
}

int ces_object_decode(const struct ces_wire_schema *schema, const char *bytes, size_t length,
		      void *object, struct ces_error *err)
{
	if (ces_wire_decode(schema, bytes, length, object, err) == 0)
		return 0;
	return err->code == CES_E_HOST
		   ? -1
		   : ces_error_set(err, CES_E_INTERNAL, "the %s is damaged", schema->name);
}

int ces_object_read(int dir, const char *name, const struct ces_wire_schema *schema, void *object,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dir, name, O_RDONLY, 0);
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length;

	return ces_object_take(fd, schema->name, &bytes, &length, err) < 0
		   ? -1
		   : ces_object_decode(schema, bytes, length, object, err);
}

static void remove_file(int dir, const char *name, void *context)
{
	(void)context;
	(void)unlinkat(dir, name, 0);
}

int ces_object_clear(int dir, const char *name)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 || ces_beneath_each(fd, remove_file, NULL) < 0
		   ? -1
		   : unlinkat(dir, name, AT_REMOVEDIR);
}
