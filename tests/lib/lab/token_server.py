#!/usr/bin/env python3
"""A token server such as GHCR and GitLab have, for docker-registry with `auth: token`. For tests.

It signs JSON web tokens (RS256) with the openssl command. With --anonymous anyone may pull; the user may pull
and push. It listens on loopback. Each request is logged as one JSON line, without the password.

docker-registry needs:
    auth: { token: { realm: https://HOST:PORT/token, service: SERVICE, issuer: ISSUER,
                     rootcertbundle: SIGN_CERT } }
"""
import argparse
import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time
import urllib.parse


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    def __init__(self, key, certificate):
        self.key = key
        with open(certificate, encoding="ascii") as f:
            pem = f.read()
        self.x5c = ["".join(re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END", pem, re.S).group(1).split())]

    def sign(self, claims):
        header = {"typ": "JWT", "alg": "RS256", "x5c": self.x5c}
        text = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(),
                              stdout=subprocess.PIPE, check=True)
        return text + "." + encode(done.stdout)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def credential(self):
        """Returns (user, password), None without a login, or False for one that cannot be read."""
        value = self.headers.get("Authorization")
        if value is None:
            return None
        try:
            user, _, password = base64.b64decode(value.split()[1]).decode().partition(":")
            return user, password
        except (ValueError, IndexError):
            return False

    def answer(self, status, value, more=()):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more):
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def access(self, scopes, allowed):
        granted = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted.append({"type": kind, "name": name,
                            "actions": [a for a in actions.split(",") if a in allowed]})
        return granted

    def do_GET(self):
        options = self.server.options
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        credential = self.credential()
        known = credential == (options.user, options.password)
        self.server.note({"path": self.path, "authorization": credential is not None, "known": known,
                          "scope": query.get("scope", []), "service": query.get("service", [])})
        if options.answer == "redirect":
            return self.answer(307, {}, [("Location", options.redirect_to)])
        if options.answer == "big":
            return self.answer(200, b'{"token":"' + b"x" * (1 << 20) + b'"}')
        if options.answer == "none":
            return self.answer(200, {"hello": "world"})
        if options.answer == "evil":
            return self.answer(200, {"token": "a\r\nX-Injected: 1"})
        if not known and (credential is not None or not options.anonymous):
            return self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]})
        now = int(time.time())
        claims = {"iss": options.issuer, "sub": options.user if known else "", "aud": options.service,
                  "exp": now + options.lifetime, "nbf": now - 5, "iat": now, "jti": os.urandom(8).hex(),
                  "access": self.access(query.get("scope", []), {"pull", "push"} if known else {"pull"})}
        token = self.server.signer.sign(claims)
        return self.answer(200, {options.field: token, "expires_in": options.lifetime})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, options):
        super().__init__((options.address, options.port), Handler)
        self.options = options
        self.signer = Signer(options.sign_key, options.sign_cert)
        self.lock = threading.Lock()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(options.cert, options.key)

    def note(self, record):
        if self.options.log:
            with self.lock, open(self.options.log, "a", encoding="utf-8") as f:
                f.write(json.dumps(record) + "\n")

    def finish_request(self, request, client_address):
        # (in the connection's own thread, so that a client that fails the handshake delays no other)
        request.settimeout(60)
        super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, request, client_address):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready", metavar="FILE", help="the port is written here once it is open")
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--sign-cert", required=True)
    parser.add_argument("--sign-key", required=True)
    parser.add_argument("--issuer", default="test token server")
    parser.add_argument("--service", default="test registry")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--anonymous", action="store_true", help="without a login pulling is allowed")
    parser.add_argument("--lifetime", type=int, default=300)
    parser.add_argument("--field", default="token", help="or access_token")
    parser.add_argument("--answer", choices=["good", "redirect", "big", "none", "evil"], default="good")
    parser.add_argument("--redirect-to", default="https://elsewhere.localhost/")
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
