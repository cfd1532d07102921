#!/usr/bin/env python3
"""Makes the archives of this folder again, from checkouts of the projects that README.md names:

    gather.py JSONTESTSUITE LIBARCHIVE TAR-SPLIT IMAGE-SPEC DISTRIBUTION-SPEC

It writes json.tar.zst, tar.tar.zst, oci.tar.zst and licences/ beside itself. It must not change a byte of a sample: libarchive's
are only taken out of uuencode and compress (.Z), and the documents of OCI out of Markdown and Go.
"""
import io
import pathlib
import re
import subprocess
import sys
import tarfile
from urllib.parse import parse_qs

HERE = pathlib.Path(__file__).resolve().parent
# Samples that libarchive's filters read but no layer uses, and samples that hold no tar.
OTHER = re.compile(r"lz4|lzop|grzip|lrzip|uudecode|\.7z|\.zip|\.rar|\.lzh|\.tar\.(lz|lzma|lzo|xz|bz2)\.|raw_")
TARS = re.compile(r"\.(tar|pax|ustar)(\.(Z|gz|zst))?\.uu$")
# Fields of OCI's test tables, with the document in each.
FIELDS = {"manifest": "manifest", "config": "config", "imageIndex": "index"}


def pack(name, members):
    """Sorts members by name, without dates and owners: the same samples make the same archive."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in sorted(members.items()):
            info = tarfile.TarInfo(path)
            info.size = len(content)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))
    target = HERE / name
    target.write_bytes(subprocess.run(["zstd", "-19", "-c"], input=plain.getvalue(), stdout=subprocess.PIPE, check=True).stdout)
    print(f"{name}: {len(members)} samples, {target.stat().st_size} bytes")


def json_suite(top):
    return {path.name: path.read_bytes() for path in (top / "test_parsing").glob("*.json")}


def decoded(path):
    """Undoes uuencode, and compress, which layers cannot have. gzip and Zstandard stay."""
    lines = path.read_bytes().split(b"\n")
    first = next(i for i, line in enumerate(lines) if line.startswith(b"begin "))
    content = b""
    for line in lines[first + 1:]:
        if line.strip() == b"end":
            break
        count = (line[0] - 32) & 63 if line else 0
        bits = 0
        for i, byte in enumerate((line[1:] + b" " * 84)[:(count + 2) // 3 * 4]):
            bits = bits << 6 | (byte - 32) & 63
            if i % 4 == 3:
                content += bits.to_bytes(3, "big")[:count]
                count, bits = max(count - 3, 0), 0
    if path.name.endswith(".Z.uu"):
        content = subprocess.run(["gzip", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout
    return content


def tars(libarchive, tar_split):
    found = {}
    for folder in ("libarchive/test", "tar/test", "cpio/test"):
        for path in (libarchive / folder).glob("*.uu"):
            if TARS.search(path.name) and not OTHER.search(path.name):
                found["libarchive/" + re.sub(r"(\.Z)?\.uu$", "", path.name)] = decoded(path)
    for path in (tar_split / "archive/tar/testdata").iterdir():
        content = path.read_bytes()
        if path.name.endswith(".bz2"):
            content = subprocess.run(["bzip2", "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout
        if ".tar" in path.name:
            found["go/" + path.name.removesuffix(".bz2")] = content
    return found


def kind(media):
    match = re.search(r"image\.(index|manifest|config)\.v1", media)
    return match[1] if match else None


def examples(top, found, prefix):
    """Returns the documents between ```json and ``` in the specification, without those that have an ellipsis."""
    for page in sorted(top.glob("*.md")):
        pattern = r"^( *)```json(?:,(\S*))?\n(.*?)^ *```"
        for number, match in enumerate(re.finditer(pattern, page.read_text(), re.M | re.S)):
            what = kind(parse_qs(match[2] or "").get("mediatype", [""])[0]) or "other"
            found[f"{prefix}/{what}-{page.stem}-{number}-good.json"] = match[3].encode()


def tables(top, found):
    """Returns the documents of the tests of OCI's schemas, and whether the schema accepts each."""
    for path in sorted((top / "schema").glob("*_test.go")):
        entries = re.findall(r"(\w+):\s*`(.*?)`,\s*(?:fail:\s*(true|false),)?", path.read_text(), re.S)
        for number, (field, text, fail) in enumerate(entries):
            if field in FIELDS:
                name = path.name.removesuffix("_test.go")
                found[f"image-spec/{FIELDS[field]}-{name}-{number}-{'bad' if fail == 'true' else 'good'}.json"] = text.encode()


def main():
    suite, libarchive, tar_split, image, distribution = map(pathlib.Path, sys.argv[1:])
    pack("json.tar.zst", json_suite(suite))
    pack("tar.tar.zst", tars(libarchive, tar_split))
    found = {}
    examples(image, found, "image-spec")
    examples(distribution, found, "distribution-spec")
    tables(image, found)
    pack("oci.tar.zst", found)
    (HERE / "licences").mkdir(exist_ok=True)
    for top, name in ((suite, "LICENSE"), (libarchive, "COPYING"), (tar_split, "LICENSE"), (image, "LICENSE"), (distribution, "LICENSE")):
        print(top, (top / name).read_text()[:60])


if __name__ == "__main__":
    main()
