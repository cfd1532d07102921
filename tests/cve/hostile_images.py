#!/usr/bin/python3
"""Makes the images that broke other container engines: hostile_images.py DIRECTORY.

It writes one OCI layout with a tag for each image. tests/lib/lab/bad_registry.py serves the layout, so that no tool in
between mends or refuses the images. Each aims at the host's /srv/decoy, which the tests make. Every call makes the same
bytes.
"""
import functools
import os
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/images"))
import images as recipe  # noqa: E402

recipe.compressed = functools.cache(recipe.compressed)  # (the common layer, once)
from images import ARCH, MEDIA, Layer, Layout, base, compressed, digest, dump, manifest  # noqa: E402

DECOY = "/srv/decoy"
PATH = {"Env": ["PATH=/bin:/usr/bin"]}
ANNOTATIONS = {
    "run.oci.hooks.stdout": DECOY + "/hook", "run.oci.hooks.stderr": DECOY + "/hook", "run.oci.handler": "krun",
    "run.oci.keep_original_groups": "1", "run.oci.seccomp_bpf_data": "BgAAAAAA/38=", "run.oci.delegate-cgroup": "/canary",
    "run.oci.mount_context_type": "canary", "run.oci.seccomp.receiver": DECOY + "/socket",
    "io.podman.annotations.seccomp": "unconfined", "io.podman.annotations.privileged": "TRUE",
    "io.podman.annotations.label": "disable", "io.podman.annotations.autoremove": "TRUE",
    "io.podman.annotations.pids-limit": "0", "io.podman.annotations.init": "TRUE", "org.criu.config": DECOY + "/criu",
    "cdi.k8s.io/canary": "nvidia.com/gpu=all", "org.systemd.property.ExecStart": "'" + DECOY + "/canary'",
    "org.opencontainers.image.stopSignal": "canary"}

NUMBERS = ("4294967296", "4294967295", "18446744073709551616", "2147483648", "0" * 20 + "9" * 20)


class Images:
    def __init__(self, directory):
        self.layout, self.rows, self.common = Layout(directory), [], base()

    def blob(self, value, media="manifest.v1+json"):
        return self.layout.blob(MEDIA + media, value if isinstance(value, bytes) else dump(value))

    def tag(self, name, descriptor):
        self.rows.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})

    def image(self, name, layers=(), **config):
        """Tags an image with the common layer, these layers and this configuration."""
        self.tag(name, manifest(self.layout, [self.common, *layers], {**PATH, "Cmd": ["sh"], **config}))

    def document(self, name, change=lambda body: None, image=None, **more):
        """Tags a manifest of the common layer, changed by hand."""
        config = {"architecture": ARCH, "os": "linux", "config": {**PATH, "Cmd": ["sh"]},
                  "rootfs": {"type": "layers", "diff_ids": [digest(self.common)]}, **(image or {})}
        body = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "config": self.blob(config, "config.v1+json"),
                "layers": [self.blob(compressed(self.common, "gzip"), "layer.v1.tar+gzip")], **more}
        change(body)
        self.tag(name, self.blob(body))
        return body

    def index(self, entries, **more):
        return self.blob({"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": entries, **more},
                         "index.v1+json")

    def finish(self):
        with open(self.layout.directory + "/index.json", "wb") as f:
            f.write(dump({"schemaVersion": 2, "manifests": self.rows}))


