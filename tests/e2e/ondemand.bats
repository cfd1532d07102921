#!/usr/bin/env bats
# The apps of Open OnDemand: what the dashboard makes of a form, and what the job then does. Slurm and Open OnDemand are not
# installed: tests/lib/ondemand.rb and batch_connect.sh act as their documentation says.

load ../lib/e2e.bash

sessions=ondemand/data/sys/dashboard/batch_connect/sys
tools=open.tre.test/epcced/tools:1
apps="batch_container_app jupyter_app rstudio_app"
marker=/home/alice/was_run # a hostile value would make this

setup_file()
{
	env -u MAKEFLAGS make -s -C "$CES_TOP" install-ondemand PREFIX=/usr DESTDIR=
	policy
	install -m 755 "${B:-build}/tests/hog_driver" /safe_data/nsh-2024-0001/hog
	cp /etc/ces/ondemand.yml $lab/ondemand.yml
}
policy() { lab_policy '.defaults.limits += {memory: "2G", time: "5m"} | .defaults.network.publish = ["8888"]'; }
site() { /usr/bin/python3 -c "
import sys, yaml
site = yaml.safe_load(open('$lab/ondemand.yml'))
site['clusters'] = ['slurm', 'slurm-gpu']
$1
yaml.safe_dump(site, open('/etc/ces/ondemand.yml', 'w'))"; }
setup()
{
	policy
	site ''
	remember
	count=0
}
teardown()
{
	[ -z "${job:-}" ] || kill -KILL "$job" 2> /dev/null || true
	rm -rf /home/*/outputs_* /home/*/ondemand $marker
	chmod 2770 /safe_data/nsh-2024-000[12]
}
teardown_file() { rm -f /safe_data/nsh-2024-0001/hog; }

dashboard() # USER COMMAND APP [DIR [FILE]]; values on stdin
{
	as "$1" /usr/bin/ruby "$CES_TOP/tests/lib/ondemand.rb" "${@:2}"
}

# Stages a session of USER's. Sets $dir.
session() # USER APP VALUES
{
	count=$((count + 1))
	dir=/home/$1/$sessions/$2/output/0c1f7f2e-6f0a-4d0e-9a6e-00000000000$count
	dashboard "$1" stage "$2" "$dir" <<< "$3"
}

# Runs its job from start to end, as the batch system does. Sets $status, and $last to the last line of its log.
run_job() # USER APP VALUES
{
	session "$@"
	status=0
	as "$1" ${printers:+env "PATH=$printers:/usr/bin:/bin"} \
		sh -c 'exec "$0" "$1" > "$1/output.log" 2>&1 < /dev/null' "$CES_TOP/tests/lib/batch_connect.sh" "$dir" 3>&- || status=$?
	last=$(tail -n 1 "$dir/output.log")
	cat "$dir/output.log"
	echo "status $status"
}

# Does the same in the background. Sets $job.
start_job() # USER APP VALUES
{
	session "$@"
	setpriv --reuid="$1" --regid="$1" --init-groups --reset-env "$CES_TOP/tests/lib/batch_connect.sh" "$dir" \
		> "$dir/output.log" 2>&1 3>&- < /dev/null &
	job=$!
}

batch() # JQ-FIELDS: values of the form, in JSON
{
	jq -n --arg image $tools "{image: \$image, container_arguments: \"\", cores: \"1\", memory: \"1\"} + $1"
}

dated='^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} UTC [0-9]{4} '

@test "every app is whole: it has a manifest of batch connect, a form, a view and an icon" {
	for app in $apps; do
		(cd /var/www/ood/apps/sys/$app && ls manifest.yml form.yml.erb submit.yml.erb view.html.erb icon.svg template/before.sh.erb)
		[ -x /var/www/ood/apps/sys/$app/template/script.sh.erb ]
		/usr/bin/ruby -ryaml -e 'exit YAML.safe_load_file(ARGV[0])["role"] == "batch_connect"' /var/www/ood/apps/sys/$app/manifest.yml
		dashboard alice form $app | jq -e '(.form - (.attributes | keys)) == [] and .cluster == ["slurm", "slurm-gpu"]'
	done
}

@test "with session_directories, ~/safe_outputs/APP/SESSION and ~/scratch/APP/SESSION are used, and stay" {
	lab_policy '.defaults.limits += {memory: "2G", time: "5m"} | .defaults.network.publish = ["8888"] | .defaults.binds = ["~"]'
	site 'site["session_directories"] = True'
	run_job alice batch_container_app "$(batch '{container_arguments: "sh -c \"echo r > /safe_outputs/r; echo s > /scratch/s\""}')"
	[ "$status" -eq 0 ]
	name=batch_container/$(basename "$dir")
	[ "$(cat "/home/alice/safe_outputs/$name/r" "/home/alice/scratch/$name/s")" = $'r\ns' ]
	no compgen -G '/home/alice/outputs_*'
	# a policy without such binds refuses, and says so
	policy
	run_job alice batch_container_app "$(batch '{container_arguments: "true"}')"
	[ "$status" -eq 125 ]
	[[ $last == *"you may not bind"* ]]
	rm -r /home/alice/safe_outputs /home/alice/scratch
}

