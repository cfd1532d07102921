/* The audit journal: /var/log/ces/audit.jsonl, append-only, one JSON object a line, each with the
 * SHA-256 of the line before (without its newline). Format: manual ces-audit(5). No record, no run:
 * every error of these functions must end the request. */
#ifndef CES_HELPER_SESSION_JOURNAL_H
#define CES_HELPER_SESSION_JOURNAL_H

#include <stdbool.h>

#include "common/error.h"
#include "helper/core/order.h"
#include "helper/session/json.h"

/* helper/session/journal_file.c. The head, a small file beside the journal, has the number and the
 * digest of the last record. With the head the chain goes on after the journal was rotated
 * (renamed), no matter where the old file went, and a journal whose end was cut off shows it.
 * Writers lock the head. */
struct ces_journal {
	int dir, head;
	int fd;     /* the journal; after a rotation, from the next record on, the new one */
	int syslog; /* connected while /dev can still be seen; -1: none */
};

#define CES_JOURNAL_NONE ((struct ces_journal){-1, -1, -1, -1})

/* Opens (makes) and checks the journal. A failure ends the request, or the process. */
int ces_journal_open(struct ces_journal *ret, struct ces_error *err);
void ces_journal_close(struct ces_journal *journal);

/* Completes record (adds seq, time, prev), appends it as one line and, when durable is set, waits
 * for the disk. Consumes record. Sends a copy to syslog (AUTHPRIV) if that is connected; the copy
 * may be lost. */
int ces_journal_append(const struct ces_journal *journal, struct ces_json record, bool durable,
		       struct ces_error *err);

/* Whether the journal has the end of this entry of the register, a run or a pull, already: the
 * helper may have been killed after it recorded the end, and before it left the register. Looks at
 * the newest records alone, which is enough for that; false if it cannot. */
bool ces_journal_has_end(const struct ces_journal *journal, const char *entry);

struct ces_session; /* helper/session/session.h */
struct ces_signers;

/* Makes the record of a decision, allowed (decision != NULL) or denied (why != NULL). It names the
 * request and the caller, as far as the session has them; it counts argument and environment values
 * and stores none. */
struct ces_json ces_journal_decision(const struct ces_session *session,
				     const struct ces_decision *decision, const char *run,
				     const char *digest, const struct ces_strings *devices,
				     const struct ces_error *why);

/* Adds to a record who has signed the image, unless nobody had to. */
void ces_journal_signers(struct ces_json *record, const struct ces_signers *signers);

/* Appends the record of a denial. Denials cost the caller nothing, so past a thousand at once and
 * ten a minute they are only counted, per user, so that nobody fills the disk with them. The count
 * is recorded before the user's next recorded denial, or by ces_journal_flush. */
int ces_journal_append_denial(const struct ces_journal *journal, uid_t uid, struct ces_json record,
			      struct ces_error *err);

/* Records the counts of all users: for the janitor. */
void ces_journal_flush(const struct ces_journal *journal);

/* Makes the record of such a count. */
struct ces_json ces_journal_denials(uid_t uid, uint64_t count);

/* The subject of a record; NULL where it is not known. run: its name in the register, where a pull
 * has one too. */
struct ces_journal_subject {
	uid_t uid;
	const char *user, *project, *run, *image, *digest;
};

/* Writes the source with {run} filled in, the one template that a decision leaves open. A caller's
 * own directory may have such a name. */
void ces_journal_fill(const struct ces_decision_mount *of, const char *run, char *ret, size_t size);

/* Writes a path exactly, in ASCII. Other bytes and the backslash look as the kernel writes them in
 * mountinfo. */
void ces_journal_path(struct ces_json *to, const char *key, const char *path);

/* Makes the record of strangers who connected to a published port of a run and whose connections
 * were closed: how many since the last record, and the uid of the last. */
struct ces_json ces_journal_stranger(uid_t uid, const char *run, uint64_t port, uint64_t stranger,
				     uint64_t count);

/* Makes the record of the end of a run or a pull. */
struct ces_json ces_journal_end(const char *verb, const struct ces_journal_subject *about,
				uint64_t status, const char *reason, uint64_t peak_memory,
				uint64_t cpu_us);

/* Makes the record of a proof (helper/audit/proof.h): found is an object whose members are copied;
 * deviation is the difference from the plan, or NULL. */
struct ces_json ces_journal_proof(const struct ces_journal_subject *about,
				  const struct ces_json *found, const char *deviation);

#endif
