/* The answers of ces-parse and ces-decode, and the job of ces-parse. ces-decode reads one request's
 * frame from the pipe that is its fd 3. ces-parse reads JSON files of root's for root's programs.
 * Its fd 3 is a sealed memfd with a job and the bytes of one file. Its fd 4 is a pipe for one
 * answer, and behind it the block of policy/flat.h. A process that reads a file never sees a byte
 * of a caller's. One that words an explanation gets a decision, and its answer is shown and no
 * more. */
#ifndef CES_POLICY_PARSED_H
#define CES_POLICY_PARSED_H

#include "policy/decide.h"

#define CES_PARSE_MAGIC  0x3653524150534543ull /* changes with the meaning of a field */
#define CES_PARSE_BYTES  (4u * 1024 * 1024)    /* the longest file */
#define CES_PARSE_FILES  (64u * 1024 * 1024)   /* all the evidence of a digest */
#define CES_DECODE_MS    10000                 /* for a request to come */
#define CES_DECODE_BLOCK (1u << 20)            /* a request's */
#define CES_PARSE_BLOCK  (64u * 1024 * 1024)   /* the longest block */

enum ces_parse_kind {
	CES_PARSE_POLICY = 1,
	CES_PARSE_CDI = 2,      /* no block: a specification of another kind than these */
	CES_PARSE_EXPLAIN = 3,  /* the block: lines of text, each with its newline */
	CES_PARSE_EVIDENCE = 4, /* the block: struct ces_evidence_facts */
	CES_PARSE_SIGNED = 5,   /* for ces-verify, see helper/verify/job.h */
};

struct ces_parse_job {
	uint64_t magic, kind;
	struct ces_decision_names kinds; /* of devices; CDI */
};

/* What CES_PARSE_EXPLAIN gets in place of a file. */
struct ces_parse_explain {
	uid_t uid;
	char user[256];
	struct ces_decision decision;
};

/* What CES_PARSE_EVIDENCE gets in place of a file: this, then each file of evidence about the
 * digest as a struct ces_parse_file and its bytes. */
struct ces_parse_evidence {
	char digest[CES_DIGEST_LENGTH + 1];
	char approved_by[CES_DIGEST_LENGTH + 1]; /* or "" */
};

struct ces_parse_file {
	char name[96];
	uint64_t length;
};

struct ces_parse_answer {
	uint64_t magic, length; /* of the block; 0: none */
	struct ces_error err;   /* CES_OK, or why the file is refused */
};

#endif