@test "the form of the batch app has the fields of the guides, in their order" {
	dashboard alice form batch_container_app > $lab/form
	[ "$(jq -r '. as $f | .form[] | $f.attributes[.] | objects | .label' $lab/form)" = "Container/image URL in container registry
Container registry username
Container registry access token
Container runner
Reuse Apptainer SIF file
Container name
Project
CPUs/cores
Memory (GiB)
Container runner command-line arguments
Environment variables
Container-specific command-line arguments" ]
	jq -e '.attributes | .container_arguments.value == "-d 5\n-n ${USER}\n" and .registry_token.widget == "password_field"
		and .registry_token.cacheable == false' $lab/form
	# (the form offers a GPU if there is one)
	site 'site["gpu_clusters"] = ["slurm-gpu"]'
	dashboard alice form batch_container_app | jq -e '.attributes.use_gpu.widget == "check_box"
		and .attributes.cluster.options == [["slurm", "slurm", {"data-hide-use-gpu": true}], ["slurm-gpu", "slurm-gpu"]]'
}

@test "a submitted job has the name of the image, cores, memory and a GPU, and six hours" {
	dashboard alice submit batch_container_app "/home/alice/s/output/1" <<< "$(batch '{cores: "3", memory: "5", use_gpu: "1"}')" > $lab/submit
	cat $lab/submit
	jq -e '.script == {job_name: "tools:1", wall_time: 21600,
		native: ["--nodes=1", "--ntasks=1", "--cpus-per-task=3", "--mem=5G", "--gpus=1"]}
		and .batch_connect == {template: "basic", conn_params: ["ces_container"]}' $lab/submit
	[ "$(stat -c %a /home/alice/s/output)" = 700 ]
	dashboard alice submit jupyter_app "/home/alice/s/output/1" <<< '{}' | jq -e '.script.job_name == "jupyter_app"'
	rm -rf /home/alice/s
}

@test "hostile values are submitted letter by letter, and a text that is no number is refused" {
	hostile=$'x/$(touch '$marker$')`touch '$marker$'`" \'\n- evil: [1]\n#{exit}<%= exit %>'
	dashboard alice submit batch_container_app "" <<< "$(jq -n --arg image "$hostile" '{image: $image}')" > $lab/submit
	cat $lab/submit
	jq -e '(.script | keys) == ["job_name", "native", "wall_time"] and (.script.job_name | test("^[A-Za-z0-9._:-]+$"))' $lab/submit
	for bad in 'cores:$(id)' cores:29 memory: memory:0 $'memory:1\n2'; do
		run dashboard alice submit batch_container_app "" <<< "$(jq -n --arg v "${bad#*:}" "{${bad%%:*}: \$v}")"
		echo "$bad: $output"
		[ "$status" -ne 0 ]
		[[ $output == *"${bad%%:*}: type a whole number, 1 to "* ]]
	done
	no test -e $marker
}

@test "when a job succeeds, its last line says so, and it ends with 0" {
	run_job alice batch_container_app "$(batch '{container_arguments: "sh -c \"echo hello from $GREETING; echo out > /safe_outputs/o\"", environment: "GREETING=Hello there\r\nWHO=${USER}\r\n"}')"
	[ "$status" -eq 0 ]
	grep -q '^hello from Hello there$' "$dir/output.log"
	[[ $last =~ ${dated}"script.sh: the container ended well (exit status 0)"$ ]]
	[ "$(cat "$(outputs alice)/o")" = out ]
	[ "$(cat "$dir/connection.yml" | sed -n 's/^ces_container: //p')" = "tools-$(basename "$dir")" ]
	dashboard alice view batch_container_app "$dir" view.html.erb | grep -q "Container tools-$(basename "$dir") is now running. Please wait until the container completes."
	run dashboard alice view batch_container_app "$dir" completed.html.erb
	[[ $output == *"the container ended well"* && $output != *Failed* ]]
	[ "$(journal_new -s -r 'map(select(.event == "end" and .verb != "pull"))[0].status')" = 0 ]
	nothing_left_behind
}

