#!/usr/bin/env bats
# The packages: their files, and the effect of installing, upgrading and removing them on a machine with live runs. The suite
# has a lab of its own (check.sh), because it removes what the lab has installed. The tests are one story, in order.

load ../lib/e2e.bash
load ../lib/package.bash

rpms=$CES_TOP/build/package space=' '
policy=/etc/ces/policy.json

# Builds them twice, the second time from a copy of the sources without git, in a directory of another name.
setup_file()
{
	local version copy=$BATS_FILE_TMPDIR/elsewhere
	version=$(sed -n 's/^.define CES_VERSION "\(.*\)"/\1/p' client/version.h)
	rm -rf "$rpms"
	mkdir -p "$copy"
	tar --create --exclude=./build --exclude=./.git . | tar --extract -C "$copy"
	SOURCE_DATE_EPOCH=1700000000 VERSION=$version CES_RPM_NEXT=1 CES_RPM_OUT=build/package/one tests/lib/rpm.sh >&2
	(cd "$copy" && SOURCE_DATE_EPOCH=1700000000 VERSION=$version tests/lib/rpm.sh) >&2
	env -u MAKEFLAGS make -s -j2 -C "$copy" all B=build > "$BATS_FILE_TMPDIR/make.log" 2>&1
	mkdir "$rpms/programs"
	cp "$copy"/build/ces-* "$rpms/programs"
	rm "$rpms"/programs/*.map # (the linker's maps)
	mkdir "$rpms/two"
	mv "$copy"/build/rpm/*.rpm "$rpms/two"
}

teardown_file() { rm -rf "$rpms"; }
setup() { remember; }

package() { find "$rpms/one" -name 'ces-[0-9]*-1.*.rpm' -not -name '*.src.rpm' -not -name '*.next.*'; }
next() { find "$rpms/one" -name 'ces-[0-9]*-1.next.*.rpm'; }
of() { rpm -qp --qf "$1" "$(package)"; }

# Debian's rpm wants a flag that confirms its use: its database knows none of Debian's packages.
rpm_() { rpm --force-debian --nodeps "$@"; }

@test "the same sources give the same packages, byte for byte, wherever they are built" {
	for p in "$rpms"/two/*.rpm; do
		cmp "$p" "$rpms/one/$(basename "$p")"
	done
	[ "$(find "$rpms/two" -name '*.rpm' | wc -l)" -ge 2 ]
}

@test "the same sources give the same programs, whatever the name of the directory" {
	[ "${B:-build}" = build ] || skip "the build under test is another kind"
	for p in "$rpms"/programs/ces-*; do
		cmp "$p" "$CES_TOP/build/$(basename "$p")"
		no grep -aqF "$CES_TOP" "$p"
	done
	[ "$(find "$rpms/programs" -name 'ces-*' | wc -l)" -eq 17 ]
}

@test "one file is privileged, the helper; root owns all files, and nobody else can change them" {
	of '[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]' > $lab/files
	[ "$(grep -cE '^-..[sS]|^-.....[sS]' $lab/files)" -eq 1 ]
	grep -qE '^-rwsr-xr-x root:root /usr/libexec/ces/ces-helper$' $lab/files
	for p in ces-admit ces-session; do
		grep -qE '^-rwx------ root:root /usr/libexec/ces/'$p'$' $lab/files
	done
	no grep -v ' root:root /' $lab/files
	[ "$(of '[%{FILECAPS}\n]' | sort -u | tr -d '()none\n')" = "" ]
	no grep -E '^[-d].{4}w|^[-d].{7}w' $lab/files
	grep -q '^drwx------ .* /var/lib/ces$' $lab/files
	grep -q '^drwx------ .* /var/log/ces$' $lab/files
}

@test "a policy and a rotation that a site has changed are never replaced; store and journal are in no list" {
	of '[%{FILEFLAGS:fflags} %{FILENAMES}\n]' | grep -q '^cn /etc/ces/policy.json$'
	of '[%{FILEFLAGS:fflags} %{FILENAMES}\n]' | grep -q '^cn /etc/logrotate.d/ces$'
	no grep -E '^/(var|run)/.*ces/.' <(of '[%{FILENAMES}\n]')
	no grep -E 'rm |userdel|groupdel|systemctl (stop|restart|try-restart)' <(rpm -qp --scripts "$(package)")
}

@test "every program has its manual, and the example policies are with the documentation" {
	of '[%{FILENAMES}\n]' > $lab/files
	for p in $(sed -n 's|^/usr/bin/||p' $lab/files); do grep -q "^/usr/share/man/man1/$p.1" $lab/files; done
	for p in man8/ces-helper.8 man7/ces.7 man5/ces-policy.json.5 man5/ces-audit.5; do
		grep -q "^/usr/share/man/$p" $lab/files
	done
	for p in desktop gpu-cluster ondemand test-environment; do grep -q "^/usr/share/doc/ces/examples/$p.json" $lab/files; done
	grep -q '^/usr/share/doc/ces/schema.json' $lab/files
	grep -q '^/usr/share/doc/ces/receipt.schema.json' $lab/files
	for p in index.html researchers.html governance.html administrators.html pictures/processes.svg; do
		grep -q "^/usr/share/doc/ces/html/$p" $lab/files
	done
}

@test "the module of SELinux is in a package of its own, where it can be built" {
	[ -e /usr/share/selinux/devel/Makefile ] || skip "needs the headers of the SELinux policy"
	p=$(find "$rpms/two" -name 'ces-selinux-*.noarch.rpm')
	rpm -qp --qf '[%{FILENAMES}\n]' "$p" | grep -q '/selinux/packages/ces.pp$'
	of '[%{REQUIRES}\n]' | grep -q 'ces-selinux .*if selinux-policy-targeted'
	# (where that policy is installed, dnf wants both)
	grep -qE '^    sudo dnf install \S+/ces-0\S+ \S+/ces-selinux-' README.md
}

@test "the apps of Open OnDemand are in a package of their own, for a portal that has nothing else of CES" {
	p=$(find "$rpms/two" -name 'ces-ondemand-*.noarch.rpm')
	rpm -qp --qf '[%{FILENAMES}\n]' "$p" > $lab/files
	for app in batch_container_app jupyter_app rstudio_app; do
		grep -qx "/var/www/ood/apps/sys/$app/template/before.sh.erb" $lab/files
	done
	rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$p" | grep -q '^-rwxr-xr-x /var/www/.*/batch_container_app/template/script.sh.erb$'
	rpm -qp --qf '[%{FILEFLAGS:fflags} %{FILENAMES}\n]' "$p" | grep -q '^cn /etc/ces/ondemand.yml$'
	no grep -E 'ces|python' <(rpm -qp --requires "$p" | grep -v '^config(ces-ondemand)')
}

