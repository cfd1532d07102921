# The auditor shares no code with what it audits (helper/audit/proof.c).

setup() { b=$BATS_TEST_DIRNAME/../../${B:-build}/helper; }

# Prints the functions and tables that an object of the first kind takes from one of the second.
taken() # DIRECTORY OBJECT...
{
	local from=$1
	shift
	sort -u <(nm -u "$from"/*.o | awk '$1 == "U" { print $2 }') > "$BATS_TEST_TMPDIR/needed"
	sort -u <(nm --defined-only -g "$@" | awk 'NF == 3 { print $3 }') > "$BATS_TEST_TMPDIR/there"
	comm -12 "$BATS_TEST_TMPDIR/needed" "$BATS_TEST_TMPDIR/there" | paste -sd ' '
}

@test "the auditor takes from what sets a run up only the constants, the wait for namespaces and the kill" {
	run taken "$b/audit" "$b"/launch/*.o "$b"/session/{clean,idmap,mounts,runs,selinux,userns}.o
	[ "$output" = "ces_cgroup_kill ces_container_ready ces_profile_capability_mask ces_profile_masked ces_profile_mounts ces_profile_n_mounts ces_profile_read_only" ]
}

@test "no room but the order of a run's steps calls the auditor" {
	for room in session watch pull core; do
		run taken "$b/$room" "$b"/audit/*.o
		[ "$output" = '' ]
	done
	run taken "$b/launch" "$b"/audit/*.o
	[ "$output" = "ces_proof_begin ces_proof_end ces_proof_of" ]
}
