# CES: one Makefile, top to bottom. `make help` lists the targets.
#
# Programs are made from folders: every .c file of a folder belongs to that folder's program, so a new file needs no
# line here. Code that several programs share is in common/ (libces-common.a) and policy/ (libces-policy.a).

# (make splits lists of files at spaces)
ifneq ($(words $(CURDIR)),1)
$(error the path of this checkout has a space, and make cannot build there: move it, $(CURDIR))
endif

# The places of an installation. /etc/ces, /var/lib/ces, /var/log/ces and /run/ces are compiled in: if a variable could
# change such a path, somebody else could choose it.
PREFIX ?= /usr
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/ces
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
DOCDIR ?= $(DATADIR)/doc/ces
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
B ?= build

ifeq ($(origin CC),default)
CC = gcc
endif
# A warning is an error, but not with CFLAGS of a site's or a distribution's own: these bring others.
WARN = $(if $(CFLAGS),,-Werror) -Wall -Wextra -Wconversion -Wshadow -Wformat=2 -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes
HARDEN = -fstack-protector-strong -fPIE -fzero-call-used-regs=used
# The same sources give the same bytes in whichever directory they are.
# (gcc before 12 and glibc before 2.35 have no level 3, and warn)
FORTIFY := $(shell echo '\#include <stdio.h>' | $(CC) -O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -E -o /dev/null - 2>/dev/null && echo 3 || echo 2)
OPT = -O2 -g '-ffile-prefix-map=$(subst ','\'',$(CURDIR))=.' -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY)
LINKHARD = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
ifdef SANITIZE
B := build/sanitize
OPT = -O1 -g -fno-omit-frame-pointer
HARDEN = -fstack-protector-strong -fPIE -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LINKHARD = -pie -fsanitize=$(SANITIZE)
endif
CFLAGS_ALL = -std=gnu17 -I. -isystem common/old -D_GNU_SOURCE -DCES_LIBEXECDIR='"$(LIBEXECDIR)"' $(WARN) $(HARDEN) $(OPT) -MMD -MP $(CFLAGS)

