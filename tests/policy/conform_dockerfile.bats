#!/usr/bin/env bats
# ces-policy conform, of a Dockerfile: each rule is tested once broken and once kept.

load common.bash
load conform.bash

@test "a Dockerfile that keeps all rules has no finding" {
	run conform --strict "$f"
	[ "$status" -eq 0 ]
	[ "$output" = "Dockerfile: 0 errors, 0 warnings, 0 notes" ]
}

@test "a base without a version is an error; a base with a tag or a digest is not" {
	wrong C001 '1c FROM python' '.line == 1 and .severity == "error"'
	severity error
	wrong C001 '1c FROM docker.io/library/python:latest'
	wrong C001 '1c FROM reg.test:5000/python'
	right C001 '1c FROM reg.test:5000/python:3'
	right C001 '1c FROM docker.io/library/python:latest@sha256:8fb099199b9f2d70342674bd9dbccd3ed03a258f26bbd1d556822c6dfc60c317'
	right C001 '1c FROM scratch'
}

@test "a base without a digest is a note, and so is a base without a registry" {
	wrong C002 '1c FROM docker.io/library/python:3.11' '.severity == "note"'
	severity note
	right C002 ''
	wrong C003 '1c FROM python:3.11' '.severity == "note" and .write == "FROM docker.io/library/python:3.11"'
	wrong C003 '1c FROM rocker/r-ver:4.4.1' '.write == "FROM docker.io/rocker/r-ver:4.4.1"'
	right C003 '1c FROM localhost/python:3.11'
}

@test "a bare distribution as base is a warning; in a build stage alone it is not" {
	for name in ubuntu:24.04 docker.io/library/debian:12 alpine:3.20 rockylinux:9 quay.io/centos/centos:stream9 centos:7; do
		wrong C004 "1c FROM $name" '.severity == "warning" and .line == 1 and (.write | contains("python:3.11"))'
	done
	severity warning
	right C004 '1c FROM docker.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04'
	right C004 '1c FROM ubuntu:24.04 AS build\nRUN make\nFROM docker.io/library/python:3.11'
	wrong C004 '1c FROM ubuntu:24.04 AS build\nRUN make\nFROM build' '.line == 1'
}

@test "an ARG in FROM is replaced by its default; an ARG without a default is a warning" {
	wrong C001 '1c ARG TAG=latest\nFROM docker.io/library/python:${TAG}' '.line == 2 and (.text | contains("python:latest"))'
	wrong C002 '1c ARG V=3.11\nARG BASE="python:$V"\nFROM docker.io/library/$BASE-slim' '.text | contains("python:3.11-slim")'
	wrong C002 '1c FROM docker.io/library/python:${TAG:-3.12}' '.text | contains("python:3.12")'
	right C005 '1c ARG TAG=3.11\nFROM docker.io/library/python:$TAG'
	wrong C005 '1c ARG TAG\nFROM docker.io/library/python:$TAG' '.severity == "warning" and .line == 2'
	wrong C005 '1c FROM $BASE'
}

@test "a directory of the service that nothing makes is a warning, and is named" {
	wrong C006 's/mkdir [^&]*&&//' '.severity == "warning" and .text == "nothing makes /safe_data /safe_outputs /scratch"'
	wrong C006 's: /scratch::' '.write == "RUN mkdir /scratch"'
	wrong C006 's:/scratch:/scratchy:'
	right C006 's:/safe_data /safe_outputs /scratch:-p /{safe_data,safe_outputs,scratch}:'
	right C006 's: /scratch::; $a WORKDIR /scratch'
	right C006 '4c RUN <<EOF\nmkdir /safe_data \\\n  /safe_outputs /scratch\nEOF'
	wrong C006 '4d; 1i FROM docker.io/x/y:1 AS build\nRUN mkdir /safe_data /safe_outputs /scratch'
}

@test "a copied secret is an error, in each stage" {
	for file in id_rsa .ssh/id_ed25519 .netrc home/.aws/credentials .docker/config.json .env .pypirc; do
		wrong C007 "6c COPY $file /root/" '.severity == "error" and .line == 6'
	done
	severity error
	wrong C007 '1i FROM docker.io/x/y:1 AS build\nADD --chown=0:0 ["a b", ".netrc", "/root/"]'
	right C007 '6c COPY environment.yml config.json credentials.py /app/'
	right C007 '6c COPY --from=build /root/.netrc /root/'
}

