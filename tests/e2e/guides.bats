#!/usr/bin/env bats
# The lines of the safe haven's guides as printed there, and hostile values in the files that they read.

load ../lib/e2e.bash
load ../lib/compat.bash

setup_file()
{
	lab_policy '.defaults.network.publish = ["8787"]'
	have alice tools entry cmd
	install -o alice -g alice -d /home/alice/work
}
setup() { remember; }
teardown() { rm -rf /home/*/outputs_* /home/alice/work/*; }

@test "ces-pull podman \$CR_USER \$CR_TOKEN IMAGE with CR_USER=anonymous and a token is a login" {
	run --separate-stderr as alice ces-pull podman anonymous not-the-token $image/cmd:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"refused the login"* ]]
	htpasswd -Bb $lab/htpasswd anonymous deploy-token-1 2> /dev/null
	run --separate-stderr as alice sh -c "CR_USER=anonymous; CR_TOKEN=deploy-token-1; ces-pull podman \$CR_USER \$CR_TOKEN $image/cmd:1"
	htpasswd -D $lab/htpasswd anonymous 2> /dev/null
	echo "$stderr"
	[ "$status" -eq 0 ]
	ces alice rmi $image/cmd:1
}

@test "ces-pull apptainer leaves NAME:TAG.sif, and ces-run apptainer -n N --env-file envs.txt --arg-file args.txt FILE.sif runs it" {
	as alice mkdir -p sif
	run --separate-stderr as alice sh -c "cd sif && ces-pull apptainer '' '' $open/tools:1"
	echo "$stderr"
	[ "$status" -eq 0 ]
	[[ $stderr == *"tools:1.sif"* ]]
	[ "$(ls -A /home/alice/sif)" = tools:1.sif ]
	grep -qx "image=$open/tools:1" /home/alice/sif/tools:1.sif
	grep -qE '^digest=sha256:[0-9a-f]{64}$' /home/alice/sif/tools:1.sif
	[ "$(stat -c %U /home/alice/sif/tools:1.sif)" = alice ]
	file envs.txt <<< WHO=here
	file args.txt <<< "sh -c 'echo \$WHO; id -u'"
	run --separate-stderr as alice sh -c "cd sif && ces-run apptainer -n hello --env-file ../work/envs.txt --arg-file ../work/args.txt tools:1.sif"
	echo "$stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'here\n4401' ]
	run --separate-stderr as alice ces-run apptainer /home/alice/sif/tools:1.sif echo by path
	[ "$output" = "by path" ]
	# again, over its own file
	run --separate-stderr as alice sh -c "cd sif && ces-app-pull $open/tools:1"
	[ "$status" -eq 0 ]
	[[ $stderr != *"another version"* ]]
	sed -i "s/^digest=.*/digest=sha256:$(printf '%064d' 1)/" /home/alice/sif/tools:1.sif
	run --separate-stderr as alice ces-run apptainer sif/tools:1.sif true
	[ "$status" -eq 0 ]
	[[ $stderr == *"ces: the .sif file was written for another version of $open/tools:1; "* ]]
	run --separate-stderr as alice ces-run sif/tools:1.sif
	client_refused 'type ces-run apptainer sif/tools:1.sif'
	rm -r /home/alice/sif
}

