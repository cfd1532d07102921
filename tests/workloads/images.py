#!/usr/bin/python3
"""Puts a base and what an overlay added to it together as an OCI layout:
images.py BASE.tar UPPER-DIRECTORY CONFIG.json LAYOUT-DIRECTORY
What the overlay says of removed files is turned into what the image format says (OCI image-spec, layer.md,
"Whiteouts")."""
import json
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/images"))
import images  # noqa: E402


def whiteouts(upper):
    for directory, names, files in os.walk(upper):
        if "trusted.overlay.opaque" in os.listxattr(directory):
            open(directory + "/.wh..wh..opq", "w").close()
        for name in names + files:
            path = f"{directory}/{name}"
            if stat.S_ISCHR(os.lstat(path).st_mode):
                os.unlink(path)
                open(f"{directory}/.wh.{name}", "w").close()


def main(base, upper, config, out):
    whiteouts(upper)
    with open(config, encoding="utf-8") as f:
        wanted = json.load(f)
    with open(base, "rb") as f:
        lower = f.read()
    added = subprocess.run(["tar", "-C", upper, "--numeric-owner", "--sort=name", "-cf", "-", "."], stdout=subprocess.PIPE,
                           check=True).stdout
    layout = images.Layout(out)
    layout.index(images.manifest(layout, [lower, added], wanted, "zstd"))


if __name__ == "__main__":
    main(*sys.argv[1:])