@test "a secret in ENV or ARG is an error, and its value is never printed" {
	wrong C008 '6i ENV DB_PASSWORD=hunter2hunter2' '.severity == "error" and .line == 6 and (.text | contains("DB_PASSWORD"))'
	[[ $output != *hunter2* ]]
	wrong C008 '6i ARG GITHUB_TOKEN=abc'
	wrong C008 '6i ENV A=1 \\\n  pgpassword="x y"'
	wrong C008 '6i ENV API_KEY abc def'
	wrong C008 '1i ARG NPM_TOKEN=abc'
	wrong C008 '6i ENV HARMLESS=ghp_0123456789abcdefghij0123456789'
	[[ $output != *ghp_* ]]
	right C008 '6i ENV TOKENIZERS_PARALLELISM=false MAX_TOKENS=5 PASSWORD_FILE=/run/secrets/p TOKEN=$TOKEN\nARG API_KEY\nENV DB_PASSWORD=""'
}

@test "a secret on a command line is an error, and its value is never printed" {
	for command in 'PGPASSWORD=hunter2 psql' 'export API_KEY=\"hunter2\" \&\& x' 'x --auth-token=hunter2 y' 'pip install -i https:\/\/me:hunter2@host\/x y' \
		'x ghp_0123456789abcdefghij0123456789'; do
		wrong C008 "3s/RUN.*/RUN $command/" '.severity == "error" and .line == 3'
		[[ $output != *hunter2* && $output != *ghp_* ]]
	done
	wrong C008 '3c RUN <<EOF\nx\nDB_PASSWORD=hunter2 y\nEOF'
	for command in 'TOKEN=$(cat \/run\/secrets\/t) x' 'pip install -i https:\/\/me:${TOKEN}@host\/x y' 'cmake -DWITH_TOKEN=ON .' 'sed s\/PASSWORD=x\/y\/' \
		'git clone https:\/\/host:8443\/x@y' 'PASSWORD_FILE=x y' 'x --password=\"$P\"'; do
		right C008 "3s/RUN.*/RUN $command/"
	done
}

@test "a copied .git is a warning; so is the whole directory without a .dockerignore that leaves it out" {
	wrong C009 '6c COPY .git /app/.git' '.severity == "warning"'
	wrong C009 '6c COPY src/.git/ /app/'
	right C009 '6c COPY .gitignore git /app/'
	wrong C010 '6c COPY . .' '.severity == "warning" and .line == 6'
	wrong C010 '6c ADD --chown=app ./ /app'
	echo '*.csv' > .dockerignore
	wrong C009 '6c COPY . .'
	found_not C010
	printf '# no\r\n.git\r\n' > .dockerignore
	right C009 '6c COPY . .'
	found_not C010
	rm .dockerignore
	echo .git > Dockerfile.dockerignore
	right C010 '6c COPY . .'
	right C010 '6c COPY --from=build . .'
}

@test "a Dockerfile without a command is a warning, and one from scratch an error" {
	wrong C012 '$d' '.severity == "warning"'
	severity warning
	right C012 ''
	wrong C011 '1c FROM scratch
		$d' '.severity == "error"'
	wrong C011 '$c CMD []'
	right C011 '$c ENTRYPOINT ["/x"]'
	wrong C012 '$a FROM docker.io/x/y:1'
	right C012 '1s/$/ AS one/; $a FROM one'
}

@test "a command that is a bare prompt is a warning; a prompt with a program is not" {
	for command in 'CMD bash' 'CMD ["/bin/bash"]' 'ENTRYPOINT ["bash", "-l"]' 'CMD ["sh", "-c", "exec bash"]' 'CMD python3' 'CMD ["R", "--no-save"]' \
		'ENTRYPOINT ["tini", "--", "julia"]'; do
		wrong C013 "\$c $command" '.severity == "warning"'
	done
	for command in 'CMD bash run.sh' 'ENTRYPOINT ["bash"]\nCMD ["run.sh"]' 'CMD ["python", "-m", "x"]' 'CMD ["sh", "-c", "python fit.py"]' \
		'CMD ["bash", "-lc", "fit"]' 'CMD ["Rscript", "fit.R"]' 'CMD ["R", "-f", "fit.R"]' 'ENTRYPOINT fit'; do
		right C013 "\$c $command"
	done
	# an ENTRYPOINT for a shell never sees the CMD
	wrong C013 '$c ENTRYPOINT bash\nCMD ["run.sh"]'
}