@test "a real .sif that the service before CES left gets another name, and is never overwritten" {
	as alice mkdir -p sif
	real() { { head -c 32 /dev/zero; printf 'SIF_MAGIC\0%s' "$1"; head -c 100000 /dev/zero; } > /home/alice/sif/tools:1.sif; chown alice: /home/alice/sif/*; }
	real one
	run --separate-stderr as alice sh -c "cd sif && ces-pull apptainer '' '' $open/tools:1"
	echo "$stderr"
	[ "$status" -eq 0 ]
	[[ $stderr == *"tools:1.sif was an Apptainer image, which CES does not run: it is tools:1.sif.old now"* ]]
	grep -qa one /home/alice/sif/tools:1.sif.old
	run --separate-stderr as alice ces-run apptainer sif/tools:1.sif echo runs
	[ "$output" = runs ]
	real two
	run --separate-stderr as alice sh -c "cd sif && ces-pull apptainer '' '' $open/tools:1"
	client_refused 'move it away'
	grep -qa one /home/alice/sif/tools:1.sif.old
	grep -qa two /home/alice/sif/tools:1.sif
	rm -r /home/alice/sif
}

@test "a .sif that is Apptainer's own, a link, another user's, huge, a FIFO or anything else is refused with what to type" {
	as alice mkdir -p sif
	as alice sh -c "cd sif && ces-pull -q apptainer '' '' $open/tools:1"
	try() { run --separate-stderr as alice timeout 10 ces-run apptainer "sif/$1" true; echo "$stderr"; }
	{ head -c 32 /dev/zero; printf 'SIF_MAGIC\0'; head -c 100000 /dev/zero; } > /home/alice/sif/real.sif
	chown alice: /home/alice/sif/real.sif
	try real.sif
	client_refused 'ces-pull apptainer USER IMAGE'
	as alice ln -s tools:1.sif sif/link.sif
	try link.sif
	client_refused 'is a link'
	install -o bob -m 644 /home/alice/sif/tools:1.sif /home/alice/sif/bobs.sif
	try bobs.sif
	client_refused 'belongs to another user'
	as alice truncate -s 1G sif/huge.sif
	try huge.sif
	client_refused 'pull the image again'
	as alice mkfifo sif/fifo.sif
	try fifo.sif
	client_refused 'not a file'
	as alice mkdir sif/dir.sif
	try dir.sif
	client_refused 'not a file'
	try none.sif
	client_refused 'ces-pull apptainer USER IMAGE'
	sed "s|^image=.*|image=$image/develop:1|" /home/alice/sif/tools:1.sif > /home/alice/sif/never.sif
	chown alice: /home/alice/sif/never.sif
	try never.sif
	[ "$status" -eq 125 ]
	sed "s|^image=.*|image=\$(touch x);--privileged|" /home/alice/sif/tools:1.sif > /home/alice/sif/odd.sif
	chown alice: /home/alice/sif/odd.sif
	try odd.sif
	client_refused 'odd.sif'
	# (a pull does not overwrite the file)
	echo mine > /home/alice/sif/tools:1.sif
	run --separate-stderr as alice sh -c "cd sif && ces-pull apptainer '' '' $open/tools:1"
	client_refused 'move it away'
	[ "$(cat /home/alice/sif/tools:1.sif)" = mine ]
	rm -r /home/alice/sif
}

@test "ces-run docker is refused, and says to leave the word out" {
	run --separate-stderr as alice ces-run docker $open/tools:1 true
	client_refused "leave out 'docker': type ces-run $open/tools:1"
}

# the project manager's guide, with its variables
guide() # WORD...
{
	run --separate-stderr as alice env PATH=/usr/libexec/ces/compat:/usr/bin:/bin sh -c "cd work
		SAFE_DATA=/safe_data/nsh-2024-0001; CR_URL=$open/tools:1; $*"
	echo "$output $stderr"
}

@test "podman run --name N --mount type=bind,source=\${SAFE_DATA},destination=/safe_data --pull=never --rm=true --rmi=false --env-file=F IMAGE ARG... works" {
	file envs.txt <<< GREETING=hello
	guide 'podman run --name epcc-ces-hello --mount type=bind,source=${SAFE_DATA},destination=/safe_data --pull=never --rm=true \
		--rmi=false --env-file=envs.txt ${CR_URL} sh -c "echo \$GREETING \$1; ls /safe_data" - ${USER:-alice}'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "hello alice" ]
	[ "${lines[1]}" = "$(ls /safe_data/nsh-2024-0001 | head -n 1)" ]
	guide 'podman images'
	[[ $output == *"$open/tools"* ]]
	guide 'podman ps; podman pull -q ${CR_URL}'
	[ "$status" -eq 0 ]
}

@test "apptainer run --bind \${SAFE_DATA}:/safe_data --no-https=true --env-file=F X.sif ARG... works" {
	file envs.txt <<< GREETING=hello
	guide 'ces-pull -q apptainer "" "" ${CR_URL} && apptainer run --bind ${SAFE_DATA}:/safe_data --no-https=true --env-file=envs.txt \
		tools:1.sif sh -c "echo \$GREETING; id -u; ls /safe_data"'
	[ "$status" -eq 0 ]
	[ "${lines[0]} ${lines[1]}" = "hello 4401" ]
	guide 'apptainer run docker://${CR_URL} echo by reference'
	[ "$output" = "by reference" ]
	guide "apptainer run --env A=b,C=d,e --env D='x=1, y=2' tools:1.sif sh -c 'echo \$A \$C \$D'"
	[ "$output" = "b d,e x=1, y=2" ]
	# (podman's means one)
	guide 'podman run -q --env A=b,C=d $CR_URL sh -c "echo \$A \$C"'
	[ "$output" = "b,C=d" ]
	guide 'singularity run tools:1.sif id -u'
	[ "$output" = 4401 ]
	guide singularity shell tools:1.sif
	client_refused 'ces-client run --entrypoint PROGRAM IMAGE'
	guide apptainer pull docker://x/y:1
	client_refused 'ces-pull apptainer USER IMAGE'
	guide apptainer exec tools:1.sif id
	client_refused 'ces-client run --entrypoint PROGRAM'
	guide apptainer
	client_refused 'type apptainer run'
}

# Jupyter, R, getpass.getuser() and pip install --user look for these
@test "ces-run apptainer: whoami, HOME, ~ and the working directory are the caller's in an image made for root" {
	rm -rf /home/alice/.local
	run --separate-stderr as alice ces-run apptainer $open/tools:1 sh -c 'whoami; echo $HOME $USER; cd && mkdir -p .local/share && touch .cache && echo written
		tail -n 1 /etc/passwd /etc/group; id -un; id -gn; head -n 1 /etc/passwd'
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = "alice
/home/alice alice
written
==> /etc/passwd <==
alice:x:4401:4401::/home/alice:/bin/sh

==> /etc/group <==
alice:x:4401:
alice
alice
root:x:0:0:root:/root:/bin/sh" ]
	[ "$(ls -A /home/alice/.local/state)" = ces ] # (CES's own record of the run)
	ces alice pull -q $open/entry:1
	run --separate-stderr as alice env PATH=/usr/libexec/ces/compat:/usr/bin:/bin apptainer run --entrypoint sh $open/entry:1 -c 'pwd; touch here && stat -c %U . here'
	echo "$output $stderr"
	[ "$output" = $'/srv\nalice\nalice' ]
	# (a home of the image's is kept by who says so)
	file envs.txt <<< HOME=/srv
	run --separate-stderr as alice ces-run apptainer --env-file work/envs.txt $open/tools:1 sh -c 'echo ~ $HOME $USER'
	[ "$output" = "/srv /srv alice" ]
	# root inside keeps the home that the image names
	run --separate-stderr as alice ces-run $open/tools:1 sh -c 'echo $HOME; whoami'
	[ "$output" = $'/root\nroot' ]
	run --separate-stderr as alice ces-client explain run $open/tools:1
	[[ $output != *"at home"* ]]
}

@test "ces-run apptainer: a bind to the home, or below it, is there" {
	lab_policy '.defaults.network.publish = ["8787"] | .defaults.binds = ["~"]'
	as alice mkdir -p work/rstudio-tmp
	as alice touch work/rstudio-tmp/old
	file opts <<< '-v $HOME/work/rstudio-tmp:$HOME/tmp'
	run --separate-stderr as alice ces-run apptainer --opt-file work/opts $open/tools:1 sh -c 'ls ~/tmp; touch ~/tmp/new ~/beside; ls ~'
	echo "$output $stderr"
	[ "$output" = $'old\nbeside\ntmp' ]
	[ -e /home/alice/work/rstudio-tmp/new ]
	file opts <<< '-v $HOME/work:$HOME'
	run --separate-stderr as alice ces-run apptainer --opt-file work/opts $open/tools:1 sh -c 'ls ~/rstudio-tmp'
	lab_policy '.defaults.network.publish = ["8787"]'
	echo "$output $stderr"
	[ "$output" = $'new\nold' ]
}

@test "ces-run apptainer: an image whose passwd is a link or missing runs, and nothing is written through the link" {
	ces alice pull -q $open/odd-users:1
	run --separate-stderr as alice ces-run apptainer $open/odd-users:1 sh -c 'id -u; cat /srv/theirs; touch ~/x && echo written'
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'4401\nkept\nwritten' ]
	ces alice pull -q $open/bare:1
	run --separate-stderr as alice ces-run apptainer $open/bare:1 sh -c 'id -u; ls /etc/passwd'
	echo "$output $stderr"
	[ "${lines[0]}" = 4401 ]
}

@test "CES_SAFE_OUTPUTS and CES_SCRATCH: ~/safe_outputs/APP/SESSION and ~/scratch/APP/SESSION are used, and stay" {
	lab_policy '.defaults.network.publish = ["8787"] | .defaults.binds = ["~"]'
	as alice mkdir -p safe_outputs/jupyter_app/1 scratch/jupyter_app/1
	as alice touch scratch/jupyter_app/1/before
	places='CES_SAFE_OUTPUTS=$HOME/safe_outputs/jupyter_app/1 CES_SCRATCH=./scratch/jupyter_app/1'
	run --separate-stderr as alice sh -c "env $places ces-run $open/tools:1 sh -c 'echo r > /safe_outputs/result; ls /scratch; touch /scratch/after \$TMPDIR/tmp; echo \$TMPDIR'"
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'before\n/scratch' ]
	[[ $stderr == *"outputs in /home/alice/safe_outputs/jupyter_app/1"* ]]
	[ "$(cat /home/alice/safe_outputs/jupyter_app/1/result)" = r ]
	[ "$(stat -c %U /home/alice/safe_outputs/jupyter_app/1/result)" = alice ]
	[ "$(ls /home/alice/scratch/jupyter_app/1)" = $'after\nbefore\ntmp' ]
	no compgen -G '/home/alice/outputs_*'
	no compgen -G '/home/alice/scratch_*'
	# (if a program fails or a helper dies, none of the caller's files are removed)
	run as alice sh -c "env $places ces-run $open/tools:1 false"
	[ "$status" -eq 1 ]
	as alice sh -c "env $places ces-run -q $open/tools:1 sh -c 'echo up; exec sleep 600'" > $lab/up 2> /dev/null 3>&- &
	eventually test -s $lab/up
	pkill -KILL -x 'ces-helper|ces-admit|ces-session'
	wait $! || true
	ces-client clean
	[ "$(ls /home/alice/scratch/jupyter_app/1)" = $'after\nbefore\ntmp' ]
	[ -e /home/alice/safe_outputs/jupyter_app/1/result ]
	# (an option on the command line wins)
	as alice mkdir -p typed
	file opts <<< '-v ~/typed:/safe_outputs'
	run as alice sh -c "env $places ces-run --opt-file work/opts $open/tools:1 touch /safe_outputs/here"
	[ -e /home/alice/typed/here ]
	run --separate-stderr as alice sh -c "CES_SCRATCH=/home/alice/none ces-run $open/tools:1 true"
	client_refused 'does not exist or is not open to you'
	lab_policy '.defaults.network.publish = ["8787"]'
	run --separate-stderr as alice sh -c "env $places ces-run $open/tools:1 true"
	client_refused 'you may not bind'
	run --separate-stderr as alice sh -c "CES_SCRATCH=/home/bob ces-run $open/tools:1 true"
	client_refused 'you may not bind'
	rm -r /home/alice/safe_outputs /home/alice/scratch /home/alice/typed
}

@test "a directory other than the project's own in the place of /safe_data is refused" {
	as alice mkdir -p work/mine
	for at in /safe_data /safe_data/ //safe_data/.; do
		guide "podman run --mount type=bind,source=/home/alice/work/mine,destination=$at \${CR_URL} true"
		client_refused '^ces: .*(/safe_data is /safe_data/nsh-2024-0001, the project.s data: bind /home/alice/work/mine somewhere else|nothing can be mounted)'
	done
	guide 'podman run --mount type=bind,source=/safe_data,destination=/safe_data ${CR_URL} true'
	client_refused 'somewhere else'
	guide 'podman run -v ${SAFE_DATA}/../nsh-2024-0002:/safe_data ${CR_URL} true'
	client_refused 'ces: '
}

@test "HOME, USER and ~ in an opt-file, an arg-file and an env-file are the caller's" {
	lab_policy '.defaults.network.publish = ["8787"] | .defaults.binds = ["~"]'
	as alice mkdir -p .dcmaudit
	file opts <<< '-v ${HOME}/.dcmaudit:/root/.dcmaudit -v ~/.dcmaudit:/also:ro -e WHO=${USER} -e "LITERAL=\$USER"'
	file args <<< 'sh -c "echo $WHO $LITERAL $FROM $THERE $1; touch /root/.dcmaudit/seen; ls /also" - ${USER}'
	sed -i "s/\"echo/'echo/; s/also\"/also'/" /home/alice/work/args
	file envs <<< $'FROM=${USER}\nTHERE='"'\${HOME}'"
	run --separate-stderr as alice ces-run --opt-file work/opts --env-file work/envs --arg-file work/args $open/tools:1
	lab_policy '.defaults.network.publish = ["8787"]'
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'alice $USER alice ${HOME} alice\nseen' ]
	rm -r /home/alice/.dcmaudit
}

@test "the sample job for Slurm pulls, runs within the job's cpus and memory, and ends with the run's status" {
	local job=/home/alice/job.sbatch
	sed "s|^image=.*|image=$image/tools:1|; s|--username \"\$USER\"|--username $registry_user|" \
		/usr/share/doc/ces/examples/job.sbatch > $job
	printf %s "$registry_token" > /home/alice/.ces-token
	chown alice /home/alice/.ces-token
	chmod 600 /home/alice/.ces-token
	ces alice rmi $image/tools:1 || true
	run --separate-stderr as alice env USER=alice SLURM_CPUS_PER_TASK=1 SLURM_MEM_PER_NODE=300 bash $job \
		sh -c 'echo done > /safe_outputs/result; exit 3'
	[ "$status" -eq 3 ]
	[ "$(cat /home/alice/outputs_*/result)" = done ]
	journal_new -se 'map(select(.verb == "run" and .event == "decision")) | .[0].limits | .cpus_milli == 1000 and .memory == 314572800'
	rm -rf $job /home/alice/.ces-token /home/alice/outputs_*
	ces alice rmi $image/tools:1
}

