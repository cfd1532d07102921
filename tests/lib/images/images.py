#!/usr/bin/python3
"""Makes the images of the tests as OCI layouts, without a network: images.py DIRECTORY.

Everything is made from Debian's static busybox and is the same byte for byte at every call, so that an image
pushed twice has one digest. It knows nothing of registries; see services.sh for that.
"""
import gzip
import hashlib
import io
import json
import os
import platform
import random
import subprocess
import sys
import tarfile

BUSYBOX = "/bin/busybox"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OTHER = "arm64" if ARCH == "amd64" else "amd64"
MEDIA = "application/vnd.oci.image."


class Layer:
    """A tar in the making; names are relative, as in real layers."""

    def __init__(self):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, kind, mode, data=b"", link="", uid=0, gid=0, pax=None):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname = kind, mode, link
        info.uid, info.gid, info.mtime, info.size = uid, gid, 1700000000, len(data)
        info.pax_headers = pax or {}
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def dir(self, name, mode=0o755, **more):
        return self.add(name, tarfile.DIRTYPE, mode, **more)

    def file(self, name, data="", mode=0o644, **more):
        return self.add(name, tarfile.REGTYPE, mode, data.encode() if isinstance(data, str) else data, **more)

    def script(self, name, body, mode=0o755, **more):
        return self.file(name, "#!/bin/sh\n" + body, mode, **more)

    def symlink(self, name, to):
        return self.add(name, tarfile.SYMTYPE, 0o777, link=to)

    def hardlink(self, name, to):
        return self.add(name, tarfile.LNKTYPE, 0o644, link=to)

    def finish(self):
        self.tar.close()
        return self.bytes.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def dump(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory + "/blobs/sha256", exist_ok=True)
        with open(directory + "/oci-layout", "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, media, data):
        path = self.directory + "/blobs/sha256/" + digest(data)[7:]
        with open(path, "wb") as f:
            f.write(data)
        return {"mediaType": media, "digest": digest(data), "size": len(data)}

    def index(self, descriptor):
        with open(self.directory + "/index.json", "wb") as f:
            f.write(dump({"schemaVersion": 2, "manifests": [descriptor]}))


def compressed(tar, how):
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-3", "-c"], input=tar, stdout=subprocess.PIPE, check=True).stdout
    if how == "gzip":
        return gzip.compress(tar, 5, mtime=0)
    return tar


def manifest(layout, layers, config, how="gzip", arch=ARCH):
    tars = [l.finish() if isinstance(l, Layer) else l for l in layers]
    suffix = {"gzip": "tar+gzip", "zstd": "tar+zstd", "none": "tar"}[how]
    image = {"architecture": arch, "os": "linux", "created": "2023-11-14T22:13:20Z", "config": config,
             "rootfs": {"type": "layers", "diff_ids": [digest(t) for t in tars]}}
    body = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json",
            "config": layout.blob(MEDIA + "config.v1+json", dump(image)),
            "layers": [layout.blob(MEDIA + "layer.v1." + suffix, compressed(t, how)) for t in tars]}
    return layout.blob(MEDIA + "manifest.v1+json", dump(body))


def base():
    """busybox, users, and nothing else: no /safe_data, /safe_outputs, /scratch, which CES has to make."""
    layer = Layer()
    for d in ("bin", "etc", "home", "root", "usr", "usr/bin", "var", "var/empty", "srv"):
        layer.dir(d)
    layer.dir("home/worker", 0o750, uid=1000, gid=1000).dir("tmp", 0o1777)
    with open(BUSYBOX, "rb") as f:
        layer.file("bin/busybox", f.read(), 0o755)
    listing = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    for applet in sorted(set(listing) - {"busybox"}):
        layer.symlink("bin/" + applet, "busybox")
    layer.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
               "worker:x:1000:1000:worker:/home/worker:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    layer.file("etc/group", "root:x:0:\nworker:x:1000:\ndata:x:2000:worker\nnogroup:x:65534:\n")
    return layer.finish()