@test "a download when the container starts is an error; a download during the build is not" {
	for command in 'CMD pip install x \&\& python x' 'ENTRYPOINT ["sh", "-c", "apt-get -y update; x"]' 'CMD ["/usr/bin/pip3.11", "install", "x"]' \
		'CMD conda env update' 'CMD git clone https://x' 'CMD curl -O https://x' 'CMD ["wget", "https://x"]' 'CMD huggingface-cli download x' \
		"CMD Rscript -e 'install.packages(\"x\")'"; do
		wrong C014 "\$c $command" '.severity == "error" and .line == 8'
	done
	severity error
	right C014 '$c CMD curl http://localhost:8080 \&\& pip install --no-index x'
	right C014 '3a RUN curl -O https://x \&\& git clone https://y'
	right C014 '$c CMD ["python", "pip_install.py"]'
}

@test "a library of Hugging Face without HF_HUB_OFFLINE=1 is a warning" {
	wrong C015 '3c RUN pip install transformers==4.41.2' '.severity == "warning" and .line == 3'
	wrong C015 '3c RUN conda install -y numpy huggingface_hub\nENV HF_HUB_OFFLINE=0'
	right C015 '3c RUN pip install "transformers==4.41.2"\nENV HF_HUB_OFFLINE=1'
	right C015 '3c RUN pip install transformers\nENV HF_HUB_OFFLINE true'
	right C015 '3c RUN pip install my_transformers transformers_x'
	right C015 '1i FROM docker.io/x/y:1 AS b\nRUN pip install transformers'
}

@test "root as the last USER is a note, and so is no USER" {
	wrong C016 '7d' '.severity == "note"'
	wrong C016 '7a USER root'
	wrong C016 '7a USER 0:0' '.line == 8'
	right C016 '6a USER root'
	wrong C016 '1i FROM docker.io/x/y:1 AS b\nUSER app
		7d'
}

@test "an image without a licence file is a note" {
	wrong C017 '5d' '.severity == "note"'
	right C017 '5c COPY licence.txt /'
	right C017 '5c COPY --from=build /src/COPYING /usr/share/licenses/x/'
	wrong C017 '5c FROM docker.io/x/y:1\nRUN x'
	wrong C017 '5d; $a FROM docker.io/x/y:1'
}

@test "ADD of an address is a warning, of a file a note, of an archive nothing" {
	wrong C018 '6c ADD https://example.org/x.tar.gz /' '.severity == "warning" and .line == 6'
	found_not C019
	wrong C018 '6c ADD --keep-git-dir=true git@github.com:x/y.git /y'
	right C018 '6c ADD x.tar.gz /'
	found_not C019
	wrong C019 '6c ADD fit.py /app/' '.severity == "note"'
}

@test "the lists of apt in a layer are a note; lists that the same RUN removes, or in a cache, are not" {
	wrong C020 '3c RUN apt-get update \&\& apt-get install -y gcc' '.severity == "note" and .line == 3'
	wrong C020 '3c RUN apt-get update \&\& apt-get clean\nRUN rm -rf /var/lib/apt/lists/*'
	right C020 '3c RUN apt-get update \\\n  \&\& apt-get install -y gcc \\\n  # comment\n\n  \&\& rm -rf /var/lib/apt/lists/*'
	right C020 '3c RUN --mount=type=cache,target=/var/lib/apt/lists apt-get update'
	right C020 '1i FROM docker.io/x/y:1 AS b\nRUN apt-get update'
}

@test "sources before the installation of dependencies are a note" {
	wrong C021 '2c COPY src/ /app/' '.severity == "note" and .line == 3'
	right C021 '2c COPY pyproject.toml uv.lock /app/'
	right C021 '6a RUN pip install .'
	right C021 '6a RUN python -m compileall /app'
}

@test "copied data are a warning" {
	wrong C022 '6c COPY data/patients.csv /app/' '.severity == "warning" and .line == 6'
	wrong C022 '6c COPY x.parquet y.rds /app/'
	right C022 '6c COPY csv.py /app/'
}

