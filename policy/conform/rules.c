/* The rules, in one table: what must hold, why it matters in a Trusted Research Environment, and
 * what to write. It must not change the meaning of an id, which other people's pipelines use. */
#include "policy/conform/conform.h"

#include "common/cleanup.h"

#define NOTE    CES_CONFORM_NOTE
#define WARNING CES_CONFORM_WARNING
#define ERROR   CES_CONFORM_ERROR
#define RULE(index, id, name, severity, title, why, write)                                         \
	[CES_CONFORM_##index] = {id, name, severity, title, why, write}

const struct ces_conform_rule ces_conform_rules[CES_CONFORM_RULES] = {
    RULE(BASE_TAG, "CES-C001", "base-tag", ERROR, "The base image has a version",
	 "A base without a version is another image next month. Nobody can then build the approved "
	 "image again.",
	 "Give the base a tag and a digest: FROM docker.io/library/python:3.11.9-slim@sha256:..."),
    RULE(
	BASE_DIGEST, "CES-C002", "base-digest", NOTE, "The base image is pinned by its digest",
	"Anyone who may write to the registry can move a tag to other bytes. A digest cannot move.",
	"To find the digest, type: skopeo inspect --format '{{.Digest}}' docker://IMAGE"),
    RULE(BASE_REGISTRY, "CES-C003", "base-registry", NOTE, "The base image names its registry",
	 "On another machine a short name can mean another registry.",
	 "Write the whole name: docker.io/library/python:3.11.9-slim"),
    RULE(BASE_BARE, "CES-C004", "base-bare", WARNING,
	 "The base image is made for the language, and is not a bare distribution",
	 "On a bare distribution you must choose and update each package, and explain it to a "
	 "reviewer.",
	 "Begin with an image of your language: python:3.11-slim, rocker/r-ver:4.4.1, julia:1.10"),
    RULE(BASE_UNKNOWN, "CES-C005", "base-unknown", WARNING, "The Dockerfile names the base image",
	 "A reviewer must see on which image yours is built.",
	 "Give the ARG before FROM a default: ARG BASE=docker.io/library/python:3.11.9-slim"),
    RULE(DIRECTORIES, "CES-C006", "directories", WARNING,
	 "/safe_data, /safe_outputs and /scratch are in the image",
	 "The service puts data, outputs and scratch there. The same image must run in each TRE.",
	 "RUN mkdir /safe_data /safe_outputs /scratch"),
    RULE(SECRET_FILE, "CES-C007", "secret-file", ERROR, "No file with a secret is in the image",
	 "Everyone who can pull the image can read each layer, also files that a later layer "
	 "removes.",
	 "Withdraw that secret, and use RUN --mount=type=secret,id=NAME while building."),
    RULE(SECRET_VALUE, "CES-C008", "secret-value", ERROR,
	 "No secret is in ENV, ARG or a command line",
	 "ENV, ARG and RUN become part of the image: everyone who can pull it can read them.",
	 "Withdraw that secret, use RUN --mount=type=secret,id=NAME while building, and -e for a "
	 "run."),
    RULE(GIT, "CES-C009", "git", WARNING, "No .git directory is in the image",
	 "It has every version of every file, also data and passwords that were removed.",
	 "Write .git into the file .dockerignore, and COPY only what runs."),
    RULE(CONTEXT, "CES-C010", "context", WARNING, "Only chosen files are copied",
	 "COPY of a whole directory also copies data, keys and notes that are there by chance.",
	 "Name the files: COPY src/ /app/. Or write a .dockerignore with .git, data and keys."),
    RULE(NO_COMMAND, "CES-C011", "no-command", ERROR, "The image has an ENTRYPOINT or a CMD",
	 "The service starts the command of the image. Without one it can start nothing.",
	 "CMD [\"python\", \"/app/main.py\"]"),
    RULE(INHERITED_COMMAND, "CES-C012", "inherited-command", WARNING,
	 "The Dockerfile itself says which program starts",
	 "The command of the base is often a shell, and changes with the base.",
	 "CMD [\"python\", \"/app/main.py\"]"),
    RULE(BARE_SHELL, "CES-C013", "bare-shell", WARNING,
	 "The image starts a program, and not a prompt",
	 "A run may have no terminal. A prompt then ends at once, without a result.",
	 "CMD [\"python\", \"/app/main.py\"]"),
    RULE(NETWORK, "CES-C014", "network", ERROR, "Nothing is fetched when the container starts",
	 "A run has no network, so a download at its start fails.",
	 "Install and download in a RUN of the Dockerfile."),
    RULE(HUB_OFFLINE, "CES-C015", "hub-offline", WARNING,
	 "If Hugging Face's libraries are installed, HF_HUB_OFFLINE is 1",
	 "Without it they ask the hub for each model, and wait for a network that a run does not "
	 "have.",
	 "Download the models in a RUN, and add ENV HF_HUB_OFFLINE=1"),
    RULE(
	ROOT, "CES-C016", "root", NOTE, "The last USER is not root",
	"In CES, root of a container is nobody on the host. Other services may refuse to start it.",
	"RUN useradd --system --no-log-init app, then USER app"),
    RULE(LICENCE, "CES-C017", "licence", NOTE, "The licence of your software is in the image",
	 "The people who approve an image must know whether they may use the software.",
	 "COPY LICENSE /usr/share/licenses/NAME/LICENSE"),
    RULE(ADD_URL, "CES-C018", "add-url", WARNING, "ADD fetches nothing from a URL",
	 "The content of a URL can change. Nobody can then build the approved image again.",
	 "Fetch and compare: RUN wget URL && echo 'SHA256  FILE' | sha256sum -c"),
    RULE(ADD, "CES-C019", "add", NOTE, "COPY, and not ADD, copies files that need no unpacking",
	 "ADD unpacks archives and fetches URLs. A reader does not expect that.",
	 "Write COPY instead of ADD."),
    RULE(APT_LISTS, "CES-C020", "apt-lists", NOTE,
	 "The package lists of apt are removed in the step that fetches them",
	 "They make the image larger, and are out of date when the image is approved.",
	 "End that RUN with: && rm -rf /var/lib/apt/lists/*"),
    RULE(ORDER, "CES-C021", "order", NOTE, "Dependencies are installed before sources are copied",
	 "If a source changes, all later layers change too, and the TRE pulls them again.",
	 "First COPY requirements.txt, then RUN the installation, then COPY the sources."),
    RULE(DATA, "CES-C022", "data", WARNING, "No data are copied into the image",
	 "Everyone who pulls the image gets its data. The service mounts data at /safe_data.",
	 "Do not copy the file. Read it from /safe_data."),
    RULE(HOME, "CES-C023", "home", NOTE, "Packages are installed for every user",
	 "pip install --user puts them into a home, and a run as another user has another home.",
	 "Leave out --user: RUN pip install --no-cache-dir NAME==VERSION"),
    RULE(BROKEN, "CES-C101", "broken", ERROR, "Each blob is there and matches its digest",
	 "An image with another digest is not the approved image.",
	 "Make the layout again: skopeo copy docker://IMAGE oci:DIRECTORY"),
    RULE(REFUSED, "CES-C102", "refused", ERROR, "CES can read the image",
	 "CES refuses an image that two readers could read in two ways.",
	 "Build the image again with a current docker, podman or buildah."),
    RULE(PLATFORM, "CES-C103", "platform", ERROR, "The image is for the TRE's machines",
	 "A program for another processor does not start.",
	 "Build it with --platform linux/amd64, or name the other one with --platform."),
    RULE(LAYERS, "CES-C104", "layers", ERROR, "The image has 127 layers at most",
	 "CES and Docker refuse an image with more.", "Join RUN lines with &&."),
    RULE(DIFF_IDS, "CES-C105", "diff-ids", ERROR, "The configuration names each layer once",
	 "CES refuses an image whose configuration does not fit its layers.",
	 "Build the image again with a current docker, podman or buildah."),
    RULE(SIZE, "CES-C106", "size", NOTE, "The layers are 10 GiB at most",
	 "Each machine of the TRE must pull and keep them.",
	 "Build in one stage. Copy what runs into a small stage with COPY --from=STAGE."),
    RULE(LABELS, "CES-C107", "labels", NOTE, "Labels say source, licence and version",
	 "They say to a reviewer what was built, from which source, and under which licence.",
	 "LABEL org.opencontainers.image.source=\"https://...\" "
	 "org.opencontainers.image.licenses=\"...\" org.opencontainers.image.version=\"...\""),
    RULE(TMPDIR, "CES-C108", "tmpdir", WARNING, "TMPDIR and TMP are directories for everyone",
	 "A program that cannot write its temporary files fails in the middle of a run.",
	 "Leave the variable out: CES sets it to /scratch."),
    RULE(SETUID, "CES-C109", "setuid", NOTE, "No program has a setuid or setgid bit",
	 "In CES the bit has no effect. A program that needs it fails.", "RUN chmod a-s PATH"),
    RULE(WRITABLE, "CES-C110", "world-writable", NOTE, "No path is writable by everyone",
	 "Any program of a run can change such a file while another program uses it.",
	 "RUN chmod o-w PATH, or chmod 1777 for a shared directory"),
};

const char *ces_conform_severity_name(enum ces_conform_severity severity)
{
	static const char *const names[] = {
	    [CES_CONFORM_NOTE] = "note",
	    [CES_CONFORM_WARNING] = "warning",
	    [CES_CONFORM_ERROR] = "error",
	};

	return names[severity];
}