@test "a user who logs in as root of the container, as in RStudio, reads the data" {
	run --separate-stderr ces alice run -q $open/tools:1 su root -c 'wc -l < /safe_data/patients.csv; id -G'
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'5\n0 65536' ]
	ces alice run -q $open/tools:1 su root -c 'touch /safe_outputs/by_root'
	[ "$(stat -c %U "$(outputs alice)"/by_root)" = alice ]
	nothing_left_behind
}

@test "who is in two projects chooses one by the guides' bind of its data to /safe_data" {
	have carol tools
	for bind in "--mount type=bind,source=/safe_data/nsh-2024-0002,destination=/safe_data" \
		"--bind /safe_data/nsh-2024-0002/:/safe_data/"; do
		as carol tee opts <<< "$bind"
		run --separate-stderr as carol ces-run -q --opt-file opts $open/tools:1 sh -c 'touch /safe_data/carol && rm /safe_data/carol'
		echo "$output $stderr"
		[ "$status" -eq 0 ]
	done
	journal_new -se 'map(select(.event == "decision" and .verb == "run") | .project) == ["nsh-2024-0002", "nsh-2024-0002"]'
	# it chooses among the caller's own alone, and what is typed wins
	run --separate-stderr as carol ces-client run -v /safe_data/nsh-2024-0003:/safe_data $open/tools:1
	[[ $stderr == *"you are in several projects"* ]]
	run --separate-stderr as carol ces-client run --project nsh-2024-0001 -v /safe_data/nsh-2024-0002:/safe_data $open/tools:1
	[[ $stderr == *"/safe_data is /safe_data/nsh-2024-0001, the project's data"* ]]
	run --separate-stderr as carol ces-client run -v /safe_data/nsh-2024-0002:/mnt $open/tools:1
	[[ $stderr == *"you are in several projects"* ]]
	rm -rf /home/carol/outputs_* /home/carol/opts
}

