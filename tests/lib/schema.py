#!/usr/bin/python3
"""Compares policy/schema.json with the parser: schema.py CES-POLICY SCHEMA POLICY... It changes each policy in one
place, in many ways. If the schema refuses what the parser takes, the schema is wrong. If the schema takes what
the parser refuses, that must be one of LIMITS, the rules that a schema cannot express. Each of LIMITS must be
seen, or the list is too long. It prints counts, and each disagreement. With CES_SCHEMA_EVERY=N it tries only
each N-th change, for builds with sanitizers."""
import copy
import json
import os
import re
import subprocess
import sys
import tempfile

import jsonschema

D = "sha256:" + "a" * 64

# The rules that a schema cannot express (see ces-policy.json(5)): a piece of the parser's message, and the value that
# it is about.
LIMITS = {
    "days that no month has": lambda path, value, text: "must be a date" in text and re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)),
    "sizes over 1 EiB": lambda path, value, text: "must be a size" in text and re.match(r"\d{7,}", str(value)),
    "times over ten years": lambda path, value, text: "like \"6h\"" in text + "" and re.match(r"\d{4,}", str(value))
        or "like \"30d\"" in text and re.match(r"\d{4,}", str(value)),
    "zero and too many cpus, and more than three decimals": lambda path, value, text: "must be a number of cpus" in text,
    "bytes of text beyond ASCII": lambda path, value, text: "one line of text" in text and not str(value).isascii(),
    "one directory as outputs and scratch": lambda path, value, text: "has one directory as outputs and scratch" in text,
    "subordinate ids that do not fit together": lambda path, value, text: "does not fit" in text,
    "more signatures than keys": lambda path, value, text: re.search(r"wants \d signatures, and names", text),
    "numbers written with a fraction of nothing": lambda path, value, text: isinstance(value, float) and value == int(value),
}

