#!/usr/bin/env bats
# What make builds, installs and removes, without root.

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	b=$BATS_TEST_TMPDIR/b root=$BATS_TEST_TMPDIR/root
}

# The build that is there, in a place of this test's own.
copy_build()
{
	local from=${B:-build}
	mkdir -p "$b"
	cp -a "$from"/{client,common,helper,policy} "$from"/*.a "$from"/ces-* "$from"/seccomp* "$b"
	[ ! -e "$from/LIBEXECDIR.place" ] || cp -a "$from"/*.place "$b"
}

# (the make that runs the tests must not speak in this one)
make_() { env -u MAKEFLAGS -u MAKELEVEL make -s B="$b" "$@"; }

@test "a program that was built for one place is built again for another, and not for the same" {
	make_ "$b/helper/entry/main.o"
	grep -q /usr/libexec/ces/ces-admit "$b/helper/entry/main.o"
	[ -z "$(env -u MAKEFLAGS -u MAKELEVEL make B="$b" "$b/helper/entry/main.o" | grep -v 'up to date')" ]
	make_ PREFIX=/usr/local "$b/helper/entry/main.o"
	grep -q /usr/local/libexec/ces/ces-admit "$b/helper/entry/main.o"
	[ ! -e /usr/include/slurm/spank.h ] && return
	make_ "$b/ces_spank.so"
	make_ BINDIR=/opt/bin "$b/ces_spank.so"
	grep -qa /opt/bin/ces-client "$b/ces_spank.so"
}

# A compiler, and headers, that know no more than those of RHEL 9: gcc 11, glibc 2.34, libcurl 7.76.
make_old_compiler()
{
	local old=$BATS_TEST_TMPDIR/old curl
	mkdir -p "$old/sys"
	cat > "$old/sys/mount.h" <<-'EOF'
		#ifndef OLD_SYS_MOUNT_H
		#define OLD_SYS_MOUNT_H
		#include <fcntl.h>
		#include <sys/ioctl.h>
		#undef __GLIBC_MINOR__
		#define __GLIBC_MINOR__ 34
		enum { MS_RDONLY = 1, MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_REMOUNT = 32, MS_BIND = 4096,
		#define MS_RDONLY MS_RDONLY
		       MS_REC = 16384, MS_PRIVATE = 1 << 18 };
		enum { MNT_DETACH = 2 };
		int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
		int umount(const char *target);
		int umount2(const char *target, int flags);
		#endif
	EOF
	curl=$(echo '#include <curl/curl.h>' | gcc -E - | sed -n 's|^# [0-9]* "\(.*\)/curl.h".*|\1|p' | head -n 1)
	cp -r "$curl" "$old/curl"
	sed -i -E 's/^(#define LIBCURL_VERSION_NUM) .*/\1 0x074c01/' "$old/curl/curlver.h"
	sed -i -E '/CURLOPT\(CURLOPT_(CAINFO_BLOB|(REDIR_)?PROTOCOLS_STR),/d' "$old/curl/curl.h"
	cat > "$old/gcc" <<-EOF
		#!/bin/bash
		if [[ \$* == *-D_FORTIFY_SOURCE=3* ]]; then
			echo 'warning: _FORTIFY_SOURCE > 2 is treated like 2 on this platform' >&2
			[[ \$* != *-Werror* ]] || exit 1
		fi
		exec gcc "\$@" -DCURL_DISABLE_TYPECHECK -DCURL_DISABLE_DEPRECATION -isystem "$old"
	EOF
	chmod +x "$old/gcc"
}

@test "CES builds with the compiler and the libraries of RHEL 9" {
	make_old_compiler
	make_ CC="$BATS_TEST_TMPDIR/old/gcc" "$b"/common/mount_calls.o "$b"/helper/{session/mounts,launch/rootfs,unpack/sandbox,fetch/request}.o
	[ "$(nm "$b/common/mount_calls.o" | grep -c ' T ')" -eq 6 ]
	nm "$b/helper/fetch/request.o" | grep -q ' U SSL_CTX_set_cert_store'
	# (and has nothing of it here)
	make_ "$b/here/common/mount_calls.o" B="$b/here"
	[ "$(nm "$b/here/common/mount_calls.o" | grep -c ' T ')" -eq 0 ]
}

@test "make install leaves the directories of others as they are" {
	copy_build
	mkdir -p "$root/usr/bin" "$root/usr/share/bash-completion/completions"
	chmod 2775 "$root/usr/bin" "$root/usr/share/bash-completion/completions"
	make_ install DESTDIR="$root"
	[ "$(stat -c %a "$root/usr/bin" "$root/usr/share/bash-completion/completions" | sort -u)" = 2775 ]
	[ "$(stat -c %a "$root/usr/libexec/ces" "$root/etc/ces" | sort -u)" = 755 ]
}

@test "make install over itself keeps the site's policy, log rotation and modes" {
	copy_build
	make_ install DESTDIR="$root"
	chmod 750 "$root/etc/ces"
	echo '{}' > "$root/etc/ces/policy.json"
	run make_ install DESTDIR="$root"
	[ "$output" = '' ]
	echo '# monthly' > "$root/etc/logrotate.d/ces"
	run make_ install DESTDIR="$root"
	[ "$status" -eq 0 ]
	echo "$output"
	[ "$output" = "kept: $root/etc/logrotate.d/ces, which differs from systemd/logrotate" ]
	[ "$(cat "$root/etc/logrotate.d/ces" "$root/etc/ces/policy.json")" = $'# monthly\n{}' ]
	[ "$(stat -c %a "$root/etc/ces")" = 750 ]
}