STROKE = r"""set -eu
echo "stroke-model: reading /safe_data/patients.csv"
mean=$(awk -F, 'NR > 1 { n++; s += $2 } END { printf "%.2f", s / n }' /safe_data/patients.csv)
sort -t, -k2 -n /safe_data/patients.csv > "$TMPDIR/sorted.csv"
printf 'patients,mean_age\n%s,%s\n' "$(($(wc -l < "$TMPDIR/sorted.csv") - 1))" "$mean" > /safe_outputs/result.csv
echo "stroke-model: mean age $mean, written to /safe_outputs/result.csv"
"""


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def layer_rules():
    """Three layers whose union shows every rule of the layer format."""
    low = Layer().dir("d").file("d/gone", "1").file("d/kept", "low").dir("o").file("o/hidden", "1")
    low.dir("o/sub").file("o/sub/deep", "1").file("replaced", "low").dir("dir-to-file").file("dir-to-file/x")
    low.symlink("link-to-dir", "d")
    mid = Layer().dir("d").file("d/.wh.gone").dir("o").file("o/.wh..wh..opq").file("o/new", "mid")
    mid.file("replaced", "mid").file("dir-to-file", "file").file(".wh.never-was")
    mid.dir("link-to-dir").file("link-to-dir/real", "now a directory")
    top = Layer().dir("h").file("h/one", "same inode").hardlink("h/two", "h/one")
    top.file("h/suid", "#!/bin/sh\nid -u\n", 0o4755)
    top.file("h/xattr", "x", pax={"SCHILY.xattr.user.secret": "1", "SCHILY.xattr.user.overlay.opaque": "y"})
    top.file("h/" + "n" * 150, "long name").file("h/owned", "x", 0o640, uid=1000, gid=2000)
    top.file("h/space and 'quote", "odd name").file("h/\u00e9t\u00e9", "utf-8 name").dir("h/closed", 0o700, uid=1000)
    return [low, mid, top]


def opaque_root_layers():
    """A file, then a layer that hides all below it and brings a system of its own, then one on top."""
    new = Layer().file(".wh..wh..opq").dir("bin").dir("etc")
    with open(BUSYBOX, "rb") as f:
        new.file("bin/busybox", f.read(), 0o755)
    for applet in ("sh", "ls", "cat"):
        new.symlink("bin/" + applet, "busybox")
    new.file("etc/passwd", "root:x:0:0:root:/:/bin/sh\n")
    return [Layer().file("old", "old"), new, Layer().file("top", "top")]


def cuda():
    """A program that loads libraries, and in the places of a driver's files what must not be followed."""
    layer = Layer().dir("usr/lib").dir("opt").dir("opt/lib")
    listing = subprocess.run(["ldd", "/usr/bin/true"], stdout=subprocess.PIPE, check=True).stdout.decode()
    for word in ["/usr/bin/true", *(w for w in listing.split() if w.startswith("/"))]:
        with open(word, "rb") as f:
            layer.file(("opt/lib/" if "/lib" in word else "opt/") + os.path.basename(word), f.read(), 0o755)
    layer.symlink("usr/lib/ces-gpu", "/etc").symlink("usr/bin/nvidia-smi", "/etc/passwd")
    return layer


def bomb():
    """20 GiB of zeros in one file, in 20 MB: the same gzip member again and again."""
    info = tarfile.TarInfo("zeros")
    info.size = 20 << 30
    return gzip.compress(info.tobuf(), mtime=0) + gzip.compress(bytes(100 << 20), 9, mtime=0) * 205


def bad_layers():
    """Layers that no image should have, by tag."""
    yield "dotdot", Layer().file("../../../../tmp/canary", "x")
    yield "dotdot-inside", Layer().dir("a").file("a/../../../../tmp/canary", "x")
    yield "absolute", Layer().file("/tmp/canary", "x")
    yield "link-out", Layer().symlink("out", "/tmp").file("out/canary", "x")
    yield "link-up", Layer().symlink("up", "../../../../../../tmp").file("up/canary", "x")
    yield "hardlink-out", Layer().hardlink("stolen", "/etc/shadow")
    yield "hardlink-up", Layer().hardlink("stolen", "../../../../../etc/shadow")
    yield "device", Layer().add("sda", tarfile.BLKTYPE, 0o666).add("mem", tarfile.CHRTYPE, 0o666)
    yield "fifo", Layer().add("pipe", tarfile.FIFOTYPE, 0o666)
    yield "whiteout-up", Layer().file("a/.wh...", "")
    yield "deep", Layer().file("d/" * 5000 + "f", "x")