VALUES = [
    None, True, False, -1, 0, 1, 2, 3.5, 1.0, 0.001, 0.0001, 4096, 4097, 10000, 10001, 65535, 65536, 65537, 131072, 4194304, 4194305,
    4294967294, 4294967295, 16777216, 1024, 1025, 10**20, [], {}, [1], [""], ["x"], ["x", 3], [None], {"x": 1}, [[]], [{}],
    "", " ", "x", "X", "a" * 63, "a" * 64, "a" * 127, "a" * 128, "a" * 256, "a" * 257, "\u00e9" * 128, "\u00e9" * 129, "\u200b", "\U000e0001",
    "a\nb", "a\x7f", "\x1b[31m", "a b", " a", "a ", "a:b", "a/b", "a,b", "{a}", "{project}", "{user}", "{run}", ".", "..", "...", ".a", "-a", "_a", "a_", "a__b",
    "a___b", "a.b", "a..b", "a--b", "a-", "A.b", "a.b:1", "a.b:0", "a.b:65535", "a.b:65536", "a.b:01", "localhost", "localhost:5000", "a:5000", "[::1]:5",
    "/", "/a", "/a/", "//a", "/a//b", "/a/.", "/a/..", "/a/../b", "/a/.b", "/a/..b", "/" + "a" * 510, "/" + "a" * 511, "/" + "a" * 1022, "/" + "a" * 1023,
    "/a b", "/{x}", "/{", "/}", "/{project", "/{project}", "/{project}x{user}", "/{run}", "/{run}/a", "/a{run}b", "/{run}{run}", "/a/{user}{run}", "~/scratch_{run}", "~/outputs_{run}", "~", "~/", "~/a", "~a", "~/{run}", "/~", "/a~", "/\u00e9", "/\u00e9{user}", "/a\u009bb", "~/\u00e9/{run}", "/a\tb", "/a,b", "/a:b",
    "a/b", "a.b/c", "a.b/c/*", "a.b/c/**", "a.b/**/c", "a.b/*", "a.b/**", "a.b/*/c", "*/c", "**", "a.b", "a.b/", "a.b/C", "a.b/c-", "a.b/c_d", "a.b/c__d", "a.b/c___d",
    "a.b/c--d", "a.b/c..d", "a.b/c.d", "a.b:5000/c", "a.b/c:tag", "a.b/c@" + D, "localhost/c", "a.b/*x", "a.b/" + "c" * 500, "a.b/" + "c" * 520, "A.b/c", "-a.b/c", "a-.b/c",
    "https://a.b", "https://a.b/", "https://a.b/c", "https://a.b/c/", "https://a.b:5000/c/d", "http://a.b", "https://", "https://A.b", "https://a..b", "https://-a", "https://a.b:0",
    "https://a.b/../c", "https://a.b/c d", "https://u@a.b", "https://a.b?x", "https://a.b/" + "c" * 600, "https://a.b:99999",
    "http://a.b:3128", "http://a:1", "http://10.0.0.1:8080", "http://a.b:3128/", "http://a.b:3128/x", "http://a.b:0", "http://a.b:65536", "http://A.b:3128",
    "http://u@a.b:3128", "http://:3128", "http://a..b:1", "http://" + "a" * 254 + ":1", "http://[::1]:3128", "HTTP://a.b:3128", "https://a.b:3128", "a.b:3128",
    "pvc-{project}", "pvc-{user}-x", "pvc-{user_first}", "{user_last}", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "A-", "{project}{user}", "{project}.x", "x.{user}", "pvc-{project}-", "-{project}", "pvc-{run}", "pvc-{project", "Pvc-{project}",
    "a." + "b" * 63, "a." + "b" * 64, "a-b.c-d", "a.-b", "a-.b", "a" * 52, "a" * 53, "{project}" + "a" * 62, "{project}" + "a" * 63,
    "read-only", "read-write", "rw", "required", "optional", "none", "same-uid", "root-is-user", "auto", "run", "always", "never",
    "512M", "16G", "16g", "1T", "1P", "0G", "01G", "16", "16GB", "16Gb", "16GiB", "16gib", "16 G", "-1G", "1.5G", "1048576T", "1048577T", "9" * 18 + "K", "9" * 20 + "K",
    "6h", "90s", "30m", "2d", "0s", "01h", "6", "6H", "6h30m", "3660d", "3661d", "9999999999s", "99999999999s", "-6h",
    "4", "0.5", "1.25", "0.001", "0.0001", "4.", ".5", "4096", "4096.1", "04", "0", "4,5",
    "2027-06-30", "2027-02-29", "2028-02-29", "2027-13-01", "2027-00-10", "2027-04-31", "1970-01-01", "1969-12-31", "9999-12-31", "27-06-30", "2027-6-30",
    "2027-06-30T00:00:00Z", " 2027-06-30", "1999-12-31", "2100-02-29",
    "8787", "0", "65535", "65536", "08787", "8787:8787", D, D[:-1], D + "a", D.upper(), "sha512:" + "a" * 64, "IG-1", "a\u00e9",
    {"groups": ["a"]}, {"users": ["a"]}, {"groups": "a"}, {"publish": ["80"]}, {"publish": [80]}, {"max": 1}, {"max": "1"}, {"max": 1024}, {"max": 1025}, {"source": "/x"},
    {"source": "/x/{run}"}, {"first": 65536}, {"first": 65535}, {"per_user": 65537}, {"per_user": 131072}, {"users": 4194304}, {"users": 0}, {"first": 4294967294},
    [{"allow": "a.b/c"}], [{"allow": "a.b/c", "x": 1}], [{"digest": D}], ["a.b/c"], {"a.b": {}}, {"a": {}}, {"A.b": {}}, {"a.b:5": {}}, {"localhost": {}}, {"a.b/c": {}},
    {"p": {"members": {}, "images": []}}, {".p": {"members": {}, "images": []}}, {"_p": {"members": {}, "images": []}}, {"p" * 65: {"members": {}, "images": []}},
    {"p": {"members": {}}}, {"base": "/x", "group_prefixes": [""], "images": []}, {"base": "/x", "group_prefixes": [], "images": []}, {"base": "/x", "images": []},
]


def places(node, path=()):
    yield path
    if isinstance(node, dict):
        for key in node:
            yield from places(node[key], path + (key,))
    elif isinstance(node, list):
        for i in range(len(node)):
            yield from places(node[i], path + (i,))


def put(tree, path, value):
    tree = copy.deepcopy(tree)
    if not path:
        return value
    node = tree
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return tree


def without(tree, path):
    tree = copy.deepcopy(tree)
    node = tree
    for step in path[:-1]:
        node = node[step]
    del node[path[-1]]
    return tree