# With these settings a rocker image makes a user with the given numbers, and starts the workbench as that user, who has the
# groups of the image's /etc/group and no others. Without them root signs in: the container does not have every id.
rocker='[ "${RUNROOTLESS:-auto}" != auto ] || RUNROOTLESS=$(grep -q 4294967295 /proc/self/uid_map && echo false || echo true)
	[ $RUNROOTLESS = false ] || { touch /safe_outputs/by_root; id -u; exec wc -l < /safe_data/patients.csv; }
	echo "rstudio:x:$USERID:$GROUPID::/home:/bin/sh" >> /etc/passwd; touch /safe_outputs/by_root
	exec su rstudio -c "id -u; id -g; cat /safe_data/patients.csv | wc -l; touch /safe_outputs/by_rstudio /scratch/t; id -G"'

@test "rocker's run.sh works: env_file with RUNROOTLESS=false, USERID=\$(id -u), GROUPID=\$(id -g), --opt-file opt_file" {
	as alice sh -c 'cd work
		echo "DISABLE_AUTH=false" >> env_file
		echo "RUNROOTLESS=false" >> env_file
		echo "USERID="$(id -u) >> env_file
		echo "GROUPID="$(id -g) >> env_file
		echo "PASSWORD=test" >> env_file
		echo "-p 8787:8787" >> opt_file'
	run --separate-stderr as alice sh -c "cd work && ces-run --opt-file opt_file --env-file env_file $open/tools:1 sh -c '$rocker'"
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'4401\n4401\n5\n4401' ]
	[ "$(stat -c '%n %U:%G' "$(outputs alice)"/by_* | sed 's|.*/||')" = $'by_root alice:alice\nby_rstudio alice:alice' ]
	nothing_left_behind
}