def configurations(images):
    """podman: values that must not leave a configuration."""
    labels = {"architecture": ARCH, "config": {**PATH, "Cmd": ["sh"], "Labels": ANNOTATIONS, "Annotations": ANNOTATIONS},
              "annotations": ANNOTATIONS}

    def annotate(body):
        for row in (body["config"], *body["layers"]):
            row["annotations"] = ANNOTATIONS

    body = images.document("annotated", annotate, labels, annotations=ANNOTATIONS)
    # the same behind an index that has them too
    row = {**images.blob(body), "platform": {"architecture": ARCH, "os": "linux"}, "annotations": ANNOTATIONS}
    images.tag("annotated-index", images.index([row], annotations=ANNOTATIONS))
    for name, entry in (("name", "SECRET"), ("star", "*"), ("glob", "SEC*"), ("empty", ""), ("no-name", "=x"),
                        ("space", "SECRET =x"), ("newline", "A\nSECRET=x")):
        images.image("env-" + name, Env=[*PATH["Env"], entry])
    for name, target in (("absolute", DECOY), ("up", "../../../../../.." + DECOY), ("outputs", "/safe_outputs"),
                         ("scratch", "/scratch"), ("proc", "/proc/self/root" + DECOY), ("fd", "/proc/self/fd/3")):
        images.image("workdir-" + name, [Layer().symlink("way", target)], WorkingDir="/way/made", Cmd=["pwd"])
    # containerd: numbers that are too large for a user's, and that the image's files call root
    for i, user in enumerate(NUMBERS):
        files = [Layer().file("etc/passwd", f"{user}:x:0:0::/:/bin/sh\n").file("etc/group", f"{user}:x:0:\n")]
        images.image(f"user-{i}", files, User=user, Cmd=["id"])
        images.image(f"group-{i}", files, User="1000:" + user, Cmd=["id"])
    # containerd: words of an image that name another one
    names = dict.fromkeys(("io.containerd.image.name", "org.opencontainers.image.ref.name", "org.opencontainers.image.base.name",
                           "io.cri-containerd.image"), "bad.tre.test/cve/image:good")
    images.document("named", image={"config": {**PATH, "Cmd": ["sh"], "Image": names["io.cri-containerd.image"], "Labels": names},
                                    "RepoTags": list(names.values())}, annotations=names)


def places(images):
    """runc, crun, bubblewrap: files of the image in the places where the runtime or CES mounts or makes something."""
    up = "../../../../../.." + DECOY
    images.image("dev-absolute", [Layer().symlink("dev", DECOY)])
    images.image("dev-up", [Layer().symlink("dev", up)])
    devices = Layer().dir("dev")
    for name in ("console", "null", "zero", "tty", "ptmx", "shm", "mqueue", "pts", "fd", "stdin"):
        devices.symlink("dev/" + name, DECOY + "/" + name)
    images.image("dev-links", [devices])
    images.image("dev-pattern", [Layer().dir("dev").symlink("dev/null", "/proc/sys/kernel/core_pattern")
                                 .symlink("dev/console", "/proc/sysrq-trigger").symlink("dev/pts", "/proc")])
    images.image("proc-tree", [Layer().dir("proc").dir("proc/self").dir("proc/self/attr").file("proc/self/attr/exec", "image's")
                               .dir("proc/sys").dir("proc/sys/kernel").symlink("proc/kcore", "/etc/passwd")
                               .symlink("proc/keys", DECOY + "/keys").file("proc/sysrq-trigger", "image's")
                               .file("proc/thread-self", "image's").symlink("sys", "/proc")])
    images.image("proc-link", [Layer().symlink("proc", DECOY).symlink("sys", up)])
    images.image("opt-link", [Layer().symlink("opt", DECOY).symlink("mnt", up).symlink("etc/hosts", DECOY + "/hosts")
                              .symlink("etc/hostname", up + "/hostname").symlink("etc/resolv.conf", DECOY + "/resolv")
                              .symlink("safe_data", DECOY).symlink("safe_outputs", up).symlink("scratch", DECOY)
                              .symlink("tmp", DECOY)])
    driver = Layer().dir("usr/lib64").dir("usr/lib").symlink("usr/lib/ces-gpu", DECOY).symlink("usr/bin/nvidia-smi", DECOY + "/smi")
    for library in ("libcuda.so.1", "libcuda.so", "libnvidia-ml.so.1"):
        driver.symlink("usr/lib64/" + library, DECOY + "/" + library)
    driver.file("etc/ld.so.preload", "/evil.so\n").file("etc/ld.so.conf", DECOY + "\n").file("evil.so", "no library")
    images.image("driver", [driver], Env=[*PATH["Env"], "LD_PRELOAD=/proc/self/cwd/evil.so", "LD_AUDIT=/evil.so",
                                          "LD_LIBRARY_PATH=/proc/self/cwd", "NVIDIA_VISIBLE_DEVICES=all",
                                          "NVIDIA_IMEX_CHANNELS=0", "GCONV_PATH=/", "BASH_ENV=/evil.so", "ENV=/evil.so"])
    images.image("chown", [Layer().dir("data").dir("data/project").dir("data/proj")])


