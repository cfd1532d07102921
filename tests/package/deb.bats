#!/usr/bin/env bats
# Debian's packages: their files, and the effect of installing, upgrading and removing them, on a Debian 12 that has nothing
# else (a tree of bare.sh, without a network) and on this machine with a run alive. Its tests are two stories, in order.
# bats file_tags=debian

load ../lib/e2e.bash
load ../lib/package.bash

debs=$CES_TOP/build/package-deb
bare=/mnt/bare
policy=/etc/ces/policy.json

# Builds it twice: here as root, and from a copy of the sources elsewhere as a user with a strict umask.
setup_file()
{
	local version copy=/home/alice/elsewhere next=/home/next
	version=$(sed -n 's/^.define CES_VERSION "\(.*\)"/\1/p' client/version.h)
	rm -rf "$debs"
	objects "$debs"
	SOURCE_DATE_EPOCH=1700000000 VERSION=$version CES_DEB_OUT=build/package-deb packaging/deb.sh >&2
	install -d -o alice $copy
	tar --create --exclude=./build --exclude=./.git . | tar --extract -C $copy
	objects $copy/build/deb
	chown -R alice: $copy
	as alice bash -c "umask 077; TZ=Asia/Tokyo SOURCE_DATE_EPOCH=1700000000 VERSION=$version $copy/packaging/deb.sh" >&2
	mkdir "$debs/two"
	mv $copy/build/deb/*.deb "$debs/two"
	rm -rf $copy

	# A later release, with another default policy.
	dpkg-deb -R "$(package)" $next
	sed -i "s/^Version: .*/&+next/" $next/DEBIAN/control
	echo >> $next$policy
	dpkg-deb --root-owner-group -Znone -b $next "$(next)" >&2

	[ -e build/bare/tree.tar ] || return 0 # without the tree its tests are left out
	mkdir $bare
	mount -t tmpfs -o mode=755 ces-bare $bare
	tar -C $bare -xf build/bare/tree.tar
	mount --rbind /dev $bare/dev
	mount -t proc proc $bare/proc
	cp "$(package)" "$(next)" $bare/debs
}

# Another suite tests that programs do not depend on their build directory. This one uses the existing build.
objects() # OUT
{
	mkdir -p "$1/objects"
	[ "${B:-build}" != build ] || cp -a build/{client,common,helper,policy,*.a,*.place,ces-*,seccomp*} "$1/objects"
}

# Gives the next suites the lab that it found.
teardown_file()
{
	rm -rf "$debs"
	env -u MAKEFLAGS make -s -C "$CES_TOP" install PREFIX=/usr DESTDIR= B="${B:-build}"
}
setup() { remember; }

slurm_package() { find "$debs" -maxdepth 1 -name 'ces-slurm_*.deb'; }
package() { find "$debs" -maxdepth 1 -name 'ces_*.deb' -not -name '*next*'; }
next() { echo "$debs/ces_next.deb"; }

in_bare() # COMMAND...
{
	chroot $bare env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" < /dev/null
}

# Runs apt, which has only the packages of bare.sh.
apt_() { in_bare apt-get -qq -o Dpkg::Use-Pty=0 -o Dir::Cache::archives=/debs -o Dpkg::Options::=--force-unsafe-io "$@"; }
dpkg_() { DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io "$@" < /dev/null; }

@test "the same sources give the same Debian packages, byte for byte, for any builder in any place" {
	[ "$(ls "$debs/two")" = "$(basename -a "$(package)" "$(slurm_package)" | sort)" ]
	for p in "$(package)" "$(slurm_package)"; do cmp "$p" "$debs/two/$(basename "$p")"; done
}

@test "one file of Debian's package is privileged, the helper; root owns all files, and nobody else can change them" {
	dpkg-deb -c "$(package)" > $lab/files
	[ "$(grep -cE '^...[sS]|^......[sS]|^.........[tT]' $lab/files)" -eq 1 ]
	grep -qE '^-rwsr-xr-x root/root .* \./usr/libexec/ces/ces-helper$' $lab/files
	for p in ces-admit ces-session; do
		grep -qE '^-rwx------ root/root .* \./usr/libexec/ces/'$p'$' $lab/files
	done
	no grep -v ' root/root ' $lab/files
	no grep -E '^[-d].{4}w|^[-d].{7}w' $lab/files
	[ "$(grep -cE '^-rwx--x--x .* \./usr/libexec/ces/ces-(fetch|layout|resolve|unpack|relay|inside|clean|list|store)$' $lab/files)" -eq 9 ]
	[ "$(grep -cE '^drwx------ .* \./var/(lib|log)/ces/$' $lab/files)" -eq 2 ]
}

@test "Debian's package has the site's files as conffiles, and no script that removes anything or stops a run" {
	[ "$(dpkg-deb -I "$(package)" conffiles)" = $'/etc/ces/policy.json\n/etc/logrotate.d/ces\n/etc/needrestart/conf.d/ces.conf' ]
	[ "$(dpkg-deb -c "$(package)" | grep -c '^-.* \./etc/')" -eq 3 ]
	for s in postinst prerm postrm; do
		dpkg-deb -I "$(package)" $s > $lab/script
		no grep -E 'rm |userdel|groupdel|deluser|systemctl (stop|restart|try-restart)|now ces.service' $lab/script
	done
}

