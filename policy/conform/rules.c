/* The rules, in one table: what must hold, why that matters in a Trusted Research Environment, and
 * what to write. It must not change what an id means: pipelines of others name them. */
#include "policy/conform/conform.h"

#include "common/cleanup.h"

#define NOTE    CES_CONFORM_NOTE
#define WARNING CES_CONFORM_WARNING
#define ERROR   CES_CONFORM_ERROR
#define RULE(index, id, name, severity, title, why, write)                                         \
	[CES_CONFORM_##index] = {id, name, severity, title, why, write}

const struct ces_conform_rule ces_conform_rules[CES_CONFORM_RULES] = {
    RULE(BASE_TAG, "CES-C001", "base-tag", ERROR, "The base image has a version",
	 "A base without a version is another image next month: nobody can build the approved one "
	 "again.",
	 "Give the base a tag and a digest: FROM docker.io/library/python:3.11.9-slim@sha256:..."),
    RULE(BASE_DIGEST, "CES-C002", "base-digest", NOTE, "The base image is pinned by its digest",
	 "A tag can be moved to other bytes by those who may write to its registry; a digest "
	 "cannot.",
	 "Add the digest that skopeo inspect --format '{{.Digest}}' docker://IMAGE prints."),
    RULE(BASE_REGISTRY, "CES-C003", "base-registry", NOTE, "The base image names its registry",
	 "A short name means another registry on another machine.",
	 "Write the whole name: docker.io/library/python:3.11.9-slim"),
    RULE(BASE_BARE, "CES-C004", "base-bare", WARNING,
	 "The base image is made for the language, and is no bare distribution",
	 "On a bare distribution each package is yours to choose, update and explain to a "
	 "reviewer.",
	 "Begin with an image of your language: python:3.11-slim, rocker/r-ver:4.4.1, julia:1.10"),
    RULE(BASE_UNKNOWN, "CES-C005", "base-unknown", WARNING,
	 "The base image can be read from the Dockerfile",
	 "A reviewer must see which image yours begins with.",
	 "Give the ARG before FROM a default: ARG BASE=docker.io/library/python:3.11.9-slim"),
    RULE(DIRECTORIES, "CES-C006", "directories", WARNING,
	 "/safe_data, /safe_outputs and /scratch are in the image",
	 "The service puts data, outputs and scratch there. The same image must run in each TRE.",
	 "RUN mkdir /safe_data /safe_outputs /scratch"),
    RULE(SECRET_FILE, "CES-C007", "secret-file", ERROR, "No file with a secret is in the image",
	 "Everyone who can pull the image can read each of its layers, also what a later one "
	 "removes.",
	 "Withdraw that secret, and use RUN --mount=type=secret,id=NAME while building."),
    RULE(SECRET_VALUE, "CES-C008", "secret-value", ERROR,
	 "No secret is in ENV, ARG or a command line",
	 "ENV, ARG and RUN are written into the image: everyone who can pull it reads them.",
	 "Withdraw that secret, use RUN --mount=type=secret,id=NAME while building, and -e for a "
	 "run."),
    RULE(GIT, "CES-C009", "git", WARNING, "No .git directory is in the image",
	 "It holds each version of each file, also the data and passwords that were removed.",
	 "Write .git into the file .dockerignore, and COPY only what runs."),
    RULE(CONTEXT, "CES-C010", "context", WARNING, "Only what was chosen is copied",
	 "COPY of a whole directory takes data, keys and notes along that are there by chance.",
	 "Name the files: COPY src/ /app/. Or write a .dockerignore with .git, data and keys."),
    RULE(NO_COMMAND, "CES-C011", "no-command", ERROR, "The image has an ENTRYPOINT or a CMD",
	 "The service starts the image as it is; without a command nothing can be started.",
	 "CMD [\"python\", \"/app/main.py\"]"),
    RULE(INHERITED_COMMAND, "CES-C012", "inherited-command", WARNING,
	 "The Dockerfile itself says what starts",
	 "What the base starts is often a shell, and changes with the base.",
	 "CMD [\"python\", \"/app/main.py\"]"),
    RULE(BARE_SHELL, "CES-C013", "bare-shell", WARNING,
	 "The image starts its program by itself, and not a prompt",
	 "A run may have no terminal: a prompt then ends at once, without a result.",
	 "CMD [\"python\", \"/app/main.py\"]"),
    RULE(NETWORK, "CES-C014", "network", ERROR, "Nothing is fetched when the container starts",
	 "A run has no network: what is fetched at its start fails.",
	 "Install and download in a RUN of the Dockerfile."),
    RULE(HUB_OFFLINE, "CES-C015", "hub-offline", WARNING,
	 "Where Hugging Face's libraries are installed, HF_HUB_OFFLINE is 1",
	 "Without it they ask the hub for each model, and wait for a network that a run does not "
	 "have.",
	 "Download the models in a RUN, and add ENV HF_HUB_OFFLINE=1"),
    RULE(ROOT, "CES-C016", "root", NOTE, "The last USER is not root",
	 "In CES root of a container is nobody on the host. Other services may refuse to start it.",
	 "RUN useradd --system --no-log-init app, then USER app"),
    RULE(LICENCE, "CES-C017", "licence", NOTE, "The licence of your software is in the image",
	 "Who approves an image must know whether the software may be used there.",
	 "COPY LICENSE /usr/share/licenses/NAME/LICENSE"),
    RULE(ADD_URL, "CES-C018", "add-url", WARNING, "ADD fetches no address",
	 "What an address serves can change: nobody can build the approved image again.",
	 "Fetch and compare: RUN wget URL && echo 'SHA256  FILE' | sha256sum -c"),
    RULE(ADD, "CES-C019", "add", NOTE, "COPY is used where nothing is to be unpacked",
	 "ADD unpacks archives and fetches addresses, which a reader does not expect of it.",
	 "Write COPY instead of ADD."),
    RULE(APT_LISTS, "CES-C020", "apt-lists", NOTE, "The lists of apt are removed where they come",
	 "They make the image larger, and are out of date when it is approved.",
	 "End that RUN with: && rm -rf /var/lib/apt/lists/*"),
    RULE(ORDER, "CES-C021", "order", NOTE, "Dependencies are installed before sources are copied",
	 "Each change of a source makes all that comes after it anew: layers that a TRE pulls "
	 "again.",
	 "COPY requirements.txt, RUN the installation, and only then COPY the sources."),
    RULE(DATA, "CES-C022", "data", WARNING, "No data are copied into the image",
	 "Data in an image leave with each pull. The service brings them to /safe_data.",
	 "Leave the file out, and read it from /safe_data."),
    RULE(BROKEN, "CES-C101", "broken", ERROR, "Each blob is there and is what its digest says",
	 "What does not have the digest that was approved is not the approved image.",
	 "Make the layout again: skopeo copy docker://IMAGE oci:DIRECTORY"),
    RULE(REFUSED, "CES-C102", "refused", ERROR, "CES can read the image",
	 "CES refuses what two readers could take for different things.",
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
	 "Each machine of the TRE has to pull and keep them.",
	 "Build in one stage, and COPY --from=STAGE what runs into a small one."),
    RULE(LABELS, "CES-C107", "labels", NOTE, "Labels say source, licence and version",
	 "A reviewer finds out from them what was built, from what, and under which licence.",
	 "LABEL org.opencontainers.image.source=\"https://...\" "
	 "org.opencontainers.image.licenses=\"...\" org.opencontainers.image.version=\"...\""),
    RULE(TMPDIR, "CES-C108", "tmpdir", WARNING, "TMPDIR and TMP are directories for everyone",
	 "Where a program cannot write its temporary files, it fails in the middle of a run.",
	 "Leave the variable out: CES sets it to /scratch."),
    RULE(SETUID, "CES-C109", "setuid", NOTE, "No program has a setuid or setgid bit",
	 "In CES the bit has no effect, and a program that counts on it fails.",
	 "RUN chmod a-s PATH"),
    RULE(WRITABLE, "CES-C110", "world-writable", NOTE, "Not everyone may write to a path",
	 "Any program of a run can change such a file under another one's feet.",
	 "RUN chmod o-w PATH, or chmod 1777 for a directory that is to be shared"),
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