@test "rocker with the caller's number in USERID alone makes that user, who is the caller" {
	run --separate-stderr as alice sh -c "ces-client run -q -e USERID=\$(id -u) -e GROUPID=\$(id -g) $open/tools:1 sh -c '$rocker'"
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'4401\n4401\n5\n4401' ]
	[ "$(stat -c '%U' "$(outputs alice)"/by_rstudio)" = alice ]
	# where somebody wants root to sign in, root is the caller
	run --separate-stderr ces alice run -q -e USERID=4401 -e RUNROOTLESS=true $open/tools:1 sh -c "$rocker"
	echo "$output $stderr"
	[ "$output" = $'0\n5' ]
	[ "$(stat -c %U "$(ls -td /home/alice/outputs_* | head -n 1)"/by_root)" = alice ]
	nothing_left_behind
}

@test "when USERID is another user's number, it is a number of the image's own, and its files outside are the caller's" {
	run ces alice run -q -e RUNROOTLESS=false -e USERID=4402 -e GROUPID=4402 $open/tools:1 sh -c "$rocker"
	echo "$output"
	[[ $output == 4402* ]]
	[[ $output == *"Permission denied"* ]]
	[ "$(stat -c %U "$(outputs alice)"/by_root)" = alice ]
	[[ $(ces alice run --dry-run -e USERID=4401 $open/tools:1) == *"identity: uid 4401 inside is alice outside"* ]]
	[[ $(ces alice run --dry-run -e USERID=4402 $open/tools:1) == *"identity: root inside is alice"* ]]
}