@test "make uninstall-slurm removes what make install-slurm put, the link first" {
	copy_build
	make_ "$b/BINDIR.place"
	touch "$b/ces_spank.so"
	make_ install DESTDIR="$root"
	find "$root" | sort > "$BATS_TEST_TMPDIR/before"
	make_ install-slurm DESTDIR="$root"
	[ -L "$root/etc/slurm/plugstack.conf.d/ces.conf" ]
	[ "$(make_ -n uninstall-slurm DESTDIR="$root" | head -n 1)" = "rm -f $root/etc/slurm/plugstack.conf.d/ces.conf" ]
	make_ uninstall-slurm DESTDIR="$root"
	# (the directories above are Slurm's own)
	rmdir "$root/etc/slurm/plugstack.conf.d" "$root/etc/slurm"
	diff "$BATS_TEST_TMPDIR/before" <(find "$root" | sort)
}

@test "a checkout below a directory with a space is refused in one line" {
	mkdir -p "$BATS_TEST_TMPDIR/a b"
	cp Makefile "$BATS_TEST_TMPDIR/a b"
	run env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BATS_TEST_TMPDIR/a b"
	echo "$output"
	[ "$status" -ne 0 ]
	[ "$(wc -l <<< "$output")" -eq 1 ]
	[[ $output == *"has a space"* ]]
}

@test "a checkout below a directory whose name means something to a shell builds the same object" {
	local top="$BATS_TEST_TMPDIR/a'b(c)&d;e\$f\"g"
	mkdir -p "$top"
	cp -r Makefile common "$top"
	run env -u MAKEFLAGS -u MAKELEVEL make -s -C "$top" build/common/num.o
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	make_ "$b/common/num.o"
	cmp "$b/common/num.o" "$top/build/common/num.o"
}

@test "make uninstall takes a DESTDIR below the checkout, and keeps a log rotation that the site has changed" {
	local relative
	copy_build
	relative=$(realpath --relative-to=. "$root")
	make_ install DESTDIR="$relative"
	echo '# monthly' > "$root/etc/logrotate.d/ces"
	make_ uninstall DESTDIR="$relative"
	[ "$(cd "$root" && find . -not -type d | sort)" = $'./etc/ces/policy.json\n./etc/logrotate.d/ces' ]
}

@test "make works after an uninstallation that was interrupted" {
	copy_build
	mkdir -p "$b/installed/etc/logrotate.d"
	make_ "$b/common/num.o"
}

@test "make uninstall removes all that make install put, also pages that are no longer built" {
	copy_build
	mkdir -p "$b/doc/pictures"
	touch "$b/doc/index.html" "$b/doc/pictures/a.svg"
	make_ install DESTDIR="$root"
	[ -e "$root/usr/share/doc/ces/html/index.html" ]
	rm -r "$b/doc"
	make_ uninstall DESTDIR="$root"
	find "$root" -not -type d > "$BATS_TEST_TMPDIR/left"
	cat "$BATS_TEST_TMPDIR/left"
	[ "$(cat "$BATS_TEST_TMPDIR/left")" = "$root/etc/ces/policy.json" ]
	[ ! -e "$root/usr/share/doc/ces" ]
	[ ! -e "$root/usr/libexec/ces" ]
	[ ! -e "$b/installed" ]
}

@test "a site's own flags of the compiler give programs, even if they bring warnings" {
	make_ "$b/common/wire_encode.o" "$b/helper/admit/facts.o"
	for flags in -O0 -O3; do
		rm -rf "$b"
		make_ CFLAGS=$flags "$b/common/wire_encode.o" "$b/helper/admit/facts.o"
	done
	# (without them a warning is an error)
	mkdir -p "$b/top"
	cp -r Makefile common tests "$b/top"
	echo 'static int unused;' >> "$b/top/common/num.c"
	run env -u MAKEFLAGS make -s -C "$b/top" build/common/num.o
	echo "$output"
	[ "$status" -ne 0 ]
}

@test "doctor looks at each worker that is built" {
	local workers
	workers=$(sed -n 's/^PROGRAMS = //p' Makefile | grep -oE 'ces-[a-z]+' | grep -vE '^ces-(client|policy|helper|admit|session)$')
	[ "$(wc -l <<< "$workers")" -gt 10 ]
	run comm -3 <(sed 's/^ces-\(.*\)/CES_\U\1_PATH/' <<< "$workers" | sort) \
		<(sed -n '/^void ces_doctor_workers/,/};/p' client/doctor_ces.c | grep -oE 'CES_[A-Z]+_PATH' | sort)
	echo "$output"
	[ "$output" = '' ]
}

@test "doctor looks at the label of each program that selinux/ces.fc labels" {
	local programs
	programs=$(sed -nE 's|^/usr/libexec/ces/ces-([a-z()\|]+).*:(ces_[a-z]+_exec_t),s0\)$|\1 \2|p' selinux/ces.fc |
		while read -r names type; do
			for name in ${names//[()|]/ }; do echo "{CES_${name^^}_PATH, \"$type\"}"; done
		done | sort)
	[ "$(wc -l <<< "$programs")" -gt 10 ]
	run comm -23 <(echo "$programs") <(grep -oE '\{CES_[A-Z]+_PATH, "ces_[a-z]+_exec_t"\}' client/doctor_selinux.c | sort)
	echo "$output"
	[ "$output" = '' ]
}