def bad(directory, common, path):
    """One layout with a tag for each fault of a manifest, a configuration or a layer; `good` has none."""
    layout, rows = Layout(directory), []
    gz, tar = compressed(common, "gzip"), common

    def tag(name, descriptor):
        rows.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})

    def blob_of(value, media=MEDIA + "manifest.v1+json"):
        return layout.blob(media, value if isinstance(value, bytes) else dump(value))

    config = {"architecture": ARCH, "os": "linux", "config": {**path, "Cmd": ["true"]},
              "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}}
    layer = layout.blob(MEDIA + "layer.v1.tar+gzip", gz)
    good = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json",
            "config": blob_of(config, MEDIA + "config.v1+json"), "layers": [layer]}

    def image(name, config_change=None, **change):
        value = {**good, **change}
        if config_change:
            value["config"] = blob_of({**config, **config_change}, MEDIA + "config.v1+json")
        tag(name, blob_of(value))

    tag("good", manifest(layout, [common, Layer().file("noise", noise(99, 8 << 20))], {**path, "Cmd": ["true"]}))
    untyped = {key: value for key, value in good.items() if key != "mediaType"}
    tag("untyped", blob_of(untyped))
    image("both", manifests=[])
    image("schema1", schemaVersion=1)
    image("no-layers", layers=[])
    image("many-layers", layers=[layer] * 200)
    image("size-negative", layers=[{**layer, "size": -1}])
    image("size-huge", layers=[{**layer, "size": 1 << 62}])
    image("size-low", layers=[{**layer, "size": layer["size"] - 1}])
    image("size-high", layers=[{**layer, "size": layer["size"] + 1}])
    image("digest-odd", layers=[{**layer, "digest": "sha256:../../etc/passwd"}])
    image("digest-md5", layers=[{**layer, "digest": "md5:d41d8cd98f00b204e9800998ecf8427e"}])
    image("squashfs", layers=[{**layer, "mediaType": "application/vnd.oci.image.layer.v1.squashfs"}])
    image("foreign-layer", layers=[{**layer, "mediaType": MEDIA + "layer.nondistributable.v1.tar+gzip",
                                    "urls": ["file:///etc/shadow"]}])
    image("diffid", {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}})
    image("diffid-missing", {"rootfs": {"type": "layers", "diff_ids": []}})
    image("diffid-extra", {"rootfs": {"type": "layers", "diff_ids": [digest(tar)] * 2}})
    image("config-array", config=blob_of(b"[1]", MEDIA + "config.v1+json"))
    image("config-twice", config=blob_of(dump(config)[:-1] + b',"os":"linux"}', MEDIA + "config.v1+json"))
    image("config-workdir", {"config": {"WorkingDir": "/proc/self/fd/../../..", "Cmd": ["true"]}})
    image("config-case", {"config": {"Cmd": ["true"], "user": "0"}})
    image("case", Manifests=[])
    image("case-twins", Layers=[])
    image("arch", {"architecture": "s390x"})
    tag("garbage", blob_of(b"not json at all"))
    tag("deep-json", blob_of(b'{"schemaVersion":2,"x":' + b"[" * 100000 + b"]" * 100000 + b"}"))
    truncated = layout.blob(MEDIA + "layer.v1.tar+gzip", gz[:-5000])
    image("gzip-cut", layers=[truncated])
    trailing = layout.blob(MEDIA + "layer.v1.tar+gzip", gz + b"trailing garbage")
    image("gzip-trailing", layers=[trailing])
    image("bomb", {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]}},
          layers=[layout.blob(MEDIA + "layer.v1.tar+gzip", bomb())])
    for name, one in bad_layers():
        tag("layer-" + name, manifest(layout, [common, one], {**path, "Cmd": ["true"]}))
    with open(directory + "/index.json", "wb") as f:
        f.write(dump({"schemaVersion": 2, "manifests": rows}))