@test "continued lines, comments, here-documents, escapes and small letters are read as docker build reads them" {
	printf '\357\273\277# escape=`\r\n# a comment\r\nfrom docker.io/library/python:3.11 as Base\r\nrun echo `\r\n# between\r\n\r\n  one ` \r\n && mkdir /safe_data /safe_outputs /scratch\r\nFROM base\r\nENTRYPOINT x\r\n' > "$f"
	run conform --format json "$f"
	[ "$status" -eq 0 ]
	found_not C006
	found_not C001
	cat > "$f" <<- 'EOT'
		FROM docker.io/x/y:1
		RUN <<-'ONE' cat <<TWO && echo "<<THREE" <<<four
		mkdir /safe_data
			ONE
		FROM nothing
		TWO
		RUN echo C:\\
		COPY <<a.txt /x
		CMD bash
		a.txt
		USER app
		CMD ["x"]
	EOT
	run conform --format json "$f"
	[ "$status" -eq 0 ]
	found C006 '.text == "nothing makes /safe_outputs /scratch"'
	found_not C013
	found_not C016
}

@test "a stage counts only if the last stage builds on it" {
	cat > "$f" <<- 'EOT'
		FROM docker.io/x/y:1 AS other
		USER root
		ENTRYPOINT ["bash"]
		FROM docker.io/x/y:2 AS base
		RUN mkdir /safe_data /safe_outputs /scratch
		USER app
		FROM base
		CMD ["fit"]
	EOT
	run conform --format json "$f"
	[ "$status" -eq 0 ]
	for rule in C006 C012 C013 C016; do found_not $rule; done
}

@test "a file that is no Dockerfile is refused with its line" {
	while IFS= read -r text; do
		printf "$text" > "$f"
		run conform "$f"
		echo "$text: $output"
		[ "$status" -eq 2 ]
		[[ $output == "ces-policy: Dockerfile: "* ]]
		printable
	done <<- 'EOT'
		x
		FROM
		FROM x\nNOPE
		RUN x\nFROM y
		FROM x\nRUN <<EOF\nx
		FROM x AS
		\000FROM x
		FROM x\n\033[31mRED
		\377\376F\000R\000
		{}
		# only a comment
	EOT
	: > "$f"
	run conform "$f"
	[ "$status" -eq 2 ]
}

@test "control characters of a Dockerfile reach no terminal, and JSON and SARIF stay valid" {
	printf 'FROM x\033[31m\nCOPY a\033]0;x\007.csv /\nENV \302\233PASSWORD=x\nCOPY \377\376.csv /\n' > "$f"
	run conform "$f"
	[ "$status" -eq 1 ]
	printable
	for format in json sarif; do
		conform --format $format "$f" > out || true
		jq -e . out > /dev/null
		[ "$(LC_ALL=C grep -cP '[^\n\x20-\x7e]' out)" -eq 0 ]
	done
}

@test "a Dockerfile of 100 MB, and one of a million lines, end at once" {
	truncate -s 100M "$f"
	run timeout 5 "$top/${B:-build}/ces-policy" conform "$f"
	[ "$status" -eq 2 ]
	says "larger than 4 MiB"
	{ echo FROM x; yes 'RUN a' | head -n 600000; } > "$f"
	run timeout 20 "$top/${B:-build}/ces-policy" conform "$f"
	[ "$status" -eq 2 ]
	says "more than 4096 instructions"
	{ echo FROM x; printf 'ENV '; yes 'A=b \' | head -n 5000; } > "$f"
	run conform "$f"
	[ "$status" -eq 2 ]
	says "line 2: more than 4096 words"
	{ echo FROM x; yes 'RUN curl \' | head -n 300000; } > "$f"
	run timeout 20 "$top/${B:-build}/ces-policy" conform "$f"
	[ "$status" -le 1 ]
}

@test "packages for one user are a note" {
	wrong C023 '3c RUN pip install --user numpy==1.26.4' '.severity == "note" and .line == 3'
	wrong C023 '3c RUN python3 -m pip install numpy==1.26.4 --user'
	right C023 '3c RUN pip install numpy==1.26.4 \&\& useradd --user-group app'
	right C023 '3c RUN systemctl --user enable x'
}
