#!/bin/bash
# Installs the packages that building and testing CES needs and that are missing. Only this file lists the packages.
# shellcheck disable=SC2034 # (the lists are used by name)
# deps.sh [--list] [--build|--test|--bench|--lint|--package|--deb|--bare|--selinux|--vm|--workloads|--tree|--enforcing|--display|...]
# Without an option: --build --test. --list only prints.
#   --package, --deb    build the packages
#   --bare              make the bare Debian on which Debian's package is tested
#   --selinux           build the policy module
#   --vm                make and run the virtual machines of tests/vm
#   --workloads         make the images of tests/workloads, and talk to their programs
#   --tree              the inside of a virtual machine, beside --test
#   --enforcing, --slurm, --storage   the same with SELinux, with Slurm, with NFS and AppArmor, beside --tree
#   --display           an X server and programs for it
#   --doc               make the guides
#   --spank             build Slurm's plugin
#   --pages             look at pages as a browser does
#   --formats           compare what is written for others, jobs and crates, with their published rules
# It changes nothing if every package is there, so it needs a network only the first time.
set -euo pipefail

apt_build="gcc make libc6-dev pkg-config libcap-dev libseccomp-dev libcurl4-openssl-dev libjson-c-dev nettle-dev
	libarchive-dev libisal-dev zlib1g-dev libzstd-dev libssl-dev"
apt_test="check libsubunit-dev bats docker-registry crun runc skopeo apache2-utils openssl python3 python3-jsonschema
	busybox-static libarchive-tools jq iproute2 util-linux e2fsprogs zstd procps passwd ca-certificates curl strace
	python3-yaml zsh fish tmux rpm rpmlint logrotate systemd mandoc groff-base ruby swtpm tpm2-openssl"
apt_display="xvfb xauth x11-utils x11-apps"
apt_bench="bubblewrap podman uidmap isal tar socat squashfuse squashfs-tools fuse3 erofs-utils"
apt_package="rpm"
apt_deb="dpkg-dev"
apt_doc="python3-markdown graphviz"
apt_formats="python3-kubernetes python3-rdflib libapache-jena-java default-jre-headless"
apt_pages="chromium libxml2-utils"
apt_spank="libslurm-dev"
apt_bare="mmdebstrap debian-archive-keyring"
apt_lint="clang llvm clang-tidy clang-format cppcheck shellcheck libxml2-utils lintian aspell aspell-en"
apt_vm="qemu-system-x86 mmdebstrap debian-archive-keyring e2fsprogs"
apt_workloads="mmdebstrap debian-archive-keyring chromium postgresql-client nginx-light"
apt_tree="systemd systemd-sysv libpam-systemd udev dbus kmod linux-image-amd64 initramfs-tools make bsdutils
	libcap2 libseccomp2 libcurl4 libjson-c5 libnettle8 libarchive13 libisal2 zlib1g libzstd1 libssl3"

apt_selinux="selinux-policy-dev checkpolicy semodule-utils policycoreutils m4"
apt_enforcing="selinux-policy-default policycoreutils auditd"
apt_slurm="slurmctld slurmd slurmdbd slurm-client munge mariadb-server"
apt_storage="nfs-kernel-server nfs-common apparmor apparmor-utils"

dnf_build="gcc make glibc-devel pkgconf-pkg-config libcap-devel libseccomp-devel libcurl-devel json-c-devel
	nettle-devel libarchive-devel isa-l-devel zlib-devel libzstd-devel openssl-devel"
dnf_test="check-devel subunit-devel bats docker-distribution crun runc skopeo httpd-tools openssl python3 python3-jsonschema
	busybox bsdtar jq iproute util-linux e2fsprogs zstd procps-ng shadow-utils ca-certificates curl strace
	python3-pyyaml zsh fish tmux rpm-build rpmlint logrotate systemd mandoc groff-base ruby swtpm tpm2-openssl"
dnf_display="xorg-x11-server-Xvfb xorg-x11-xauth xorg-x11-utils xorg-x11-apps"
dnf_bench="bubblewrap podman shadow-utils-subid isa-l-tools tar socat squashfuse squashfs-tools fuse3 erofs-utils glibc-static"
dnf_package="rpm-build systemd-rpm-macros"
dnf_doc="python3-markdown graphviz"
dnf_formats="python3-kubernetes python3-rdflib"
dnf_pages="chromium libxml2"
dnf_spank="slurm-devel"
dnf_deb="" # (that package is Debian's alone)
dnf_bare=""
dnf_lint="clang llvm clang-tools-extra cppcheck ShellCheck libxml2 aspell aspell-en"
dnf_selinux="selinux-policy-devel checkpolicy policycoreutils m4"
dnf_vm="qemu-system-x86-core mmdebstrap debian-keyring e2fsprogs"
dnf_workloads="mmdebstrap debian-keyring chromium postgresql nginx"

# Prints the packages of these parts.
wanted() # MANAGER PART...
{
	local manager=$1 part list
	shift
	for part in "$@"; do
		list=${manager}_${part#--}
		# shellcheck disable=SC2086
		[ -z "${!list}" ] || printf '%s\n' ${!list}
	done
}

# Prints the packages that are not installed. A package of which only the configuration is left is not installed.
missing_apt() # PACKAGE...
{
	local p
	for p in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

missing_dnf() # PACKAGE...
{
	local p
	for p in "$@"; do
		rpm -q --whatprovides "$p" > /dev/null 2>&1 || echo "$p"
	done
}

# The servers and timers of these packages must not start: the lab starts its own. This file forbids it meanwhile.
policy=/usr/sbin/policy-rc.d

# Removes the file if a deps.sh that was killed has left it behind.
forget_policy()
{
	local process
	process=$(sed -n 's|^# tests/lib/deps.sh ||p' $policy 2> /dev/null) || return 0
	[ -z "$process" ] || [ -e "/proc/$process" ] || rm -f $policy
}

install_apt() # PACKAGE...
{
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\n# tests/lib/deps.sh %s\nexit 101\n' $$ > $policy
		chmod 755 $policy
		# shellcheck disable=SC2064 # (now)
		trap "rm -f $policy" EXIT
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "$@" < /dev/null > /dev/null
}

install_dnf() # PACKAGE...
{
	dnf install -y -q --setopt=install_weak_deps=False "$@" < /dev/null
}

if [ "${1:-}" = --list ]; then
	shift
	wanted apt "$@"
	exit
fi
[ $# -gt 0 ] || set -- --build --test
if command -v apt-get > /dev/null; then
	manager=apt
elif command -v dnf > /dev/null; then
	manager=dnf
else
	echo "deps.sh: neither apt-get nor dnf here; needed are: $(wanted apt "$@" | tr '\n' ' ')" >&2
	exit 1
fi
mapfile -t packages < <(wanted $manager "$@")
mapfile -t missing < <(missing_$manager "${packages[@]}")
[ "$(id -u)" != 0 ] || forget_policy
[ ${#missing[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "deps.sh: missing packages, and only root can install them: ${missing[*]}" >&2; exit 1; }
echo "installing: ${missing[*]}"
install_$manager "${missing[@]}"