@test "the plugin of Slurm is in a package of its own, for one release of Slurm" {
	p=$(find "$rpms/two" -name 'ces-slurm-*.rpm')
	rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES} %{FILELINKTOS}\n]' "$p" |
		grep -v '/licenses/\|/\.build-id' > $lab/files
	diff - $lab/files <<-EOF
	drwxr-xr-x root:root /etc/slurm/plugstack.conf.d$space
	lrwxrwxrwx root:root /etc/slurm/plugstack.conf.d/ces.conf /usr/share/ces-slurm/plugstack.conf
	-rw-r--r-- root:root /usr/lib64/slurm/ces_spank.so$space
	drwxr-xr-x root:root /usr/share/ces-slurm$space
	-rw-r--r-- root:root /usr/share/ces-slurm/plugstack.conf$space
	EOF
	[ -z "$(rpm -qp --scripts "$p")" ]
	rpm -qp --requires "$p" > $lab/requires
	grep -qx 'slurm >= 22.05' $lab/requires
	grep -qx 'slurm < 22.06' $lab/requires
	no grep '^ces' $lab/requires
	no grep spank.so <(rpm -qp --provides "$p")
	no grep slurm <(of '[%{FILENAMES}\n]')
}

@test "rpmlint finds nothing without a reason in ces.rpmlintrc" {
	run rpmlint -r ces.rpmlintrc "$rpms"/two/*.rpm ces.spec
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *" 0 errors, 0 warnings"* ]]
	# and rpmlint does look: without the reasons it reports the setuid bit
	run rpmlint "$(package)"
	[[ $output == *"setuid-binary /usr/libexec/ces/ces-helper"* ]]
}

@test "when an ordinary user runs make install, the same files are staged with the same modes" {
	as alice make -s -C "$CES_TOP" install DESTDIR=/home/alice/stage B="${B:-build}"
	# (the pages of the guides are there if 'make doc' has made them)
	diff <(cd /home/alice/stage && find . -not -type d -not -path '*/doc/ces/html/*' -printf '/%P %M\n' | sort) \
		<(of '[%{FILENAMES} %{FILEMODES:perms}\n]' | grep -vE ' d|/\.build-id/|/licenses/|/doc/ces/html/' | sort)
	# (with another LIBEXECDIR the programs would be built again: tests/harness/build.bats)
	as alice make -s -C "$CES_TOP" install DESTDIR=/home/alice/other PREFIX=/opt/ces LIBEXECDIR=/usr/libexec/ces B="${B:-build}"
	[ -x /home/alice/other/opt/ces/bin/ces-client ]
	grep -q '^ExecStart=/opt/ces/bin/ces-client' /home/alice/other/opt/ces/lib/systemd/system/ces-janitor.service
	rm -rf /home/alice/stage /home/alice/other
}

@test "make uninstall removes what make install put, and keeps policy, store and journal" {
	works
	records=$(journal_lines)
	# (as on a machine with systemd, where they are enabled)
	mkdir -p /run/systemd/system
	export SYSTEMD_OFFLINE=1
	systemctl enable ces.service ces-janitor.timer ces-anchor.timer
	make -s uninstall B="${B:-build}"
	rmdir /run/systemd/system
	[ -z "$(find /etc/systemd -name 'ces*')" ]
	[ "$(find /usr /etc -path /usr/src -prune -o \( -name 'ces-*' -o -name 'ces.*' -o -path '*/ces/*' \) -not -path '/etc/ces*' \
		-not -type d -not -path "$CES_TOP/*" -print)" = "" ]
	[ ! -e /usr/libexec/ces ]
	[ -e $policy ]
	[ -n "$(ls -A $store/layers/sha256)" ]
	[ "$(journal_lines)" -eq "$records" ]
	for u in ces-parse ces-store ces-fetch ces-resolve ces-unpack ces-relay; do userdel $u; done
	rm -rf "${store:?}"/* "$journal" $policy /run/ces /home/alice/outputs_*
}

@test "on a fresh machine the package makes accounts and directories, and everything is denied until there is a policy" {
	rpm_ -i "$(package)"
	for u in ces-parse ces-store ces-fetch ces-resolve ces-unpack ces-relay; do
		getent passwd $u | grep -qE ':/usr/sbin/nologin$|:/sbin/nologin$'
		[ "$(passwd -S $u | cut -d' ' -f2)" = L ]
	done
	[ "$(stat -c %a:%U /run/ces $store /var/log/ces | sort -u)" = 700:root ]
	[ "$(stat -c %a:%U $helper)" = 4755:root ]
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"man 7 ces"* ]]
	tail -n 1 $journal | jq -e '.outcome == "denied"'
	run --separate-stderr ces alice doctor
	[[ $output == *"this policy allows nothing"* || $output == *"allows no"* ]]
}

@test "after the package is installed, an image is pulled and run" {
	lab_policy
	works
	run --separate-stderr ces alice doctor
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the package for Slurm is installed and removed beside it, and leaves nothing" {
	find /etc /usr -xdev -not -type d -not -path "$CES_TOP/*" -printf '%p %l\n' | sort > $lab/before
	rpm_ -i "$(find "$rpms/one" -name 'ces-slurm-*.rpm' -not -name '*.next.*')"
	[ -z "$(rpm_ -V ces-slurm)" ]
	plugin=$(sed -n 's/^required //p' /etc/slurm/plugstack.conf.d/*.conf)
	nm -D "$plugin" | grep -q ' slurm_spank_task_init$'
	grep -qa /usr/bin/ces-client "$plugin"
	rpm_ -e ces-slurm
	# (the directories above are Slurm's own)
	[ ! -e /etc/slurm/plugstack.conf.d ]
	[ ! -e /usr/share/ces-slurm ]
	diff $lab/before <(find /etc /usr -xdev -not -type d -not -path "$CES_TOP/*" -printf '%p %l\n' | sort)
}

@test "after an upgrade runs are alive, the policy is the site's, and CES works" {
	long_run
	sum=$(sha256sum $policy)
	old_store
	rpm_ -U "$(next)"
	[ ! -e /run/ces/.policy ] # (what the older version read)
	rpm -q ces | grep -q '\.next'
	[ "$(sha256sum $policy)" = "$sum" ]
	[ "$(ces alice ps --format json | jq -r '.[].run')" = "$number" ]
	ces alice run -q $open/tools:1 true # (without another pull)
	works
	long_run_ends_well
}

@test "when half of the installed version is gone, an installation makes it whole again" {
	rm -f $helper /usr/libexec/ces/seccomp.json /usr/bin/ces-client
	chmod 777 /usr/libexec/ces/ces-fetch
	userdel ces-unpack
	rpm_ -U --replacepkgs "$(next)"
	run --separate-stderr ces alice doctor
	echo "$output"
	[ "$status" -eq 0 ]
	works
}

@test "the rotation of the journal loses nothing: the chain is whole over both files" {
	works
	records=$(journal_lines)
	logrotate -f -s $lab/logrotate.state /etc/logrotate.d/ces
	works
	[ "$(wc -l < $journal.1)" -eq "$records" ]
	[ "$(stat -c %a:%U $journal)" = 600:root ]
	run ces-policy audit verify
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "after a removal a live run ends as it would have, and policy, store and journal stay" {
	long_run
	records=$(journal_lines)
	rpm_ -e ces
	[ ! -e $helper ]
	[ -e "/run/ces/$number" ]
	long_run_ends_well
	[ "$(journal_lines)" -gt "$records" ]
	[ -n "$(ls -A $store/layers/sha256)" ]
	cmp $policy.rpmsave <(lab_policy; cat $policy)
	rm -f /usr/libexec/ces
	no as alice ces-client images
}

@test "from nothing to a first run, every command of ces(7), FIRST STEPS, does what the manual says" {
	userdel -r alice 2> /dev/null
	groupdel nsh-2024-0001
	rm -rf /safe_data/nsh-2024-0001 /etc/ces /run/ces "${store:?}"/* /var/log/ces/*
	run tests/package/first_run.sh man/ces.7 $lab/ca.pem https://open.tre.test:5001 "$(package)"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"stroke-model: mean age"* ]]
	[[ $output == *"this machine is fit for CES"* ]]
	[ "$(stat -c %U /home/ada/outputs_*/result.csv)" = ada ]
	tail -n 1 $journal | jq -e '.event == "end" and .status == 0'
}
