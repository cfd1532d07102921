#!/usr/bin/env bats
# Jobs from start to end: they read /safe_data and leave results in /safe_outputs.

load desktop.bash

setup_file()
{
	desktop_policy
	get python octave r
}
teardown_file() { lab_policy; }
setup() { remember; }
teardown() { rm -rf /home/alice/outputs_*; }

# Prints WIDTH HEIGHT COLOURS of a picture: it must have the requested size, and not be blank.
is_plot() # FILE
{
	local width height colours
	read -r width height colours < <(tests/workloads/png.py "$1")
	echo "$1: $width x $height, $colours colours"
	[ "$width" -ge 480 ] && [ "$width" -le 1000 ] && [ "$height" -ge 400 ] && [ "$height" -le 1000 ] && [ "$colours" -ge 3 ]
}

@test "Python with NumPy fits a line to the project's data and saves what it found" {
	run --separate-stderr ces alice run $image/python:1
	[ "$status" -eq 0 ]
	[ "$output" = "fit: 4 patients, slope -0.0540" ]
	[ "$(cat "$(outputs alice)/fit.csv")" = $'slope,offset\n-0.0540,4.1823' ]
	[ "$(stat -c '%U %s' "$(outputs alice)/large.npy")" = "alice 2000128" ]
	nothing_left_behind
}

@test "NumPy uses the processors that the run was given, and no more" {
	run ces alice run -q --cpus 1 --entrypoint python3 $image/python:1 -c '
import time, numpy as np
a = np.random.rand(1500, 1500)
wall, cpu = time.monotonic(), time.process_time()
while time.process_time() - cpu < 3: a @ a
print((time.process_time() - cpu) / (time.monotonic() - wall) < 1.5)'
	[ "$output" = True ]
}

@test "Octave draws a plot without a display" {
	run ces alice run $image/octave:1
	[ "$status" -eq 0 ]
	is_plot "$(outputs alice)/plot.png"
	nothing_left_behind
}

@test "R draws a plot without a display, and writes a table" {
	run ces alice run $image/r:1
	[ "$status" -eq 0 ]
	is_plot "$(outputs alice)/plot.png"
	[ "$(cat "$(outputs alice)/means.csv")" = $'"outcome","age"\n0,75.5\n1,61' ]
	nothing_left_behind
}

@test "a script of the caller's runs in an image that was approved for others" {
	as alice sh -c 'mkdir -p code; echo "print(len(open(\"/safe_data/patients.csv\").readlines()))" > code/count.py'
	run ces alice run -q -v ./code:/code:ro --entrypoint python3 $image/python:1 /code/count.py
	rm -r /home/alice/code
	[ "$output" = 5 ]
}

@test "R by ces-run apptainer, in an image made for root, has the caller's name, a home, fonts and a library of their own" {
	run as alice ces-run apptainer -q $image/r:1 Rscript \
		-e 'cat(Sys.info()[["user"]], path.expand("~"), "\n")' \
		-e 'own <- Sys.getenv("R_LIBS_USER"); dir.create(own, recursive = TRUE); cat(file.access(own, 2), "\n")' \
		-e 'png("/safe_outputs/p.png", type = "cairo"); plot(1, main = "with words"); invisible(dev.off())'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"alice /home/alice"* ]]
	[[ $output == *$'\n0 '* ]]
	[[ $output != *[Ff]ontconfig* ]]
	[ "$(head -c 4 "$(outputs alice)/p.png" | tail -c 3)" = PNG ]
}

@test "when an image makes a user with USERID, as rocker's do (useradd, groupmod, su), that user reads the data and writes outputs" {
	get develop
	run ces alice run -q -e USERID=4401 -e GROUPID=4401 $image/develop:1 bash -ec '
		useradd -m rstudio -u "$USERID"; usermod -a -G staff rstudio; groupmod -o -g "$GROUPID" rstudio
		echo rstudio:test | chpasswd
		su - rstudio -c "id -un; head -n 1 /safe_data/patients.csv; touch /safe_outputs/by_rstudio ~/x"'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == rstudio ]]
	[ "$(stat -c %U "$(outputs alice)/by_rstudio")" = alice ]
	nothing_left_behind
}

@test "whoami and pip install --user work by ces-run apptainer, in an image made for root" {
	get develop
	run as alice ces-run apptainer -q $image/develop:1 bash -ec '
		whoami
		python3 -m venv --system-site-packages /scratch/v
		python3 - <<- END
		import zipfile
		with zipfile.ZipFile("/scratch/hello-1-py3-none-any.whl", "w") as wheel:
		    wheel.writestr("hello.py", "")
		    wheel.writestr("hello-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1\n")
		    wheel.writestr("hello-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
		    wheel.writestr("hello-1.dist-info/RECORD", "")
		END
		/scratch/v/bin/pip install -q --user --no-index /scratch/hello-1-py3-none-any.whl
		python3 -c "import hello; print(hello.__file__)"'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = alice ]
	[[ ${lines[-1]} == /home/alice/.local/lib/python3*/hello.py ]]
}
