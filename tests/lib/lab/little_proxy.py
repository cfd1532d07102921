#!/usr/bin/python3
"""A small HTTP proxy, real enough for wget and curl: GET by absolute URL, and CONNECT.

little_proxy.py ADDRESS PORT LOG [--echo]: writes each request line to LOG. With --echo it is no proxy: it sends
every byte back, so that a test can see that nothing in between changes a byte.
"""
import http.client
import http.server
import select
import socket
import socketserver
import sys
import urllib.parse


class Proxy(http.server.BaseHTTPRequestHandler):
    rbufsize = 0  # bytes after a CONNECT belong to the tunnel

    def log_message(self, *words):
        with open(sys.argv[3], "a") as log:
            log.write(self.requestline + "\n")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        upstream = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=5)
        try:
            upstream.request("GET", url.path or "/", headers={"Host": url.netloc})
            answer = upstream.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self.send_error(502)
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        host, port = self.path.rsplit(":", 1)
        try:
            upstream = socket.create_connection((host, int(port)), timeout=5)
        except OSError:
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        ends = {self.connection: upstream, upstream: self.connection}
        while ends:
            for ready in select.select(list(ends), [], [])[0]:
                data = ready.recv(65536)
                if data:
                    ends[ready].sendall(data)
                else:
                    ends.pop(ready).shutdown(socket.SHUT_WR)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


Server((sys.argv[1], int(sys.argv[2])), Echo if "--echo" in sys.argv else Proxy).serve_forever()