@test "when a program fails, the job has its status, and the last line and the card say so" {
	run_job alice batch_container_app "$(batch '{container_arguments: "sh -c \"exit 7\""}')"
	[ "$status" -eq 7 ]
	[[ $last =~ ${dated}"script.sh ERROR: the container's program failed (exit status 7)"$ ]]
	run dashboard alice view batch_container_app "$dir" completed.html.erb
	[[ $output == *"Failed."*"exit status 7"* ]]
	run_job alice batch_container_app "$(batch '{container_arguments: "no-such-program"}')"
	[ "$status" -eq 127 ]
	[[ $last == *"script.sh ERROR: the container did not run: "*"(exit status 127)" ]]
}

@test "when a job runs out of memory, it says so and ends with 137" {
	run_job alice batch_container_app "$(batch '{container_arguments: "/safe_data/hog heap 2000"}')"
	[ "$status" -eq 137 ]
	[[ $last == *"script.sh ERROR: out of memory: killed at the memory limit of 896 MiB (peak "*"(exit status 137)" ]]
}

@test "an image that is not approved is refused before anything is pulled, and the job ends with 125" {
	run_job alice batch_container_app "$(batch '{image: "ghcr.io/stranger/tool:1"}')"
	[ "$status" -eq 125 ]
	[[ $last =~ ${dated}"before.sh ERROR: CES refused: denied: no image rule of project nsh-2024-0001 allows ghcr.io/stranger/tool ".*"(exit status 125)"$ ]]
	journal_new -s -e 'map(select(.verb == "pull")) == []'
	run dashboard alice view batch_container_app "$dir" completed.html.erb
	[[ $output == *"Failed."*"no image rule"* ]]
	nothing_left_behind
}

@test "the three lines of the guides appear: no project, no reading, no writing" {
	run_job dave batch_container_app "$(batch '{}')"
	[ "$status" -eq 125 ]
	[[ $last =~ ${dated}"before.sh ERROR: Cannot find a project directory corresponding to any of the user's groups"$ ]]
	chmod 700 /safe_data/nsh-2024-0001
	run_job alice batch_container_app "$(batch '{}')"
	[ "$status" -eq 125 ]
	[[ $last =~ ${dated}"before.sh ERROR: Cannot read from /safe_data/nsh-2024-0001"$ ]]
	chmod 2750 /safe_data/nsh-2024-0002
	run_job bob batch_container_app "$(batch '{}')"
	[ "$status" -eq 125 ]
	[[ $last =~ ${dated}"before.sh ERROR: Cannot write to /safe_data/nsh-2024-0002"$ ]]
	# (if the policy allows only reading, nobody needs to write)
	chmod 2750 /safe_data/nsh-2024-0001
	run_job alice batch_container_app "$(batch '{container_arguments: "true"}')"
	[ "$status" -eq 0 ]
}

@test "with a login, the token reaches the registry, and is in no file when the job has started" {
	values=$(batch "{image: \"$image/tools:1\", registry_user: \"$registry_user\", registry_token: \"$registry_token\", container_arguments: \"true\"}")
	run_job alice batch_container_app "$values"
	[ "$status" -eq 0 ]
	[ "$(grep -rlF "$registry_token" "$dir" | xargs -n 1 basename)" = user_defined_context.json ]
	no grep -rlF "$(printf '%s' "$registry_token" | base64 -w 0)" "$dir"
	[ "$(stat -c '%a' "$dir" "$dir/user_defined_context.json" | paste -sd' ')" = "700 600" ]
	run_job alice batch_container_app "$(jq '.registry_token = "wrong"' <<< "$values")"
	[ "$status" -eq 125 ]
	[[ $last == *"before.sh ERROR: cannot pull: "*" refused the login for epcced/tools"*"(exit status 125)" ]]
	run_job alice batch_container_app "$(jq '.registry_token = ""' <<< "$values")"
	[[ $last == *"before.sh ERROR: a registry username needs an access token" ]]
	# no login where the form says anonymous
	run_job alice batch_container_app "$(batch '{registry_user: "anonymous", registry_token: "anonymous", container_arguments: "true"}')"
	[ "$status" -eq 0 ]
	run_job alice batch_container_app "$(jq '.registry_user = "anonymous" | .registry_token = "anonymous"' <<< "$values")"
	[[ $last == *"before.sh ERROR: cannot pull: "*"wants a login"* ]]
}

