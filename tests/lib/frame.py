#!/usr/bin/python3
"""Speaks to ces-helper as a client that breaks the rules: frame.py [--hold] [--close N] PART...

Each PART becomes bytes of the request pipe: hex:..., text:..., zeros:N, or field:TAG:TEXT, u64:TAG:NUMBER and
wrap:TYPE (a header around all fields so far). Without --hold the pipe is closed after the last byte.
It prints the events as "type {tag: value}" and ends with the helper's exit status. Run it as an ordinary user.
"""
import os
import struct
import sys

HELPER = "/usr/libexec/ces/ces-helper"


def field(tag, value):
    return struct.pack("<HI", tag, len(value)) + value


def build(parts):
    data = b""
    for part in parts:
        kind, _, rest = part.partition(":")
        if kind == "hex":
            data += bytes.fromhex(rest)
        elif kind == "text":
            data += rest.encode()
        elif kind == "zeros":
            data += bytes(int(rest))
        elif kind == "wrap":
            data = b"CES1" + struct.pack("<HI", int(rest), len(data)) + data
        else:
            tag, _, value = rest.partition(":")
            data += field(int(tag), struct.pack("<Q", int(value)) if kind == "u64" else value.encode())
    return data


def read_all(fd):
    data = b""
    while chunk := os.read(fd, 65536):
        data += chunk
    return data


def show(data):
    while len(data) >= 10:
        kind, length = struct.unpack("<HI", data[4:10])
        body, data, row = data[10:10 + length], data[10 + length:], {}
        while len(body) >= 6:
            tag, size = struct.unpack("<HI", body[:6])
            value, body = body[6:6 + size], body[6 + size:]
            text = value.decode("ascii", "replace")
            row[tag] = text if text.isprintable() else int.from_bytes(value, "little")
        print(kind, row)


def main(words):
    hold, closed = "--hold" in words, []
    words = [w for w in words if w != "--hold"]
    while "--close" in words:
        i = words.index("--close")
        closed.append(int(words[i + 1]))
        del words[i:i + 2]
    request_read, request_write = os.pipe()
    event_read, event_write = os.pipe()
    child = os.fork()
    if child == 0:
        for fd in (request_write, event_read):
            os.close(fd)
        a, b = os.dup2(request_read, 50), os.dup2(event_write, 51)
        os.dup2(a, 3)
        os.dup2(b, 4)
        os.closerange(5, 256)
        for fd in closed:
            os.close(fd)
        os.execv(HELPER, [HELPER])
    os.close(request_read)
    os.close(event_write)
    try:
        data = build(words)
        while data:
            data = data[os.write(request_write, data):]
    except BrokenPipeError:
        pass
    if not hold:
        os.close(request_write)
    show(read_all(event_read))
    status = os.waitpid(child, 0)[1]
    print("signal", os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None
    sys.exit(os.waitstatus_to_exitcode(status) & 255)


if __name__ == "__main__":
    main(sys.argv[1:])
