/* Files with the name of an Apptainer image that hold a reference to an image. It must not follow a
 * link, wait for a FIFO, or believe more than a name. */
#include "client/sif.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/say.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/name.h"

static const char first_line[] = "CES image reference, version 1\n";

/* The header of a real one: 32 bytes for a launch script, then this (sylabs/sif, pkg/sif/sif.go).
 */
#define SIF_MAGIC    "SIF_MAGIC"
#define SIF_MAGIC_AT 32
#define REAL_SIF     (-2)

bool ces_sif_is(const char *word)
{
	size_t length = strlen(word);

	return length > 4 && strcmp(word + length - 4, ".sif") == 0;
}

/* Opens a file of the caller's. *ret_length is the length of text, which has a NUL after it.
 * Refuses a real one with REAL_SIF, and any other file with -1. */
static int read_own(const char *path, char text[CES_SIF_MAX + 1], size_t *ret_length,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ELOOP)
		return ces_error_set(err, CES_E_USAGE,
				     "%s is a link: type the path that it leads to", path);
	if (fd < 0 && errno == ENOENT)
		return ces_error_set(err, CES_E_USAGE,
				     "%s does not exist: 'ces-pull apptainer USER IMAGE' writes it",
				     path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_USAGE, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_USAGE, "%s is not a file", path);
	if (st.st_uid != geteuid())
		return ces_error_set(err, CES_E_USAGE,
				     "%s belongs to another user: pull the image yourself", path);
	n = read(fd, text, CES_SIF_MAX + 1);
	if (n < 0)
		return ces_error_errno(err, CES_E_USAGE, "cannot read %s", path);
	if ((size_t)n >= SIF_MAGIC_AT + strlen(SIF_MAGIC) &&
	    memcmp(text + SIF_MAGIC_AT, SIF_MAGIC, strlen(SIF_MAGIC)) == 0) {
		(void)ces_error_set(err, CES_E_USAGE,
				    "%s is an Apptainer image, and CES runs only images of "
				    "registries: type ces-pull apptainer USER IMAGE",
				    path);
		return REAL_SIF;
	}
	if (n > CES_SIF_MAX || memchr(text, '\0', (size_t)n) != NULL ||
	    (size_t)n < strlen(first_line) || memcmp(text, first_line, strlen(first_line)) != 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "%s was not written by ces-pull apptainer: pull the image again", path);
	text[n] = '\0';
	*ret_length = (size_t)n;
	return 0;
}

int ces_sif_read(const char *path, struct ces_options *options, struct ces_error *err)
{
	char text[CES_SIF_MAX + 1], digest[CES_DIGEST_LENGTH + 1], *image, *end;
	struct ces_reference reference;
	size_t length;

	if (read_own(path, text, &length, err) < 0)
		return -1;
	image = strstr(text, "\nimage=");
	end = image == NULL ? NULL : strchr(image + 1, '\n');
	if (end == NULL)
		return ces_error_set(err, CES_E_USAGE, "%s names no image: pull it again", path);
	*end = '\0';
	image += strlen("\nimage=");
	if (ces_reference_parse(image, &reference, err) < 0)
		return ces_error_context(err, "%s", path);
	if (sscanf(end + 1, "digest=%71s", digest) == 1)
		(void)snprintf(options->digest, sizeof(options->digest), "%s", digest);
	return ces_options_keep_text(options, image, &options->request.image, err);
}

void ces_sif_compare(const struct ces_options *options, const struct ces_event_started *started)
{
	if (options->digest[0] != '\0' && started->digest != NULL &&
	    strcmp(options->digest, started->digest) != 0)
		ces_say_error("the .sif file was written for another version of %s; to write it "
			      "again, type ces-pull apptainer USER %s",
			      options->request.image, options->request.image);
}

/* hello:2.1.sif. Only the file has the version of an image that was pulled by its digest. */
static void file_name(const struct ces_reference *reference, char *buffer, size_t size)
{
	const char *name = strrchr(reference->repository, '/');

	name = name != NULL ? name + 1 : reference->repository;
	if (reference->tag[0] != '\0')
		(void)snprintf(buffer, size, "%s:%s.sif", name, reference->tag);
	else
		(void)snprintf(buffer, size, "%s.sif", name);
}

/* Writes the whole file under another name first, so that the file is never half written. */
static int write_file(const char *name, const char *text, struct ces_error *err)
{
	char fresh[CES_REFERENCE_MAX + 32];
	CES_CLEANUP_FD int fd = -1;

	(void)snprintf(fresh, sizeof(fresh), ".%s.%d", name, (int)getpid());
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return ces_error_errno(err, CES_E_HOST, "the image is here, but %s cannot be made",
				       name);
	/* (a file server may refuse what was written only at the close) */
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
	    close(ces_steal_fd(&fd)) == 0 && rename(fresh, name) == 0)
		return 0;
	(void)ces_error_errno(err, CES_E_HOST, "the image is here, but %s cannot be written", name);
	(void)unlink(fresh);
	return -1;
}

/* Makes way for a new file. A real one, which the service before CES left, gets another name. */
static int make_way(const char *name, struct ces_error *err)
{
	char text[CES_SIF_MAX + 1], old[CES_REFERENCE_MAX + 24];
	struct ces_error ignored;
	struct stat st;
	size_t length;
	int read;

	if (lstat(name, &st) < 0)
		return 0;
	read = read_own(name, text, &length, &ignored);
	if (read == 0)
		return 0;
	(void)snprintf(old, sizeof(old), "%s.old", name);
	if (read == REAL_SIF && renameat2(AT_FDCWD, name, AT_FDCWD, old, RENAME_NOREPLACE) == 0) {
		ces_say("%s was an Apptainer image, which CES does not run: it is %s now", name,
			old);
		return 0;
	}
	return ces_error_set(err, CES_E_USAGE,
			     "the image is here, but %s is a file of yours: move it away and pull "
			     "again",
			     name);
}

int ces_sif_write(const char *reference, const char *digest, struct ces_error *err)
{
	char text[CES_SIF_MAX + 1], name[CES_REFERENCE_MAX + 16];
	struct ces_reference parsed;

	if (ces_reference_parse(reference, &parsed, err) < 0)
		return -1;
	file_name(&parsed, name, sizeof(name));
	if (make_way(name, err) < 0)
		return -1;
	(void)snprintf(text, sizeof(text),
		       "%s# No image: the image is in the store of CES, and this names it.\n"
		       "# Run it by: ces-run apptainer %s\nimage=%s\ndigest=%s\n",
		       first_line, name, reference, digest);
	if (write_file(name, text, err) < 0)
		return -1;
	ces_say("%s names the image; to run it, type: ces-run apptainer %s", name, name);
	return 0;
}
