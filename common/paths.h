/* Every path of the host that CES has built in. No option or variable changes one. */
#ifndef CES_COMMON_PATHS_H
#define CES_COMMON_PATHS_H

#ifndef CES_LIBEXECDIR
#define CES_LIBEXECDIR "/usr/libexec/ces"
#endif

#define CES_POLICY_DIR        "/etc/ces"
#define CES_POLICY_PATH       CES_POLICY_DIR "/policy.json"
#define CES_STORE_DIR         "/var/lib/ces"
#define CES_RUN_DIR           "/run/ces"
#define CES_JOURNAL_DIR       "/var/log/ces"
#define CES_JOURNAL_PATH      CES_JOURNAL_DIR "/audit.jsonl"
#define CES_HELPER_PATH       CES_LIBEXECDIR "/ces-helper"
#define CES_ADMIT_PATH        CES_LIBEXECDIR "/ces-admit"
#define CES_SESSION_PATH      CES_LIBEXECDIR "/ces-session"
#define CES_DECODE_PATH       CES_LIBEXECDIR "/ces-decode"
#define CES_PARSE_PATH        CES_LIBEXECDIR "/ces-parse"
#define CES_VERIFY_PATH       CES_LIBEXECDIR "/ces-verify"
#define CES_FETCH_PATH        CES_LIBEXECDIR "/ces-fetch"
#define CES_LAYOUT_PATH       CES_LIBEXECDIR "/ces-layout"
#define CES_RESOLVE_PATH      CES_LIBEXECDIR "/ces-resolve"
#define CES_UNPACK_PATH       CES_LIBEXECDIR "/ces-unpack"
#define CES_RELAY_PATH        CES_LIBEXECDIR "/ces-relay"
#define CES_SETPRIV_PATH      "/usr/bin/setpriv" /* util-linux; for SELinux */
#define CES_SECCOMP_BPF_PATH  CES_LIBEXECDIR "/seccomp.bpf.base64"
#define CES_SECCOMP_JSON_PATH CES_LIBEXECDIR "/seccomp.json"

#define CES_PARSE_USER   "ces-parse"
#define CES_FETCH_USER   "ces-fetch"
#define CES_RESOLVE_USER "ces-resolve"
#define CES_UNPACK_USER  "ces-unpack"
#define CES_RELAY_USER   "ces-relay"

/* Exit statuses of ces-client (design section 10). */
#define CES_EXIT_REFUSED  125
#define CES_EXIT_NOEXEC   126
#define CES_EXIT_NOTFOUND 127

#endif
