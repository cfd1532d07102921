#!/usr/bin/env python3
"""Writes a CDI specification of the NVIDIA driver of this machine, as nvidia-ctk would:

    cdi.py [--smi PROGRAM] [--copy DIRECTORY] > FILE

For machines that have the driver but not the vendor's tool. It looks at the nodes in /dev, and at the files of the driver's own
version beside libcuda. CES accepts only files of root's in directories of root's: with --copy it copies any others to that
directory and lists the copies. It must not list a file of another version, a link, or a node that it does not know.
"""
import argparse
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import sys

# The libraries that programs need to compute and to query the driver, without those that draw.
LIBRARIES = ("cuda", "cudadebugger", "nvidia-ml", "nvidia-ptxjitcompiler", "nvidia-nvvm", "nvidia-gpucomp", "nvidia-opencl", "nvidia-cfg",
             "nvidia-allocator")
PLACES = ("/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib",
          "/usr/local/cuda/compat")
COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")


def library_places():
    """The linker's own directories come first."""
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    listed = [os.path.dirname(path) for path in re.findall(r"libcuda\.so\.1 .*=> (\S+)", cache)]
    return [place for place in dict.fromkeys([*listed, *PLACES]) if os.path.isdir(place)]


def driver(places):
    """Returns the directory and the version of libcuda."""
    for place in places:
        for path in sorted(glob.glob(f"{place}/libcuda.so.[0-9]*.[0-9]*")):
            if not os.path.islink(path):
                return os.path.realpath(place), path.split(".so.")[1]
    sys.exit("cdi.py: no libcuda.so.VERSION in " + " ".join(places))


def node(name):
    path = f"/dev/{name}"
    info = os.stat(path)
    if not stat.S_ISCHR(info.st_mode):
        sys.exit(f"cdi.py: {path} is not a character device")
    return {"path": path, "type": "c", "major": os.major(info.st_rdev), "minor": os.minor(info.st_rdev), "fileMode": 0o666,
            "permissions": "rw"}


def is_roots_alone(path):
    while True:
        info = os.lstat(path)
        if info.st_uid != 0 or stat.S_ISLNK(info.st_mode) or info.st_mode & 0o022:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def settled(path, copy):
    """Returns the file, or its copy."""
    if copy is None or is_roots_alone(path):
        return path
    os.makedirs(copy, 0o755, exist_ok=True)
    target = os.path.join(copy, os.path.basename(path))
    shutil.copyfile(path, target)
    os.chmod(target, 0o755)
    return target


def mount(path):
    return {"hostPath": path, "containerPath": path, "options": ["ro", "nosuid", "nodev", "rbind", "rprivate"]}


def uuids(smi):
    """Returns index and UUID as in nvidia-smi -L, or nothing if it prints nothing."""
    listed = subprocess.run([smi, "-L"], capture_output=True, text=True, check=False).stdout if smi else ""
    return dict(re.findall(r"^GPU (\d+):.*UUID: (GPU-[0-9a-f-]+)", listed, re.M))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smi")
    parser.add_argument("--copy")
    options = parser.parse_args()
    smi = options.smi
    place, version = driver(library_places())
    files = [path for name in LIBRARIES for path in sorted(glob.glob(f"{place}/lib{name}.so.{version}")) if not os.path.islink(path)]
    files += [os.path.realpath(smi)] if smi else []
    names = uuids(smi)
    devices = []
    for path in sorted(glob.glob("/dev/nvidia[0-9]*")):
        index = path.removeprefix("/dev/nvidia")
        for name in filter(None, (index, names.get(index))):
            devices.append({"name": name, "containerEdits": {"deviceNodes": [node(f"nvidia{index}")]}})
    if not devices:
        sys.exit("cdi.py: no /dev/nvidia0")
    json.dump({"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": devices, "containerEdits": {
        "env": ["NVIDIA_VISIBLE_DEVICES=void"],
        "deviceNodes": [node(name) for name in COMMON if os.path.exists(f"/dev/{name}")],
        "mounts": [mount(settled(path, options.copy)) for path in files]}}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