@test "podman is root inside and apptainer is the user; a SIF file of ces-pull's can be used again" {
	run_job alice batch_container_app "$(batch '{container_arguments: "id -u"}')"
	grep -qx 0 "$dir/output.log"
	run_job alice batch_container_app "$(batch '{container_arguments: "id -u", runner: "apptainer"}')"
	grep -qx 4401 "$dir/output.log"
	as alice ces-pull -q apptainer $tools
	remember
	run_job alice batch_container_app "$(batch '{container_arguments: "id -u", runner: "apptainer", reuse_sif: "1", registry_user: "u", registry_token: "t"}')"
	[ "$status" -eq 0 ]
	grep -qx 4401 "$dir/output.log"
	no test -e "$dir/form/registry_token"
	journal_new -s -e 'map(select(.verb == "pull")) == []'
	# (a real one, which Apptainer left, is not used again)
	{ head -c 32 /dev/zero; printf 'SIF_MAGIC\0'; head -c 100000 /dev/zero; } > /home/alice/tools:1.sif
	run_job alice batch_container_app "$(batch '{container_arguments: "id -u", runner: "apptainer", reuse_sif: "1"}')"
	[ "$status" -eq 0 ]
	grep -qx 4401 "$dir/output.log"
	rm -f /home/alice/*.sif
}

@test "who is in two projects names one in the form, in every app" {
	for app in $apps; do dashboard alice form $app | jq -e '.attributes.project.widget == "text_field"'; done
	run_job carol batch_container_app "$(batch '{container_arguments: "cat /safe_data/patients.csv"}')"
	[ "$status" -eq 125 ]
	[[ $last == *"you are in several projects"* ]]
	run_job carol batch_container_app "$(batch '{container_arguments: "touch /safe_data/carol_was_here", project: "nsh-2024-0002"}')"
	[ "$status" -eq 0 ]
	rm /safe_data/nsh-2024-0002/carol_was_here
	journal_new -s -e 'map(select(.event == "decision" and .project != null)) | (map(.project) | unique) == ["nsh-2024-0002"]
		and any(.verb == "pull") and any(.verb == "run")'
	run_job carol batch_container_app "$(batch '{container_arguments: "true", project: "nsh-2024-0004"}')"
	[ "$status" -eq 125 ]
	[[ $last == *"you have no project nsh-2024-0004"* ]]
}

@test "no shell runs a form's value, whatever the field: it reaches CES letter by letter, or is refused" {
	# (These print their words, for the shells before them are tried here. All other tests have the real programs.)
	mkdir $lab/printers
	printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' | tee $lab/printers/ces-run > $lab/printers/ces-client
	chmod 755 $lab/printers/*
	for value in "a[\$(touch $marker)] \`touch $marker\`" "'; touch $marker; '\"; touch $marker; \"" \
		$'x\ntouch '"$marker"$'\n<%= %x(touch '"$marker) %> \${HOME:-\$(touch $marker)}"; do
		for fields in image,project,reuse_sif,container_name,use_gpu,runner_arguments,environment,container_arguments \
			registry_user registry_token runner cores memory; do
			printers=$lab/printers run_job alice batch_container_app \
				"$(batch '{}' | jq --arg v "$value" --arg fields $fields '. + ($fields / "," | map({(.): $v}) | add)')" > $lab/job
			echo "$fields: $value"
			cat $lab/job
			no test -e $marker
			case $fields in
			image,*)
				[ "$status" -eq 0 ]
				[ "$(grep -cxF -- "${value%%$'\n'*}" $lab/job)" -ge 2 ] # the image, of a pull and of a run
				grep -qx -- '--name=[A-Za-z0-9._-]*' $lab/job
				for file in runner_arguments environment container_arguments; do [ "$(cat "$dir/form/$file")" = "$value" ]; done
				;;
			registry_*) [[ $last == *" ERROR: a registry "* ]] ;;
			*) [ "$status" -eq 125 ] ;;
			esac
			rm -rf "$dir"
		done
	done
	rm -r $lab/printers
}

@test "a quoted value arrives, and \${NAME} is the back-end's value" {
	text="a  'b' \$(touch $marker) \`id\` \\ \" ;&|<>*?~ \${UNKNOWN}<%= 1 %>"
	values=$(batch '{}' | jq --arg v "$text" '.environment = "T=" + $v + "\nU=${USER}:${HOME}\nB=$PATH"
		| .container_arguments = "sh -c \"env; printf \u0027%s|\u0027 \\\"\\$@\\\"\" - \u0027a b\u0027\n-n ${USER} \u0027$(id)\u0027"')
	run_job alice batch_container_app "$values"
	[ "$status" -eq 0 ]
	grep -qxF "T=${text/\$\{UNKNOWN\}/}" "$dir/output.log"
	grep -qxF "U=alice:/home/alice" "$dir/output.log"
	grep -qxF "B=\$PATH" "$dir/output.log"
	grep -qF 'a b|-n|alice|$(id)|' "$dir/output.log"
	no test -e $marker
}

@test "when a job is cancelled, it ends its run, says so and leaves nothing" {
	start_job alice batch_container_app "$(batch '{container_arguments: "sh -c \"trap \u0027exit 0\u0027 TERM; echo up; while :; do sleep 0.1; done\""}')"
	eventually grep -qx up "$dir/output.log"
	kill -TERM $job
	status=0
	wait $job || status=$?
	job=
	cat "$dir/output.log"
	[[ $(tail -n 1 "$dir/output.log") == *"script.sh ERROR: cancelled, or out of time (exit status $status)" ]]
	nothing_left_behind
}

@test "a service has the session's password and port, and the portal's connections reach it" {
	site "site['jupyter'] |= {'image': '$tools', 'container_arguments': '''sh -c 'mkdir /tmp/www; printf %s \"\$JUPYTER_TOKEN\" > /tmp/www/token; exec httpd -f -p 8888 -h /tmp/www' '''}
site['portal'] = ['$lab_outside']"
	start_job alice jupyter_app '{"memory": "1"}'
	eventually test -s "$dir/connection.yml"
	port=$(sed -n 's/^port: //p' "$dir/connection.yml")
	password=$(sed -n 's/^password: //p' "$dir/connection.yml")
	[ ${#password} -eq 32 ]
	cat "$dir/output.log"
	# (as another user, like the portal's web server, and by its address)
	[ "$(curl -sf --max-time 5 --interface $lab_outside "http://$lab_outside:$port/token")" = "$password" ]
	no curl -sf --max-time 5 "http://127.0.0.1:$port/token"
	dashboard alice view jupyter_app "$dir" view.html.erb > $lab/view
	grep -qF "action=\"/node/$(hostname)/$port/lab\"" $lab/view
	grep -qF "name=\"token\" value=\"$password\"" $lab/view
	dashboard alice view rstudio_app "$dir" view.html.erb > $lab/view
	grep -qF "action=\"/rnode/$(hostname)/$port/auth-do-sign-in\"" $lab/view
	grep -qF 'name="username" value="root"' $lab/view
	kill -TERM $job
	wait $job || true
	job=
	nothing_left_behind
	no curl -sf --max-time 5 --interface $lab_outside "http://$lab_outside:$port/token"
}

@test "when a service does not answer in time, the job ends and says so" {
	site "site['rstudio'] |= {'image': '$tools', 'container_arguments': 'sleep 20', 'service_port': 8888, 'runner_arguments': ''}
site['connection_timeout'] = 1"
	run_job alice rstudio_app '{"memory": "1"}'
	[ "$status" -ne 0 ]
	[[ $last == *"script.sh ERROR: the service did not answer in time (exit status $status)" ]]
	no test -e "$dir/connection.yml"
	nothing_left_behind
}

@test "when the batch system starts a job again, it does not run without its values" {
	run_job alice batch_container_app "$(batch '{container_arguments: "true"}')"
	run as alice "$CES_TOP/tests/lib/batch_connect.sh" "$dir"
	[ "$status" -eq 125 ]
	[[ $output == *"before.sh ERROR: this job has run before: launch a new one" ]]
}
