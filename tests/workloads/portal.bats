#!/usr/bin/env bats
# Services as an Open OnDemand portal shows them: the app's job, and a browser that comes through a web server's proxy. nginx
# plays the portal's Apache, and passes on the requests below /node/HOST/PORT/ as Apache does.

load desktop.bash

sessions=/home/alice/ondemand/data/sys/dashboard/batch_connect/sys

setup_file()
{
	desktop_policy
	get jupyter web
	env -u MAKEFLAGS make -s -C "$CES_TOP" install-ondemand PREFIX=/usr DESTDIR=
	mkdir -p $lab/nginx
	cat > $lab/nginx/conf <<- 'END'
	daemon off;
	pid nginx.pid;
	error_log stderr;
	events {}
	http {
		access_log off;
		server {
			listen 127.0.0.1:8080;
			location ~ ^/node/[^/]+/(\d+)/ {
				proxy_pass http://127.0.0.1:$1;
				proxy_http_version 1.1;
				proxy_set_header Upgrade $http_upgrade;
				proxy_set_header Connection upgrade;
				proxy_set_header Host $http_host;
			}
		}
	}
	END
	nginx -p $lab/nginx -c conf > $lab/nginx.log 2>&1 3>&- < /dev/null &
	echo $! > $lab/nginx.process
	lab_wait_port 8080 $lab/nginx.log 127.0.0.1
}
teardown_file()
{
	kill "$(cat $lab/nginx.process)"
	lab_policy
}
setup() { remember; }
teardown()
{
	[ -z "${job:-}" ] || kill -TERM "$job" 2> /dev/null || true
	stop_all
	rm -rf /home/alice/ondemand /home/alice/outputs_*
}

# Runs an app with an image of these tests until it has written connection.yml. Sets $dir and $job.
launch() # APP IMAGE-NAME [PYTHON: changes of the app's settings]
{
	/usr/bin/python3 -c "
import yaml
site = yaml.safe_load(open('$CES_TOP/ondemand/ondemand.yml'))
site['clusters'] = ['node']
app = site['${1%_app}']
app |= {'image': '$image/$2:1', 'registry_user': '$registry_user', 'registry_token': '$registry_token'}
${3:-}
yaml.safe_dump(site, open('/etc/ces/ondemand.yml', 'w'))"
	dir=$sessions/$1/output/0c1f7f2e-6f0a-4d0e-9a6e-000000000001
	as alice /usr/bin/ruby "$CES_TOP/tests/lib/ondemand.rb" stage $1 "$dir" <<< '{"memory": "2"}'
	setpriv --reuid=alice --regid=alice --init-groups --reset-env "$CES_TOP/tests/lib/batch_connect.sh" "$dir" \
		> "$dir/output.log" 2>&1 3>&- < /dev/null &
	job=$!
	up() { [ -s "$dir/connection.yml" ] || { cat "$dir/output.log"; false; }; }
	for ((i = 0; i < 6; i++)); do ! eventually up || break; done
	up
}
value() { sed -n "s/^$1: //p" "$dir/connection.yml"; } # NAME
stop()
{
	kill -TERM $job
	wait $job || true
	job=
	nothing_left_behind
}

@test "13.10: the Jupyter app of Open OnDemand runs a cell in a browser that comes through a proxy" {
	launch jupyter_app jupyter "app['container_arguments'] = 'jupyter notebook --ip=0.0.0.0 --port=8888 --no-browser --NotebookApp.base_url=/node/\${host}/\${port}/'"
	run as alice "$CES_TOP/tests/workloads/notebook.py" "http://127.0.0.1:8080/node/$(value host)/$(value port)" "$(value password)" \
		'import getpass; open("/safe_outputs/mine", "w").close(); print(getpass.getuser(), sum(range(101)))'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == "alice 5050"* ]]
	[ "$(stat -c %U /home/alice/outputs_*/mine)" = alice ]
	stop
}

# Debian has the server of JupyterLab, and not what a browser shows of it.
@test "the Jupyter app shows the project's data, and a notebook that is made where it begins is in the outputs" {
	launch jupyter_app jupyter "app['container_arguments'] = app['container_arguments'].replace('jupyter lab', 'jupyter server')"
	contents() { as alice curl -s -H "Authorization: token $(value password)" "${@:2}" \
		"http://127.0.0.1:8080/node/$(value host)/$(value port)/api/contents/$1"; }
	contents safe_data | jq -e '[.content[].name] | index("patients.csv") != null'
	begins=$(sed -n 's/.*--ServerApp.preferred_dir=\/\([^ ]*\).*/\1/p' "$dir/form/container_arguments")
	name=$(contents "$begins" -X POST -d '{"type": "notebook"}' | jq -er .name)
	stop
	[ "$(stat -c %U "$(ls /home/alice/outputs_*/"$name")")" = alice ]
}

@test "who presses the button of the RStudio app is signed in, with the project's data" {
	launch rstudio_app web
	as alice /usr/bin/ruby "$CES_TOP/tests/lib/ondemand.rb" view rstudio_app "$dir" view.html.erb > $lab/view
	field() { sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" $lab/view; }
	run curl -s -u "$(field username):$(field password)" "http://127.0.0.1:$(value port)/"
	echo "$(field username): $output"
	[[ $output == *"Signed in"* ]]
	has_data() { [ "$(cat /home/alice/outputs_*/session)" = $'root\nid,age,outcome' ]; }
	eventually has_data
	stop
}