def images(out):
    """Yields nothing; writes one layout for each image."""
    common = base()
    path = {"Env": ["PATH=/bin:/usr/bin"]}

    def image(name, layers=(), config=None, how="gzip"):
        layout = Layout(f"{out}/{name}")
        layout.index(manifest(layout, [common, *layers], {**path, **(config or {})}, how))

    image("tools", config={"Cmd": ["sh"]})
    image("stroke", [Layer().dir("app").script("app/analyse", STROKE)], {"Entrypoint": ["/app/analyse"]})
    image("entry", config={"Entrypoint": ["echo", "entry"], "Cmd": ["cmd"],
                           "Env": ["PATH=/bin", "GREETING=from the image"], "WorkingDir": "/srv"})
    image("cmd", config={"Cmd": ["echo", "only cmd"]})
    image("nothing", config={})
    image("newdir", config={"Cmd": ["pwd"], "WorkingDir": "/made/by/ces"})
    image("missing", config={"Entrypoint": ["/no/such/program"]})
    image("notexec", [Layer().file("plain", "text")], {"Entrypoint": ["/plain"]})
    image("user-number", config={"User": "1000", "Cmd": ["id"]})
    image("user-name", config={"User": "worker", "Cmd": ["id"]})
    image("user-pair", config={"User": "1000:2000", "Cmd": ["id"]})
    image("user-unknown", config={"User": "nobody-here", "Cmd": ["id"]})
    image("user-high", config={"User": "70000", "Cmd": ["id"]})
    # Nothing but a program: no /tmp, no users, and the highest of the usual ids.
    image("bare", [Layer().file(".wh.tmp").file("etc/.wh.passwd").file("etc/.wh.group")], {"User": "65534"})
    image("odd-users", [Layer().symlink("etc/passwd", "/srv/theirs").symlink("etc/group", "group").file("srv/theirs", "kept\n")],
          {"Cmd": ["sh"], "WorkingDir": "/srv"})
    image("volumes", config={"Cmd": ["ls", "/"], "Volumes": {"/vol": {}}, "ExposedPorts": {"80/tcp": {}},
                             "Labels": {"run.oci.hooks.stdout": "/tmp/canary", "org.label": "canary-label"}})
    # The root of this one has an empty password: a setuid su that works would give root.
    with open(BUSYBOX, "rb") as f:
        suid = Layer().file("busybox.suid", f.read(), 0o4755)
    suid.file("etc/passwd", "root::0:0:root:/root:/bin/sh\nworker:x:1000:1000:worker:/:/bin/sh\n")
    image("suid", [suid], {"User": "1000", "Cmd": ["id", "-u"]})
    image("cuda", [cuda()], {"Cmd": ["sh"], "Env": [*path["Env"], "NVIDIA_VISIBLE_DEVICES=all",
                                                    "NVIDIA_DRIVER_CAPABILITIES=all", "LD_LIBRARY_PATH=/opt/lib"]})
    image("threads", config={"Cmd": ["sh"], "Env": [*path["Env"], "OMP_NUM_THREADS=12"]})
    image("rules", layer_rules(), {"Cmd": ["sh"]})
    image("rules-zstd", layer_rules(), {"Cmd": ["sh"]}, "zstd")
    image("rules-plain", layer_rules(), {"Cmd": ["sh"]}, "none")
    # Layers that are there twice: an empty one, as WORKDIR makes, and one that the layer between undoes.
    gone, empty = Layer().dir("d").file("d/f", "here").file("d/kept", "low").finish(), Layer().finish()
    image("twice", [empty, gone, Layer().dir("d").file("d/.wh.f").file("d/kept", "mid").file("d/mid", "mid"), empty, gone],
          {"Cmd": ["sh"]})
    image("opaque-root", opaque_root_layers(), {"Cmd": ["sh"]})
    image("shared-a", [Layer().file("a", noise(1, 100000))])
    image("shared-b", [Layer().file("b", noise(2, 100000))])
    image("big", [Layer().file(f"noise{i}", noise(10 + i, 6 << 20)) for i in range(4)])
    image("zeros", [Layer().file("zeros", bytes(24 << 20))])
    image("reserved", [Layer().symlink("safe_data", "/etc").symlink("safe_outputs", "../../../etc")
                       .file("scratch", "a file").symlink("dev", "/proc/self").symlink("etc/hosts", "/bin/busybox")
                       .file("etc/other", "mine\n").hardlink("etc/hostname", "etc/other").symlink("tmp", "/opt")
                       .dir("home").dir("home/worker", 0o711, uid=1000, gid=1000).symlink("srv", "/etc")],
          {"Cmd": ["ls"]})
    image("hosts-dir", [Layer().dir("etc/hosts").file("etc/hosts/file", "x")], {"Cmd": ["ls"]})
    image("stop", config={"Cmd": ["sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.1; done"],
                          "StopSignal": "SIGUSR1"})

    for name, wanted in (("multi", (OTHER, ARCH)), ("foreign", ("s390x", "riscv64"))):
        layout, rows = Layout(f"{out}/{name}"), []
        for arch in wanted:
            one = manifest(layout, [common, Layer().file("arch", arch)],
                           {**path, "Cmd": ["cat", "/arch"]}, arch=arch)
            rows.append({**one, "platform": {"architecture": arch, "os": "linux"}})
        body = {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": rows}
        layout.index(layout.blob(MEDIA + "index.v1+json", dump(body)))

    bad(f"{out}/bad", common, path)
    layers = [Layer().file(f"layer{i:02}", f"{i}") for i in range(63)]
    image("layers64", layers, {"Cmd": ["true"]})


if __name__ == "__main__":
    images(sys.argv[1])