def layers(images):
    """containerd, go-archive, podman load: effects that a layer must not have."""
    mark = tarfile.TarInfo("d/.wh..wh..opq").tobuf()
    full = Layer()
    full.dir("d")
    for i in range(2000):
        full.file(f"d/{i}", "x")
    full.finish()
    body = full.bytes.getvalue().rstrip(b"\0")
    body += bytes(-len(body) % 512)
    images.tag("opaque-many", manifest(images.layout, [images.common, body + mark * 70000 + bytes(1024)],
                                       {**PATH, "Cmd": ["sh"]}))
    # moby: programs of the image that unpack, before layers that are packed
    programs = Layer()
    for name in ("gzip", "gunzip", "unpigz", "pigz", "igzip", "zstd", "unzstd", "xz", "unxz", "bzip2", "lz4", "tar", "bsdtar"):
        programs.script("usr/bin/" + name, f"echo {name} >> {DECOY}/ran\nexec cat\n")
    for how in ("gzip", "zstd"):
        images.tag("unpackers-" + how, manifest(images.layout, [images.common, programs, Layer().file("packed", "as it was")],
                                                {**PATH, "Cmd": ["cat", "/packed"]}, how))
    for how, mark in (("xz", b"\xfd7zXZ\0"), ("bzip2", b"BZh9"), ("lz4", b"\x04\x22\x4d\x18")):
        data = mark + bytes(100)
        images.document("packed-" + how, lambda body, d=data, h=how: body["layers"].append(images.blob(d, "layer.v1.tar+" + h)),
                        {"rootfs": {"type": "layers", "diff_ids": [digest(images.common), digest(data)]}})
        images.document("hidden-" + how, lambda body, d=data: body["layers"].append(images.blob(d, "layer.v1.tar+gzip")),
                        {"rootfs": {"type": "layers", "diff_ids": [digest(images.common), digest(data)]}})
    # a link, then a name that leads through it, then a link of the other kind to the result
    chain = Layer().symlink("a", DECOY).hardlink("b", "a").file("b", "image's").dir("c").symlink("c/up", "../../../.." + DECOY)
    chain.hardlink("c/again", "c/up").symlink("self", "/proc/self/root").file("self/srv/decoy/canary", "image's")
    images.image("link-chain", [chain, Layer().file("a/canary", "image's").file("c/again/canary", "image's")])
    images.image("link-read", [Layer().symlink("l", DECOY).hardlink("stolen", "l/secret")])
    images.image("link-copy", [Layer().symlink("etc/passwd", DECOY + "/secret").symlink("etc/group", DECOY + "/secret")],
                 User="worker")


def graphs(images):
    """containerd: endless indexes, and texts that are no digests."""
    platform = {"platform": {"architecture": ARCH, "os": "linux"}}
    here = {**images.blob(images.document("plain")), **platform}
    inner = images.index([here])
    images.tag("index-nested", images.index([{**inner, **platform}]))
    for _ in range(50):
        inner = images.index([{**inner, **platform}])
    images.tag("index-deep", inner)
    # it says that it is a manifest, and is an index
    images.tag("index-disguised", images.index([{**inner, "mediaType": MEDIA + "manifest.v1+json", **platform}]))
    images.tag("index-wide", images.index([{**here, "platform": {"architecture": "x" * 80, "os": "linux"}}] * 20000))
    for i, value in enumerate(("", "sha256", "sha256:", "sha256:" + "a" * 63, "sha256:" + "a" * 65, "sha256:" + "A" * 64,
                               "sha256:../../../../etc/passwd", "sha256:" + "a" * 60 + "/../", "sha512:" + "a" * 128,
                               "sha256:" + "a" * 64 + "\n", "SHA256:" + "a" * 64, "../" + here["digest"], 7, None)):
        images.tag(f"digest-index-{i}", images.index([{**here, "digest": value}]))
        images.document(f"digest-config-{i}", lambda body, v=value: body["config"].update(digest=v))
        images.document(f"digest-layer-{i}", lambda body, v=value: body["layers"][0].update(digest=v))
    # CES hashes the bytes as a whole. These are two documents each: the second one must not count.
    one = dump(images.document("twice"))
    for name, data in (("document", one + one), ("space", one + b" \n" + one), ("nul", one + b"\0" + one), ("bom", b"\xef\xbb\xbf" + one),
                       ("garbage", one + b"}"), ("key", one[:-1] + b',"layers":[]}'), ("escape", one[:-1] + b',"l\\u0061yers":[]}')):
        images.tag("bytes-" + name, images.blob(data))


if __name__ == "__main__":
    made = Images(sys.argv[1])
    for part in (configurations, places, layers, graphs):
        part(made)
    made.image("good")
    made.image("moved", [Layer().file("moved", "another image")])
    made.finish()
