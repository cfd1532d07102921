#!/usr/bin/env bats
# Services, used through their published ports as people use them.

load desktop.bash

setup_file()
{
	desktop_policy
	get postgres jupyter web
}
teardown_file() { lab_policy; }
setup() { remember; }
teardown()
{
	stop_all
	rm -rf /home/alice/{pgdata,work}
}

query() # SQL
{
	as alice env PGPASSWORD=letmein PGCONNECT_TIMEOUT=5 psql -h 127.0.0.1 -U postgres -qAt -c "$1"
}
database() # [RUN-OPTION...]
{
	start -p 5432:5432 -e POSTGRES_PASSWORD=letmein "$@" postgres
	eventually query 'select 1'
}

@test "PostgreSQL, started as root, becomes its own user and answers psql through the published port" {
	as alice mkdir pgdata
	database -v ./pgdata:/var/lib/postgresql/data
	[ "$(query 'show data_directory')" = /var/lib/postgresql/data ]
	query 'create table visits as select i, i % 7 as ward from generate_series(1, 100000) i; create index on visits (ward)'
	[ "$(query 'select count(*) from visits where ward = 3')" = 14286 ]
	# shared memory between its processes
	[ "$(query 'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
		set min_parallel_table_scan_size = 0; select sum(i) from visits')" = 5000050000 ]
	# (neither it nor its files belong to root inside, or to another user outside)
	server=$(pgrep -xo postgres)
	[ "$(stat -c %u /proc/"$server")" -ge 2000000000 ]
	[ "$(stat -c %u /home/alice/pgdata/PG_VERSION)" -ge 2000000000 ]
}

@test "the data of PostgreSQL in a bind are there in the next run" {
	as alice mkdir pgdata
	database -v ./pgdata:/var/lib/postgresql/data
	query "create table kept as select 'still here'::text as line"
	ces alice stop -q "$n"
	[[ $(ces alice logs "$n") == *"database system is shut down"* ]]
	database -v ./pgdata:/var/lib/postgresql/data
	[ "$(query 'select line from kept')" = "still here" ]
	ces alice stop -q "$n"
	nothing_left_behind
	# and the user can remove them, from inside
	ces alice run -q -v ./pgdata:/d --entrypoint find $image/postgres:1 /d -mindepth 1 -delete
	as alice rmdir pgdata
}

@test "a job finds the database that its own program started, and a stranger does not" {
	as alice mkdir pgdata
	database -v ./pgdata:/var/lib/postgresql/data
	no as bob env PGPASSWORD=letmein psql -h 127.0.0.1 -U postgres -c 'select 1'
	no as alice env PGPASSWORD=wrong psql -h 127.0.0.1 -U postgres -c 'select 1'
	# (the report of a connection comes after its end)
	eventually journal_new -s -e 'map(select(.event == "stranger" and .uid == 4401 and .stranger == 4402)) | length >= 1'
}

@test "a database with today's opt-file and env-file works" {
	as alice sh -c 'umask 077; mkdir pgdata; echo POSTGRES_PASSWORD=letmein > db.env
		printf "%s\n" "-d -p 5432:5432" "-v ./pgdata:/var/lib/postgresql/data" > db.opts'
	as alice ces-run -q -n db --env-file db.env --opt-file db.opts $image/postgres:1
	rm /home/alice/db.env /home/alice/db.opts
	eventually query 'select 1'
	ces alice stop -q db
	nothing_left_behind
}

@test "Jupyter in a browser runs a cell, and its results are in ~/outputs" {
	as alice mkdir work
	start -p 8888:8888 -e JUPYTER_TOKEN=letmein -v ./work:/home/jovyan/work jupyter
	eventually as alice curl -sf http://127.0.0.1:8888/api
	run as alice "$CES_TOP/tests/workloads/notebook.py" http://127.0.0.1:8888 letmein \
		'import os; rows = open("/safe_data/patients.csv").readlines(); open("/safe_outputs/rows", "w").write(str(len(rows))); open("work/mine", "w").close(); print(sum(range(101)), os.getuid())'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == "5050 1000"* ]]
	[ "$(cat "/home/alice/outputs_$n/rows")" = 5 ]
	[ "$(stat -c %U "/home/alice/outputs_$n/rows" /home/alice/work/mine | uniq)" = alice ]
	ces alice stop -q "$n"
	nothing_left_behind
}

@test "Jupyter by ces-run apptainer has the caller's own name, uid and home, in a browser" {
	as alice sh -c 'printf "%s\n" "-p 8888:8888" "-e JUPYTER_TOKEN=letmein" > opts'
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-run apptainer -n lab --opt-file opts $image/jupyter:1 > /dev/null 2>&1 3>&- < /dev/null &
	eventually as alice curl -sf http://127.0.0.1:8888/api
	run as alice "$CES_TOP/tests/workloads/notebook.py" http://127.0.0.1:8888 letmein \
		'import getpass, os, site; os.makedirs(site.getusersitepackages()); open("/safe_outputs/mine", "w").close(); print(getpass.getuser(), os.getuid(), os.path.expanduser("~"))'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == "alice 4401 /home/alice"* ]]
	[ "$(stat -c %U /home/alice/outputs_*/mine)" = alice ]
	ces alice stop -q lab
	rm /home/alice/opts
	nothing_left_behind
}

page() { as alice curl -s -o /dev/null -w '%{http_code}' "$@" http://127.0.0.1:8787/; } # [CURL-OPTION...]
answers() { [ "$(page)" = 401 ]; }

# What the session of the user who signs in has written.
session() { [ "$(cat /home/alice/outputs_*/session)" = "$1"$'\nid,age,outcome' ]; } # USER

@test "a workbench that starts as root, with tmpfs on /run, lets root sign in, and drops to www-data" {
	start -p 8787:8787 -e PASSWORD=letmein --mount type=tmpfs,destination=/run \
		--mount type=tmpfs,destination=/var/lib/rstudio-server web
	eventually answers
	[ "$(page -u root:wrong)" = 401 ]
	[ "$(page -u rstudio:letmein)" = 401 ]
	[[ $(as alice curl -s -u root:letmein http://127.0.0.1:8787/) == *"Signed in"* ]]
	eventually session root
	# (the master is root inside, which is alice; the processes that read from the network are not)
	[ "$(ps -C nginx -o user= | sort | uniq -c | awk '$2 == "alice" { print $1 }')" -eq 1 ]
	[ "$(ps -C nginx -o uid= | awk '$1 >= 2000000000' | wc -l)" -eq 2 ]
	ces alice stop -q "$n"
	nothing_left_behind
}

@test "the same workbench with today's commands works, and with the caller's USERID its user is the caller" {
	as alice tee opts > /dev/null <<- END
	-p 8787:8787 --mount type=tmpfs,destination=/run
	--mount type=tmpfs,destination=/var/lib/rstudio-server
	-e PASSWORD=letmein -e USERID=$(id -u alice)
	END
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-run --opt-file opts -n bench $image/web:1 > /dev/null 2>&1 3>&- < /dev/null &
	eventually answers
	[ "$(page -u rstudio:letmein)" = 200 ]
	eventually session rstudio
	[ "$(stat -c %U /home/alice/outputs_*/session)" = alice ]
	ces alice stop -q bench
	rm /home/alice/opts
	nothing_left_behind
}
