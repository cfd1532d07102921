# CES: one Makefile, top to bottom. `make help` lists the targets.
#
# Programs are made from folders: every .c file of a folder belongs to that folder's program, so a new file
# needs no line here. What several programs share is in common/ (libces-common.a) and policy/ (libces-policy.a).

PREFIX ?= /usr
LIBEXECDIR ?= $(PREFIX)/libexec/ces
B ?= build

CC ?= gcc
WARN = -Wall -Wextra -Werror -Wconversion -Wshadow -Wformat=2 -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes
HARDEN = -fstack-protector-strong -fPIE -fzero-call-used-regs=used
OPT = -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
LINKHARD = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifdef SANITIZE
B := build/sanitize
OPT = -O1 -g -fno-omit-frame-pointer
HARDEN = -fstack-protector-strong -fPIE -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LINKHARD = -pie -fsanitize=$(SANITIZE)
endif
CFLAGS_ALL = -std=gnu17 -I. -D_GNU_SOURCE -DCES_LIBEXECDIR='"$(LIBEXECDIR)"' $(WARN) $(HARDEN) $(OPT) -MMD -MP $(CFLAGS)

COMMON = $(wildcard common/*.c)
POLICY = $(wildcard policy/*.c)
obj = $(patsubst %.c,$(B)/%.o,$(1))

PROGRAMS = $(B)/ces-client $(B)/ces-helper $(B)/ces-fetch $(B)/ces-unpack $(B)/ces-policy
UNIT = $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))

all: $(PROGRAMS) $(B)/seccomp.bpf.base64 $(B)/seccomp.json

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(B)/libces-common.a: $(call obj,$(COMMON))
	$(AR) rcs $@ $^
$(B)/libces-policy.a: $(call obj,$(POLICY))
	$(AR) rcs $@ $^

LIBS = $(B)/libces-policy.a $(B)/libces-common.a
$(B)/ces-client: $(call obj,$(wildcard client/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -ljson-c -lnettle
$(B)/ces-helper: $(call obj,$(wildcard helper/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lcap -ljson-c -lnettle
$(B)/ces-fetch: $(call obj,$(wildcard helper/fetch/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lcurl -ljson-c -lseccomp -lnettle
$(B)/ces-unpack: $(call obj,$(wildcard helper/unpack/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -larchive -lisal -lz -lzstd -ljson-c -lseccomp -lcap -lnettle -lpthread
$(B)/ces-policy: $(call obj,$(wildcard policy/tool/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -ljson-c -lnettle
$(B)/seccomp-generate: $(call obj,$(wildcard helper/seccomp/*.c)) $(LIBS)
	$(CC) $(LINKHARD) -o $@ $^ -lseccomp -ljson-c -lnettle
$(B)/seccomp.bpf.base64: $(B)/seccomp-generate
	$< bpf > $@.new && mv $@.new $@
$(B)/seccomp.json: $(B)/seccomp-generate
	$< json > $@.new && mv $@.new $@

# A unit test links the libraries, and the worker's objects it names in a line `/* links: DIR/file.c ... */`.
.SECONDEXPANSION:
links = $(shell sed -n 's|^/\* links: \(.*\) \*/$$|\1|p' $(1))
$(B)/tests/%: $(B)/tests/unit/%.o $(LIBS) $$(call obj,$$(call links,tests/unit/$$*.c))
	$(CC) $(LINKHARD) -o $@ $(filter %.o,$^) $(LIBS) -lcheck -lsubunit -lm -lrt -lpthread -larchive -lisal -lz -lzstd -lcurl -ljson-c -lcap -lseccomp -lnettle

unit: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.PHONY: all unit clean