def with_key(tree, path):
    tree = copy.deepcopy(tree)
    node = tree
    for step in path:
        node = node[step]
    node["unknown"] = 1
    return tree


def get(tree, path):
    for step in path:
        tree = tree[step]
    return tree


def shape(path):
    """Returns the place without its names: two registries, projects or image rules are one place, and so are the
    parts that a project shares with the defaults."""
    named = lambda i: i > 0 and path[i - 1] in ("registries", "projects")
    one = tuple("*" if isinstance(step, int) or named(i) else step for i, step in enumerate(path))
    if one[:2] == ("projects", "*") and one[2:3] not in ((), ("title",), ("members",), ("expires",), ("images",)):
        return ("defaults",) + one[2:]
    return ("projects", "*") + one[1:] if one[:2] == ("infer_projects", "images") else one


def fits(there, value):
    """Whether to try this value there: all strings in the place of a string, a few of the others; the same for
    lists and objects."""
    return type(there) is type(value) or not isinstance(value, (str, list, dict)) or value in ("", "4", "1T", "auto", [], {}, ["x"], {"x": 1})


def variants(tree, seen):
    for path in places(tree):
        if shape(path) in seen:
            continue
        seen.add(shape(path))
        if isinstance(get(tree, path), dict):
            yield path, "a key that nobody knows", with_key(tree, path)
        if path:
            yield path, None, without(tree, path)
        for value in VALUES:
            if fits(get(tree, path), value):
                yield path, value, put(tree, path, value)


def anchored(node):
    """Matches as JSON Schema does: Python's $ lets a final newline pass."""
    if isinstance(node, dict):
        return {k: re.sub(r"\$$", r"\\Z", v).replace("$)", r"\Z)") if k == "pattern" else anchored(v) for k, v in node.items()}
    return [anchored(v) for v in node] if isinstance(node, list) else node


def parser_says(program, texts):
    """Asks about all at once: thousands of processes would take a minute."""
    with tempfile.TemporaryDirectory() as directory:
        names, out = [], []
        for i, text in enumerate(texts):
            names.append(f"{directory}/{i}")
            with open(names[-1], "w", encoding="utf-8", errors="surrogatepass") as f:
                f.write(text)
        script = 'p=$1; shift; for f; do "$p" check --no-host --format json "$f"; done; true'
        for i in range(0, len(names), 2000):
            answer = subprocess.run(["sh", "-c", script, "sh", program, *names[i:i + 2000]], capture_output=True, check=True)
            rest = answer.stdout.decode().lstrip()
            while rest:
                one, end = json.JSONDecoder().raw_decode(rest)
                out.append(one)
                rest = rest[end:].lstrip()
        return out


def main(program, schema_path, *policies):
    with open(schema_path) as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(anchored(schema))
    cases, seen = [], set()
    for name in policies:
        with open(name) as f:
            tree = json.load(f)
        if not validator.is_valid(tree):
            sys.exit(f"{name}: the schema refuses it")
        cases += list(variants(tree, seen))
    every = int(os.environ.get("CES_SCHEMA_EVERY", "1"))
    cases = cases[::every]
    answers = parser_says(program, [json.dumps(tree, ensure_ascii=False) for _, _, tree in cases])
    wrong, met, agree = 0, set(), {True: 0, False: 0}
    for (path, value, tree), answer in zip(cases, answers):
        schema_takes, parser_takes = validator.is_valid(tree), answer["errors"] == 0
        if schema_takes == parser_takes:
            agree[parser_takes] += 1
            continue
        texts = [p["text"] for p in answer["problems"] if p["severity"] == "error"]
        limits = [name for name, covers in LIMITS.items() if schema_takes and any(covers(path, value, t) for t in texts)]
        met.update(limits)
        if not limits:
            wrong += 1
            print(f"schema {'takes' if schema_takes else 'refuses'}: {'.'.join(map(str, path))} = {json.dumps(value)[:80]}: {texts[:1]}")
    for name in LIMITS.keys() - met if every == 1 else ():
        wrong += 1
        print(f"never met: {name}")
    print(f"{len(cases)} policies: both take {agree[True]}, both refuse {agree[False]}, {wrong} wrong; limits: {len(met)}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