COMMON = $(wildcard common/*.c)
POLICY = $(wildcard policy/*.c)
obj = $(sort $(patsubst %.c,$(B)/%.o,$(1)))

PROGRAMS = $(B)/ces-client $(B)/ces-helper $(B)/ces-admit $(B)/ces-session $(B)/ces-decode $(B)/ces-parse $(B)/ces-verify $(B)/ces-store $(B)/ces-fetch $(B)/ces-layout $(B)/ces-resolve $(B)/ces-unpack $(B)/ces-relay $(B)/ces-list $(B)/ces-inside $(B)/ces-clean $(B)/ces-policy
UNIT = $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))

all: $(PROGRAMS) $(B)/seccomp.bpf.base64 $(B)/seccomp.json

# Programs have the paths of their installation in them: another LIBEXECDIR or BINDIR makes them anew.
$(B)/%.place: always
	@mkdir -p $(@D)
	@echo '$($*)' | cmp -s - $@ || echo '$($*)' > $@

# (depends on the Makefile, since the flags are here)
$(B)/%.o: %.c Makefile $(B)/LIBEXECDIR.place
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(B)/libces-common.a: $(call obj,$(COMMON))
	rm -f $@ && $(AR) rcsD $@ $^
$(B)/libces-policy.a: $(call obj,$(POLICY))
	rm -f $@ && $(AR) rcsD $@ $^

LIBS = $(B)/libces-policy.a $(B)/libces-common.a
# The rooms of root's three programs, of which the first alone is setuid: helper/README.md says who is in which.
ADMIT = $(addprefix helper/,admit core)
SESSION = $(addprefix helper/,core session launch watch audit pull)
# The reader of records of evidence: for a start in ces-parse, for a job of a cluster in ces-client.
EVIDENCE_READS = $(addprefix policy/evidence/,judge.c record.c gather.c part.c) helper/unpack/json_scan.c policy/tool/say.c
$(B)/ces-client: $(call obj,$(wildcard client/*.c) policy/evidence/store.c $(EVIDENCE_READS)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -ljson-c -lnettle
$(B)/ces-helper: $(call obj,$(wildcard helper/entry/*.c) helper/core/last_words.c) $(LIBS)
	$(CC) $(LINKHARD) -Wl,-Map=$@.map -o $@ $^
$(B)/ces-admit: $(call obj,$(wildcard $(ADMIT:%=%/*.c))) $(LIBS)
	$(CC) $(LINKHARD) -Wl,-Map=$@.map -o $@ $^ -lnettle
$(B)/ces-session: $(call obj,$(wildcard $(SESSION:%=%/*.c))) $(LIBS)
	$(CC) $(LINKHARD) -Wl,-Map=$@.map -o $@ $^ -lnettle
$(B)/ces-parse: $(call obj,$(wildcard helper/parse/*.c) $(EVIDENCE_READS)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -ljson-c -lnettle
# It starts for each request, so it loads nothing but libc.
$(B)/ces-decode: $(call obj,$(wildcard helper/decode/*.c) helper/parse/sandbox.c) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^
# It has the walls of ces-parse. It and ces-policy check signatures with the same parts, and no other program does.
VERIFY_READS = $(addprefix policy/receipt/,key.c dsse_open.c) $(addprefix helper/unpack/,json.c json_scan.c)
$(B)/ces-verify: $(call obj,$(wildcard helper/verify/*.c) helper/parse/sandbox.c $(VERIFY_READS)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lcrypto -ljson-c -lnettle
# It reads the store and its records as ces-session does, and is confined as a ces-unpack without directories is.
STORE_READS = $(addprefix helper/session/,store.c lock.c object.c report.c frames.c) helper/core/beneath.c helper/fetch/channel.c helper/unpack/sandbox.c
$(B)/ces-store: $(call obj,$(wildcard helper/store/*.c) $(STORE_READS)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lseccomp -lcap -lnettle
# With a libcurl before 7.77 it gives OpenSSL the registry's CAs itself. (Otherwise the linker leaves these two out.)
OLD_CURL = -lssl -lcrypto
$(B)/ces-fetch: $(call obj,$(wildcard helper/fetch/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lcurl -ljson-c -lseccomp -lnettle $(OLD_CURL)
# It is confined as ces-fetch is, and its packets come in the same way.
$(B)/ces-resolve: $(call obj,$(wildcard helper/resolve/*.c) $(addprefix helper/fetch/,channel.c sandbox.c readable.c address.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lseccomp -lnettle
# It answers as ces-fetch does, is confined as ces-resolve is, and reads JSON as ces-unpack does.
LAYOUT_READS = helper/resolve/sandbox.c $(addprefix helper/fetch/,channel.c sandbox.c readable.c tags.c reply.c) $(addprefix helper/unpack/,json.c json_scan.c)
$(B)/ces-layout: $(call obj,$(wildcard helper/layout/*.c) $(LAYOUT_READS)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -ljson-c -lseccomp -lnettle
$(B)/ces-unpack: $(call obj,$(wildcard helper/unpack/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -larchive -lisal -lz -lzstd -ljson-c -lseccomp -lcap -lnettle -lpthread
# Its resolver is confined as ces-fetch is, and classifies addresses in the same way.
$(B)/ces-relay: $(call obj,$(wildcard helper/relay/*.c) $(addprefix helper/fetch/,sandbox.c readable.c address.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lseccomp
$(B)/ces-list: $(call obj,$(wildcard helper/list/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -ljson-c -lseccomp -lnettle
# It starts for each run, so it loads nothing but libc.
$(B)/ces-inside: $(call obj,$(wildcard helper/inside/*.c) helper/launch/profile.c helper/session/json.c) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^
$(B)/ces-clean: $(call obj,$(wildcard helper/clean/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lseccomp
# Its conform reads images as ces-unpack does, with the same parts; nothing of these rooms but what ces-verify
# takes is in another program. What a registry sends comes from ces-fetch, which it starts: so it
# has no code that knows TLS or HTTP.
POLICY_ROOMS = $(addprefix policy/,tool conform evidence approve whatif receipt)
UNPACK_READS = $(addprefix helper/unpack/,json.c json_scan.c manifest.c config.c path.c whiteout.c archive.c headers.c stream.c decode.c)
$(B)/ces-policy: $(call obj,$(wildcard $(POLICY_ROOMS:%=%/*.c)) $(UNPACK_READS) helper/fetch/channel.c) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -larchive -lisal -lcap -lcrypto -ljson-c -lnettle -lz -lzstd -lpthread
$(B)/seccomp-generate: $(call obj,$(wildcard helper/seccomp/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lseccomp -ljson-c -lnettle
$(B)/seccomp.bpf.base64: $(B)/seccomp-generate
	$< bpf > $@.new && mv $@.new $@
$(B)/seccomp.json: $(B)/seccomp-generate
	$< json > $@.new && mv $@.new $@

# A unit test links the libraries, and the worker's objects that it names in a line `/* links: DIR/file.c ... */`.
.SECONDEXPANSION:
links = $(shell sed -n 's|^/\* links: \(.*\) \*/$$|\1|p' $(1))
$(B)/tests/%: $(B)/tests/unit/%.o $(LIBS) $$(call obj,$$(call links,tests/unit/$$*.c))
	$(CC) $(LINKHARD) -o $@ $(filter %.o,$^) $(LIBS) -lcheck -lsubunit -lm -lrt -lpthread -larchive -lisal -lz -lzstd -lcurl -ljson-c -lcap -lseccomp -lcrypto -lnettle

# A fuzzer on the inputs that it keeps, without libFuzzer, so that every test run builds it.
REPLAYS = $(patsubst tests/fuzz/%_fuzz.c,$(B)/tests/%_replay,$(wildcard tests/fuzz/*_fuzz.c))
$(B)/tests/%_replay: $(B)/tests/fuzz/%_fuzz.o $(B)/tests/fuzz/replay.o $(LIBS) $$(call obj,$$(call links,tests/fuzz/$$*_fuzz.c))
	$(CC) $(LINKHARD) -o $@ $(filter %.o,$^) $(LIBS) -larchive -lisal -lz -lzstd -lcurl -ljson-c -lcap -lseccomp -lcrypto -lnettle -lpthread

# Drivers: programs that play one side of a pipe in the end-to-end tests. Each brings its rule.
DRIVERS = $(patsubst tests/lib/drivers/%.c,$(B)/tests/%,$(wildcard tests/lib/drivers/*_driver.c))

unit: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done

# Installs what a site gets. ces-helper is setuid root; without root only its mode bits are set (a package sets the
# owner). Nobody can read the workers: from execve on, the kernel lets nobody trace a program that its user cannot read,
# while the program itself could only ask for that a moment later. A policy that is there stays; the one that comes
# along denies everything. A log rotation that the site has changed stays too. A directory of others that is there, such as
# /usr/local/bin, keeps its owner and mode, as /etc/ces does.
INSTALL ?= install
ROOT_OWNED = $(if $(filter 0,$(shell id -u)),-o root -g root)
PUT = $(INSTALL) $(ROOT_OWNED) -D -m 644
COMPLETIONS = $(DESTDIR)$(DATADIR)/bash-completion/completions $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
TODAY = ces-pull ces-run ces-pm-pull ces-pm-run ces-dk-run ces-app-pull ces-gpu-run
install: all
	for d in $(DESTDIR)$(BINDIR) $(DESTDIR)/etc/ces $(COMPLETIONS); do [ -d $$d ] || $(INSTALL) $(ROOT_OWNED) -d $$d || exit 1; done
	$(INSTALL) $(ROOT_OWNED) -d $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) $(ROOT_OWNED) -m 755 $(B)/ces-client $(B)/ces-policy $(DESTDIR)$(BINDIR)
	for n in $(TODAY); do ln -sf ces-client $(DESTDIR)$(BINDIR)/$$n || exit 1; done
	$(INSTALL) $(ROOT_OWNED) -d $(DESTDIR)$(LIBEXECDIR)/compat
	for n in podman apptainer singularity; do \
		ln -srf $(DESTDIR)$(BINDIR)/ces-client $(DESTDIR)$(LIBEXECDIR)/compat/$$n || exit 1; done
	$(INSTALL) $(ROOT_OWNED) -m 711 $(B)/ces-decode $(B)/ces-parse $(B)/ces-verify $(B)/ces-store $(B)/ces-fetch $(B)/ces-layout $(B)/ces-resolve $(B)/ces-unpack $(B)/ces-relay $(B)/ces-list $(B)/ces-inside $(B)/ces-clean $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) $(ROOT_OWNED) -m 644 $(B)/seccomp.bpf.base64 $(B)/seccomp.json $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) $(ROOT_OWNED) -m 4755 $(B)/ces-helper $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) $(ROOT_OWNED) -m 700 $(B)/ces-admit $(B)/ces-session $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) $(ROOT_OWNED) -m 755 packaging/upgrade-store $(DESTDIR)$(LIBEXECDIR)
	[ -e $(DESTDIR)/etc/ces/policy.json ] || $(PUT) policy/default.json $(DESTDIR)/etc/ces/policy.json
	f=$(DESTDIR)/etc/logrotate.d/ces; [ -e $$f ] || $(PUT) systemd/logrotate $$f || exit 1; \
		cmp -s systemd/logrotate $$f || echo "kept: $$f, which differs from systemd/logrotate"
	$(PUT) systemd/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/ces.conf
	$(PUT) systemd/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/ces.conf
	for u in $(notdir $(wildcard systemd/*.service systemd/*.timer)); do \
		$(PUT) systemd/$$u $(DESTDIR)$(UNITDIR)/$$u && \
		sed -i 's|/usr/bin/ces-|$(BINDIR)/ces-|' $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	$(PUT) -t $(DESTDIR)$(DOCDIR) README.md SECURITY.md policy/schema.json policy/receipt.schema.json
	$(PUT) -t $(DESTDIR)$(DOCDIR)/examples policy/examples/*.json doc/examples/*
	[ ! -e $(B)/doc/index.html ] || $(PUT) -t $(DESTDIR)$(DOCDIR)/html $(B)/doc/*.html
	[ ! -e $(B)/doc/index.html ] || $(PUT) -t $(DESTDIR)$(DOCDIR)/html/pictures $(B)/doc/pictures/*
	for p in $(wildcard man/*.[1-9]); do \
		$(PUT) $$p $(DESTDIR)$(MANDIR)/man$${p##*.}/$${p##*/} || exit 1; done
	for n in pm-pull app-pull; do ln -sf ces-pull.1 $(DESTDIR)$(MANDIR)/man1/ces-$$n.1; done
	for n in pm-run dk-run gpu-run; do ln -sf ces-run.1 $(DESTDIR)$(MANDIR)/man1/ces-$$n.1; done
	$(PUT) client/completions/ces-client.bash $(word 1,$(COMPLETIONS))/ces-client
	$(PUT) policy/completions/ces-policy.bash $(word 1,$(COMPLETIONS))/ces-policy
	$(PUT) client/completions/ces-client.fish $(word 2,$(COMPLETIONS))/ces-client.fish
	$(PUT) client/completions/_ces-client $(DESTDIR)$(DATADIR)/zsh/site-functions/_ces-client
	for n in $(TODAY); do ln -sf ces-client $(word 1,$(COMPLETIONS))/$$n && \
		ln -sf ces-client.fish $(word 2,$(COMPLETIONS))/$$n.fish || exit 1; done
	[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || $(LIBEXECDIR)/upgrade-store || :

# The apps for the portal, which is another machine and needs nothing else of CES. Each app has a copy of the shared
# files: Open OnDemand takes an app's directory as it is, and sends its template/ to the back-end.
OODDIR ?= /var/www/ood/apps/sys
OODAPPS = batch_container_app jupyter_app rstudio_app
install-ondemand:
	for a in $(OODAPPS); do \
		$(PUT) -t $(DESTDIR)$(OODDIR)/$$a ondemand/$$a/* ondemand/*.erb && \
		$(PUT) -t $(DESTDIR)$(OODDIR)/$$a/template ondemand/template/* && \
		chmod 755 $(DESTDIR)$(OODDIR)/$$a/template/script.sh.erb || exit 1; done
	[ -e $(DESTDIR)/etc/ces/ondemand.yml ] || $(PUT) ondemand/ondemand.yml $(DESTDIR)/etc/ces/ondemand.yml
	$(PUT) ondemand/README.md $(DESTDIR)$(DATADIR)/doc/ces-ondemand/README.md

# The plugin that gives srun and sbatch the option --ces-image. It is built against the Slurm that it is for. Slurm's
# plugstack.conf includes the line for it, which is a link: a package that is removed takes a link along, while it would
# keep a file, and Slurm refuses every job where a plugin of its list is gone.
SPANKDIR ?= $(LIBEXECDIR)
spank:
	@tests/lib/deps.sh --build --spank
	@$(MAKE) --no-print-directory $(B)/ces_spank.so
$(B)/ces_spank.so: slurm/ces_spank.c Makefile $(B)/BINDIR.place
	@mkdir -p $(@D)
	$(CC) $(filter-out -fPIE -MMD -MP,$(CFLAGS_ALL)) -DCES_CLIENT='"$(BINDIR)/ces-client"' -fPIC -shared \
		-Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS) -o $@ $<
install-slurm: $(B)/ces_spank.so
	$(PUT) -t $(DESTDIR)$(SPANKDIR) $<
	$(PUT) slurm/plugstack.conf $(DESTDIR)$(DATADIR)/ces-slurm/plugstack.conf
	sed -i 's|@SPANKDIR@|$(SPANKDIR)|' $(DESTDIR)$(DATADIR)/ces-slurm/plugstack.conf
	[ -d $(DESTDIR)/etc/slurm/plugstack.conf.d ] || $(INSTALL) $(ROOT_OWNED) -d $(DESTDIR)/etc/slurm/plugstack.conf.d
	ln -sf $(DATADIR)/ces-slurm/plugstack.conf $(DESTDIR)/etc/slurm/plugstack.conf.d/ces.conf

# (the link first: with it and without the plugin no job starts)
uninstall-slurm:
	rm -f $(DESTDIR)/etc/slurm/plugstack.conf.d/ces.conf
	rm -f $(DESTDIR)$(SPANKDIR)/ces_spank.so $(DESTDIR)$(DATADIR)/ces-slurm/plugstack.conf
	[ ! -d $(DESTDIR)$(DATADIR)/ces-slurm ] || rmdir $(DESTDIR)$(DATADIR)/ces-slurm

# Removes what an installation puts, so that there is no second list. Policy, store and journal are the site's and stay, as
# does a log rotation that the site has changed. Runs go on: ces.service is not stopped.
DISABLE = systemctl --no-reload disable
uninstall: all
	rm -rf $(B)/installed
	[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || \
		{ $(DISABLE) ces.service; $(DISABLE) --now ces-janitor.timer ces-anchor.timer; } || :
	@$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(B)/installed)
	cmp -s systemd/logrotate $(DESTDIR)/etc/logrotate.d/ces || rm $(B)/installed/etc/logrotate.d/ces
	cd $(B)/installed && find . -not -type d -not -path './etc/ces/*' -printf '%P\0' | (cd $(or $(abspath $(DESTDIR)),/) && xargs -0 rm -f)
	rm -rf $(DESTDIR)$(DOCDIR)/html
	-rmdir $(DESTDIR)$(LIBEXECDIR)/compat $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR)
	rm -rf $(B)/installed
	[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload || :
	@echo 'kept: /etc/ces (the policy), /var/lib/ces (images), /var/log/ces (the journal)'

# The guides as pages that need no network, in build/doc; doc/site.py makes them. The packages have them too.
doc:
	@tests/lib/deps.sh --doc
	@mkdir -p $(B)/doc
	@doc/site.py $(B)/doc

VERSION = $(shell sed -n 's/^.define CES_VERSION "\(.*\)"/\1/p' client/version.h)
# The packages, in build/rpm, of the checkout as it is; tests/lib/rpm.sh makes them.
rpm:
	@tests/lib/deps.sh --build --package --doc --selinux
	@VERSION=$(VERSION) tests/lib/rpm.sh
# Debian's package, in build/deb; packaging/deb.sh makes it.
deb:
	@tests/lib/deps.sh --build --deb --doc
	@VERSION=$(VERSION) packaging/deb.sh

# The policy module, by the headers of the distribution's policy (Debian's selinux-policy-dev, Fedora's
# selinux-policy-devel). A site loads it: semodule -i ces.pp, then restorecon -RF on the paths in selinux/ces.fc.
SELINUX_DEVEL = /usr/share/selinux/devel/Makefile
selinux: $(B)/selinux/ces.pp
$(B)/selinux/ces.pp: $(wildcard selinux/ces.*) $(B)/LIBEXECDIR.place
	@mkdir -p $(@D)
	cp selinux/ces.te selinux/ces.if $(@D)
	sed 's|^/usr/libexec/ces/|$(LIBEXECDIR)/|' selinux/ces.fc > $(@D)/ces.fc
	@$(MAKE) --no-print-directory -C $(@D) -f $(SELINUX_DEVEL) ces.pp

# The targets below need root and install missing packages. Otherwise the machine stays as it was
# (tests/lib/lab/lab.sh).
SUBMAKE = @umask 022; $(MAKE) --no-print-directory $(if $(findstring j,$(filter-out --%,$(MAKEFLAGS))),,-j$(shell nproc))
deps:
	@tests/lib/deps.sh
demo:
	@tests/lib/deps.sh
	$(SUBMAKE) -s all
	@tests/lib/images/images.sh
	@B=$(B) tests/lib/lab/lab.sh tests/lib/demo.sh
check:
	@tests/lib/deps.sh --build --test --display --doc --pages --formats --deb --selinux --spank $(CES_EVERY:1=--bare)
	$(SUBMAKE) all $(UNIT) $(REPLAYS) $(DRIVERS)
	@B=$(B) tests/lib/check.sh $(UNIT)
# Runs everything there is, which takes hours: each suite with the second runtime too, even if the runtime cannot
# matter, and every machine.
check-all:
	@CES_EVERY=1 .ci/run check:7200 check-mutations:3600 check-workloads:3600 soak:4500 device-check:900 fuzz:5400 vm-check:5400 vm-selinux:14400 vm-slurm:3600 vm-storage:3600
# Checks that each test of an escape fails when its defence is gone.
check-mutations:
	@tests/lib/deps.sh --build --test
	$(SUBMAKE) all $(DRIVERS)
	@tests/lib/images/images.sh
	@tests/cve/mutate.sh "$(MUTATIONS)"
# Hours of everything at once, from a seed that is printed; a round that failed can be tried again: SEED=S ROUND=R. (SECONDS as
# the environment has it is not meant.)
SOAK_SECONDS = $(if $(filter command line,$(origin SECONDS)),$(SECONDS),3600)
soak:
	@tests/lib/deps.sh --build --test
	$(SUBMAKE) -s all
	@tests/lib/images/images.sh
	@mkdir -p build/soak
	@CES_TEST_RUNTIME=$(or $(RUNTIME),$$(command -v crun)) timeout --kill-after=10 $$(($(SOAK_SECONDS) + 600)) \
		tests/lib/lab/lab.sh tests/soak/soak.sh --seconds $(SOAK_SECONDS) $(SEED:%=--seed %) $(ROUND:%=--round %) \
		--log $(CURDIR)/build/soak/soak.log < /dev/null
# What tests/device/gpu.sh needs on a machine with a GPU and nothing else. The check of it: with the GPU that is here, or with
# fakes on a copy of this machine that lacks what the archive brings.
DEVICE = build/device/ces-device.tar.gz
device-archive:
	@tests/lib/deps.sh --build --test
	$(SUBMAKE) -s all $(B)/tests/cuda_driver
	@tests/lib/images/images.sh
	@B=$(B) tests/device/gpu.sh archive $(DEVICE)
device-check: device-archive
	@if [ -e /dev/nvidiactl ]; then tests/device/gpu.sh check $(DEVICE); else tests/device/bare.sh $(DEVICE); fi
vm-check:
	@tests/lib/deps.sh --build --test --package --doc --vm
	$(SUBMAKE) all $(DRIVERS)
	@VERSION=$(VERSION) tests/vm/check.sh
vm-slurm: spank
vm-slurm vm-storage:
	@CES_TESTS=tests/vm/$(@:vm-%=%).sh $(MAKE) --no-print-directory vm-check
check-workloads:
	@tests/lib/deps.sh --build --test --workloads
	$(SUBMAKE) all
	@tests/workloads/images.sh
	@B=$(B) BATS_TEST_TIMEOUT=180 CES_STORE=8G CES_PLAIN_TESTS= CES_TESTS="$${CES_TESTS:-$(wildcard tests/workloads/*.bats)}" tests/lib/check.sh
vm-selinux:
	@tests/lib/deps.sh --build --test --package --doc --selinux --vm
	$(SUBMAKE) all selinux $(DRIVERS)
	@VERSION=$(VERSION) B=$(B) tests/vm/selinux/check.sh
bench:
	@tests/lib/deps.sh --build --test --bench $(if $(filter nodes formats,$(BENCH)),--workloads)
	$(SUBMAKE) all $(B)/timeit $(B)/stream $(B)/layers $(B)/tests/cuda_driver
	@B=$(B) tests/bench/bench.sh
$(B)/timeit: $(call obj,tests/bench/timeit.c)
	$(CC) $(LINKHARD) -o $@ $^
$(B)/layers: $(call obj,tests/bench/layers.c)
	$(CC) $(LINKHARD) -o $@ $^
# It also runs in a container that has no libraries.
$(B)/stream: $(call obj,tests/bench/stream.c)
	$(CC) -static-pie -o $@ $^

# The limits are what there is. A commit that raises one says why. Where they are to arrive: 3000, 7500 and 600.
size: $(B)/ces-helper $(B)/ces-admit $(B)/ces-session
	@tests/lib/size.sh $(V:1=-v) 526 14339 428 $(B) ces-helper ces-admit ces-session
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
lint:
	@tests/lib/deps.sh --build --test --selinux --spank --lint
	@tests/lib/lint.sh $(CFLAGS_ALL)
FUZZ_SECONDS ?= 60
fuzz:
	@tests/lib/deps.sh --build --test --lint
	@tests/lib/fuzz.sh run $(FUZZ_SECONDS) $(FUZZERS)
# What was found goes into tests/fuzz/corpus, one input for each thing that is reached; and how much of each parser that is.
fuzz-keep fuzz-coverage:
	@tests/lib/deps.sh --build --test --lint
	@tests/lib/fuzz.sh $(@:fuzz-%=%) $(FUZZERS)

help:
	@echo 'make                         build everything under build/'
	@echo 'make unit                    run the unit tests alone, without root'
	@echo 'make lint                    check the sources without running them'
	@echo 'make size                    count the code that runs as root, and check its limits'
	@echo 'make fuzz                    build the fuzzers and run each for a while'
	@echo 'make fuzz-keep               keep what the fuzzers found, minimised, in tests/fuzz/corpus'
	@echo 'make fuzz-coverage           print how many lines of each parser the kept inputs reach'
	@echo 'make format                  format the C sources'
	@echo 'make deps                    install the packages that building and testing need'
	@echo 'make doc                     make the guides into pages, in build/doc'
	@echo 'make rpm                     make the packages for dnf, in build/rpm'
	@echo 'make deb                     make the package for apt, in build/deb'
	@echo 'make spank                   build the plugin for Slurm, which gives srun --ces-image'
	@echo 'sudo make install-slurm      install this plugin; uninstall-slurm removes it'
	@echo 'make selinux                 make the SELinux policy module, build/selinux/ces.pp'
	@echo 'make clean                   remove build/'
	@echo 'sudo make demo               show CES at work: a registry, a pull, a run, three denials, the journal'
	@echo 'sudo make check              run unit and end-to-end tests, with crun and runc (SANITIZE=address,undefined)'
	@echo 'sudo make check-workloads    run databases, notebooks and batch jobs in images of Debian packages'
	@echo 'sudo make check-mutations    take out one defence after the other, and see its test fail (MUTATIONS=REGEX)'
	@echo 'sudo make soak               run users, attackers and root at random and at once (SECONDS=3600 SEED=S ROUND=R)'
	@echo 'sudo make device-check       run containers with the GPU of this machine, or with fake ones'
	@echo 'sudo make device-archive     pack what device-check needs, for a machine with nothing else'
	@echo 'sudo make vm-check           run the end-to-end tests in virtual machines: cgroup v2, systemd, Linux 6.1'
	@echo 'sudo make vm-slurm           test CES in the jobs of a real Slurm, in a virtual machine'
	@echo 'sudo make vm-storage         test CES with homes and data on NFS, and AppArmor on, in a virtual machine'
	@echo 'sudo make vm-selinux         test CES where SELinux is enforcing, in a virtual machine'
	@echo 'sudo make check-all          run all of these tests, and every suite with both runtimes; this takes hours'
	@echo 'sudo make bench              compare start, pull and memory with crun, bwrap, podman, igzip | tar'
	@echo 'sudo make install            install CES: PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) (BINDIR LIBEXECDIR MANDIR DOCDIR UNITDIR ...)'
	@echo 'sudo make uninstall          remove what make install put; policy, store and journal stay'
	@echo 'sudo make install-ondemand   install the apps for an Open OnDemand portal, in $(OODDIR)'

clean:
	rm -rf build

-include tests/lib/drivers/*.mk
-include $(shell find $(B) -name 'vm*' -prune -o -type f -name '*.d' -print 2>/dev/null)
.PHONY: all always unit install install-ondemand spank install-slurm uninstall-slurm uninstall doc rpm deb deps demo check check-all check-mutations check-workloads soak device-archive device-check fuzz-keep fuzz-coverage selinux vm-check vm-slurm vm-storage vm-selinux bench size format lint fuzz help clean
