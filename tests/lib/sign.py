#!/usr/bin/env python3
"""Signs an image in a registry as cosign does, by openssl(1), and puts the documents there. For tests.

    sign.py --key KEY.pem [--form FORM] [--digest DIGEST] [--at DIGEST] [--payload JSON] [--add] [--ca FILE] REGISTRY REPOSITORY[:TAG]

FORM is sig (cosign 2, a payload of simple signing at the tag sha256-HEX.sig), att (an in-toto statement in a DSSE
envelope at sha256-HEX.att), bundle (cosign 3, a bundle with such a statement, in the list of referrers at the tag
sha256-HEX) or message (a bundle that signs the manifest's digest). --digest is the signed digest, by default the tag's;
--at is the digest under which the signature is stored, by default the same. --payload is signed in place of the form's
own text; DIGEST in it is replaced. --add keeps the existing signatures. REGISTRY may be
the directory of an OCI layout: the list of referrers is then a file referrers/HEX.

The forms are those of sigstore/cosign, specs/SIGNATURE_SPEC.md and specs/ATTESTATION_SPEC.md, of in-toto/attestation,
spec/v1/statement.md, of secure-systems-lab/dsse, and of sigstore/protobuf-specs, sigstore_bundle.proto.
"""
import argparse
import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

OCI = "application/vnd.oci.image."
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def dump(what):
    return json.dumps(what, separators=(",", ":")).encode()


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sign(key, data):
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        text = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True, capture_output=True).stdout
        if b"ED25519" in text:
            command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", f.name]
        else:
            command = ["openssl", "dgst", "-sha256", "-sign", key, f.name]
        return base64.b64encode(subprocess.run(command, check=True, capture_output=True).stdout).decode()


def statement(digest):
    return dump({"_type": "https://in-toto.io/Statement/v1",
                 "subject": [{"name": "image", "digest": {"sha256": digest.partition(":")[2]}}],
                 "predicateType": "https://sigstore.dev/cosign/sign/v1", "predicate": {}})


def simple(digest):
    return dump({"critical": {"identity": {"docker-reference": "open.tre.test/epcced/tools"},
                              "image": {"docker-manifest-digest": digest},
                              "type": "cosign container image signature"}, "optional": None})


def envelope(key, payload):
    encoded = b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)
    return {"payloadType": IN_TOTO, "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": "", "sig": sign(key, encoded)}]}


def bundle(content):
    return dump({"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "none"}}, **content})


def document(options, digest, manifest):
    """Returns the blob that is, or has, the signature: its type, bytes and annotations."""
    key, form = options.key, options.form
    if form == "sig":
        payload = options.payload or simple(digest)
        return SIMPLE, payload, {"dev.cosignproject.cosign/signature": sign(key, payload)}
    payload = options.payload or statement(digest)
    if form == "att":
        return DSSE, dump(envelope(key, payload)), {"predicateType": "https://sigstore.dev/cosign/sign/v1"}
    if form == "bundle":
        return BUNDLE, bundle({"dsseEnvelope": envelope(key, payload)}), {}
    raw = base64.b64encode(bytes.fromhex(digest.partition(":")[2])).decode()
    return BUNDLE, bundle({"messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": raw},
                                                "signature": sign(key, manifest)}}), {}


class Registry:
    def __init__(self, url, repository, authority):
        self.base = f"{url}/v2/{repository}"
        self.context = ssl.create_default_context(cafile=authority)

    def ask(self, method, url, data=None, headers=None):
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
        return urllib.request.urlopen(request, context=self.context, timeout=20)

    def manifest(self, name):
        accept = ", ".join(OCI + k + ".v1+json" for k in ("index", "manifest")) + \
            ", application/vnd.docker.distribution.manifest.v2+json"
        try:
            with self.ask("GET", f"{self.base}/manifests/{name}", headers={"Accept": accept}) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def put_blob(self, data):
        with self.ask("POST", f"{self.base}/blobs/uploads/", b"") as answer:
            where = answer.headers["Location"]
        self.ask("PUT", where + ("&" if "?" in where else "?") + "digest=" + digest_of(data), data,
                 {"Content-Type": "application/octet-stream"}).close()

    def put_manifest(self, name, data, kind="manifest"):
        self.ask("PUT", f"{self.base}/manifests/{name}", data, {"Content-Type": OCI + kind + ".v1+json"}).close()


class Layout:
    """An OCI layout, with the lists of referrers beside it, as tests/lib/lab/bad_registry.py serves them."""

    def __init__(self, path):
        self.path = path

    def manifest(self, name):
        for found in self.index()["manifests"]:
            if found.get("annotations", {}).get("org.opencontainers.image.ref.name") == name:
                with open(os.path.join(self.path, "blobs/sha256", found["digest"][7:]), "rb") as f:
                    return f.read()
        return None

    def index(self):
        with open(os.path.join(self.path, "index.json"), encoding="utf-8") as f:
            return json.load(f)

    def put_blob(self, data):
        with open(os.path.join(self.path, "blobs/sha256", digest_of(data)[7:]), "wb") as f:
            f.write(data)

    def put_manifest(self, name, data, kind="manifest"):
        self.put_blob(data)
        if kind == "index":
            os.makedirs(os.path.join(self.path, "referrers"), exist_ok=True)
            with open(os.path.join(self.path, "referrers", name[7:]), "wb") as f:
                f.write(data)
            return
        index = self.index()
        index["manifests"].append(descriptor(OCI + "manifest.v1+json", data, {"org.opencontainers.image.ref.name": name}))
        with open(os.path.join(self.path, "index.json"), "wb") as f:
            f.write(dump(index))


def descriptor(kind, data, annotations):
    found = {"mediaType": kind, "digest": digest_of(data), "size": len(data)}
    return {**found, "annotations": annotations} if annotations else found


def put(registry, options, tag, layer, blob):
    config = b"{}"
    registry.put_blob(config)
    registry.put_blob(blob)
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": descriptor(OCI + "config.v1+json", config, None), "layers": [layer]}
    old = registry.manifest(tag) if options.add else None
    if options.form in ("sig", "att"):
        if old:
            manifest["layers"] = json.loads(old)["layers"] + [layer]
        registry.put_manifest(tag, dump(manifest))
        return
    manifest["artifactType"] = BUNDLE
    data = dump(manifest)
    registry.put_manifest(digest_of(data), data)
    entry = {**descriptor(OCI + "manifest.v1+json", data, None), "artifactType": BUNDLE}
    index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json",
             "manifests": (json.loads(old)["manifests"] if old else []) + [entry]}
    registry.put_manifest(tag, dump(index), "index")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    parser.add_argument("--form", choices=["sig", "att", "bundle", "message"], default="sig")
    parser.add_argument("--digest")
    parser.add_argument("--at")
    parser.add_argument("--payload", type=os.fsencode)
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--ca")
    parser.add_argument("registry")
    parser.add_argument("image")
    options = parser.parse_args()
    repository, _, tag = options.image.partition(":")
    registry = Registry(options.registry, repository, options.ca) if "://" in options.registry else Layout(options.registry)
    manifest = registry.manifest(tag) if tag else b""
    digest = options.digest or digest_of(manifest)
    if options.payload:
        options.payload = options.payload.replace(b"DIGEST", digest.encode())
    kind, blob, annotations = document(options, digest, manifest)
    ending = {"sig": ".sig", "att": ".att"}.get(options.form, "")
    at = options.at or (digest_of(manifest) if tag else digest)
    put(registry, options, at.replace(":", "-") + ending, descriptor(kind, blob, annotations), blob)


if __name__ == "__main__":
    sys.exit(main())