@test "needrestart, which restarts services after an upgrade of a library, leaves ces.service and its runs alone" {
	dpkg-deb --fsys-tarfile "$(package)" | tar -xO ./etc/needrestart/conf.d/ces.conf > $lab/needrestart.conf
	# (as needrestart reads its configuration, and judges each service)
	cat > $lab/judge.pl <<- 'END'
	our %nrconf = (override_rc => { qr(^dbus) => 0 });
	eval do { local (@ARGV, $/) = shift; <> };
	die $@ if $@;
	for my $rc (@ARGV) {
		my $restart = 1;
		for (keys %{$nrconf{override_rc}}) { $restart = $nrconf{override_rc}->{$_} if $rc =~ /$_/; }
		print "$rc $restart\n";
	}
	END
	run perl $lab/judge.pl $lab/needrestart.conf ces.service ces-janitor.service slices.service dbus.service
	echo "$output"
	[ "$output" = $'ces.service 0\nces-janitor.service 1\nslices.service 1\ndbus.service 0' ]
}

@test "Debian's package has the files of make install, with compressed manuals, and Debian's own papers" {
	make -s install DESTDIR=$lab/stage B="${B:-build}"
	# (the pages of the guides are there if 'make doc' has made them)
	diff <(cd $lab/stage && find . -not -type d -not -path '*/doc/ces/html/*' -printf '%P %M\n' | sed -E '/man\/man/ s/ /.gz /' | sort) \
		<(dpkg-deb --fsys-tarfile "$(package)" | tar -tv | sed -nE '/^d/! s|^(\S+) .* \./(\S+)( -> .*)?$|\2 \1|p' |
			grep -vE '^usr/share/(doc/ces/(changelog.gz|copyright|html/.*)|doc-base/ces|lintian/overrides/ces) |^etc/needrestart/' | sort)
	mkdir $lab/unpacked
	dpkg-deb -x "$(package)" $lab/unpacked
	for page in $lab/unpacked/usr/share/man/man?/*; do gzip -t "$page"; done
	for page in index researchers governance administrators; do [ -s $lab/unpacked/usr/share/doc/ces/html/$page.html ]; done
	zcat $lab/unpacked/usr/share/doc/ces/changelog.gz | grep -q "^ces ($(dpkg-deb -f "$(package)" Version)) "
	grep -q '^License: Apache-2.0$' $lab/unpacked/usr/share/doc/ces/copyright
	dpkg-deb -I "$(package)" md5sums > $lab/md5sums
	(cd $lab/unpacked && md5sum --check --quiet $lab/md5sums)
	[ "$(wc -l < $lab/md5sums)" -eq "$(find $lab/unpacked -type f | wc -l)" ]
	rm -rf $lab/stage $lab/unpacked
}

@test "Debian's ces-slurm has the plugin, the line for it and its papers; it is for one release of Slurm" {
	dpkg-deb -c "$(slurm_package)" > $lab/files
	grep -v '^d' $lab/files | sed -E 's|^(\S+ \S+) .* \./|\1 |' | sort -k 3 > $lab/got
	diff - $lab/got <<-EOF
	lrwxrwxrwx root/root etc/slurm/plugstack.conf.d/ces.conf -> /usr/share/ces-slurm/plugstack.conf
	-rw-r--r-- root/root usr/lib/x86_64-linux-gnu/slurm-wlm/ces_spank.so
	-rw-r--r-- root/root usr/share/ces-slurm/plugstack.conf
	-rw-r--r-- root/root usr/share/doc/ces-slurm/changelog.gz
	-rw-r--r-- root/root usr/share/doc/ces-slurm/copyright
	EOF
	no grep -E '^d.* (usr/libexec|var)/|^.{5}w|^.{8}w' <(grep -v '^l' $lab/files)
	for s in conffiles preinst postinst prerm postrm; do no dpkg-deb -I "$(slurm_package)" $s; done
	dpkg-deb -f "$(slurm_package)" Depends | grep -E 'slurm-wlm-basic-plugins \(>= 22\.05\), slurm-wlm-basic-plugins \(<< 22\.06\)'
}

# bats test_tags=lintian
@test "lintian finds nothing in Debian's packages that is not explained, and every explanation has its finding" {
	# (findings that are explained would count for its status, too)
	run lintian --allow-root --display-info --show-overrides --tag-display-limit 0 --fail-on none "$(package)" "$(slurm_package)"
	[ "$status" -eq 0 ]
	no grep -v '^[ON]: ' <<< "$output"
	[ "$(grep -c '^O: ' <<< "$output")" -ge 13 ]
}

# bats test_tags=bare
@test "on a Debian 12 that has nothing else, apt installs it with what it needs" {
	[ ! -e $bare/usr/bin/crun ]
	apt_ --no-install-recommends install /debs/"$(basename "$(package)")"
	[ -x $bare/usr/bin/crun ]
	for p in /usr/bin/ces-{client,policy} /usr/libexec/ces/ces-{helper,fetch,unpack,relay}; do in_bare ldd $p; done > $lab/ldd
	[ "$(grep -c 'libc\.so\.6 => /' $lab/ldd)" -eq 6 ]
	no grep 'not found' $lab/ldd
	for u in ces-parse ces-store ces-fetch ces-resolve ces-unpack ces-relay; do
		in_bare getent passwd $u | grep -q ':/usr/sbin/nologin$'
		[ "$(in_bare passwd -S $u | cut -d' ' -f2)" = L ]
	done
	[ "$(stat -c %a:%U $bare/run/ces $bare/var/lib/ces $bare/var/log/ces | sort -u)" = 700:root ]
	[ "$(stat -c %a:%U $bare$helper)" = 4755:root ]
	in_bare dpkg --verify ces > $lab/verify
	[ ! -s $lab/verify ]
}

# bats test_tags=bare
@test "there the first request is denied and recorded until there is a policy" {
	in_bare useradd --create-home ada
	run in_bare setpriv --reuid=ada --regid=ada --init-groups env -C /home/ada ces-client run ghcr.io/epcced/stroke:1
	echo "$output"
	[ "$status" -eq 125 ]
	[[ $output == *"man 7 ces"* ]]
	tail -n 1 $bare$journal | jq -e '.outcome == "denied"'
}

# bats test_tags=bare
@test "there an upgrade with another default keeps the policy that the site wrote" {
	cp $bare/usr/share/doc/ces/examples/desktop.json $bare$policy
	touch $bare/var/lib/ces/kept
	apt_ -o Dpkg::Options::=--force-confdef --no-install-recommends install /debs/ces_next.deb
	in_bare dpkg-query -W -f '${Version}' ces | grep -q '+next$'
	cmp $bare$policy $bare/usr/share/doc/ces/examples/desktop.json
	[ -e $bare$policy.dpkg-dist ]
	[ "$(stat -c %a:%U $bare$helper)" = 4755:root ]
}

# bats test_tags=bare
@test "there a removal keeps policy, store and journal, and a purge the last two" {
	cp $bare$policy $lab/policy.before
	cp $bare$journal $lab/journal.before
	apt_ remove ces
	[ ! -e $bare$helper ]
	[ ! -e $bare/usr/libexec/ces ]
	cmp $bare$policy $lab/policy.before
	[ -e $bare/etc/logrotate.d/ces ]
	apt_ purge ces > $lab/purge
	grep -q '^kept: ' $lab/purge
	[ ! -e $bare$policy ]
	[ -e $bare/var/lib/ces/kept ]
	cmp $bare$journal $lab/journal.before
	in_bare getent passwd ces-fetch
}

@test "after Debian's package is installed, an image is pulled and run" {
	make -s uninstall B="${B:-build}"
	rm -rf $policy "${store:?}"/* "$journal"
	dpkg_ -i "$(package)"
	lab_policy
	works
	run --separate-stderr ces alice doctor
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "ces-slurm is installed and removed beside it, and leaves nothing" {
	find /etc /usr -xdev -not -path "$CES_TOP/*" -printf '%p %l\n' | sort > $lab/before
	dpkg_ -i --force-depends "$(slurm_package)"
	dpkg --verify ces-slurm > $lab/verify
	[ ! -s $lab/verify ]
	plugin=$(sed -n 's/^required //p' /etc/slurm/plugstack.conf.d/*.conf)
	nm -D "$plugin" | grep -q ' slurm_spank_task_init$'
	grep -qa /usr/bin/ces-client "$plugin"
	dpkg_ -r --force-depends ces-slurm
	diff $lab/before <(find /etc /usr -xdev -not -path "$CES_TOP/*" -printf '%p %l\n' | sort)
	no dpkg -s ces-slurm
}

@test "after an upgrade by dpkg a live run ends as it would have, and CES works" {
	long_run
	sum=$(sha256sum $policy)
	old_store
	dpkg_ --force-confdef -i "$(next)"
	[ ! -e /run/ces/.policy ] # (what the older version read)
	[ "$(sha256sum $policy)" = "$sum" ]
	[ "$(ces alice ps --format json | jq -r '.[].run')" = "$number" ]
	ces alice run -q $open/tools:1 true # (without another pull)
	works
	long_run_ends_well
}

@test "after a removal by dpkg a live run ends as it would have, and policy, store and journal stay" {
	long_run
	records=$(journal_lines)
	sum=$(sha256sum $policy)
	dpkg_ -r ces
	rm /etc/needrestart/conf.d/ces.conf # (a conffile, which stays until a purge)
	[ ! -e $helper ]
	[ -e "/run/ces/$number" ]
	long_run_ends_well
	[ "$(journal_lines)" -gt "$records" ]
	[ "$(sha256sum $policy)" = "$sum" ]
	[ -n "$(ls -A $store/layers/sha256)" ]
}
