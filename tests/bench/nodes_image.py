#!/usr/bin/python3
"""Puts the image of the measurement of nodes together: nodes_image.py PYTHON-LAYOUT BIG-LAYOUT DIRECTORY.

The layers of Debian's Python, then those of 1 GB in 30,000 files, then a package of 1,000 modules and a program that
imports them all. Every call makes the same bytes.
"""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../lib/images")
import images  # noqa: E402

MODULES = 1000


def part(layout, directory):
    """Takes over the layers of an image: their descriptors, and the digests of their content."""
    def blob(digest):
        return f"{directory}/blobs/sha256/{digest[7:]}"

    def document(digest):
        with open(blob(digest), encoding="utf-8") as f:
            return json.load(f)

    with open(directory + "/index.json", encoding="utf-8") as f:
        manifest = document(json.load(f)["manifests"][0]["digest"])
    for layer in manifest["layers"]:
        shutil.copy(blob(layer["digest"]), layout.directory + "/blobs/sha256/")
    return manifest["layers"], document(manifest["config"]["digest"])["rootfs"]["diff_ids"]


def modules():
    """Modules that are like others' in size: a few functions, a class, a table."""
    layer = images.Layer().dir("opt").dir("opt/tree").dir("opt/tree/tree").file("opt/tree/tree/__init__.py")
    for i in range(MODULES):
        package = f"opt/tree/tree/p{i // 50}"
        if i % 50 == 0:
            layer.dir(package).file(package + "/__init__.py")
        lines = [f"TABLE = {{{', '.join(f'{k}: {k * i}' for k in range(60))}}}", f"class Model{i}:"]
        lines += [f"    def step{k}(self, x):\n        return TABLE[{k}] + x * {i}" for k in range(20)]
        layer.file(f"{package}/m{i}.py", "\n".join(lines) + "\n")
    layer.file("opt/tree/all.py", "import importlib\n"
               f"for i in range({MODULES}):\n    importlib.import_module(f'tree.p{{i // 50}}.m{{i}}')\n")
    return layer.finish()


def main(python, big, out):
    layout = images.Layout(out)
    layers, diff_ids = [], []
    for directory in (python, big):
        more, ids = part(layout, directory)
        layers += more
        diff_ids += ids
    last = modules()
    layers.append(layout.blob(images.MEDIA + "layer.v1.tar+gzip", images.compressed(last, "gzip")))
    diff_ids.append(images.digest(last))
    config = {"architecture": images.ARCH, "os": "linux", "config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["true"]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    layout.index(layout.blob(images.MEDIA + "manifest.v1+json", images.dump({
        "schemaVersion": 2, "mediaType": images.MEDIA + "manifest.v1+json",
        "config": layout.blob(images.MEDIA + "config.v1+json", images.dump(config)), "layers": layers})))


if __name__ == "__main__":
    main(*sys.argv[1:])
