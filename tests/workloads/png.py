#!/usr/bin/python3
"""Describes a picture: png.py FILE.png prints WIDTH HEIGHT COLOURS. It fails unless the file is a whole PNG with eight
bits a sample. (PNG specification: 5 "Datastream structure", 9 "Filtering".)"""
import struct
import sys
import zlib

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunks(data):
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit("not a PNG")
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body, crc = data[at + 8:at + 8 + length], data[at + 8 + length:at + 12 + length]
        if zlib.crc32(kind + body) != struct.unpack(">I", crc)[0]:
            sys.exit(f"chunk {kind} is damaged")
        yield kind, body
        at += 12 + length


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def rows(raw, height, stride, size):
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        how, row = raw[start], bytearray(raw[start + 1:start + 1 + stride])
        for x in range(stride):
            left, corner = (row[x - size], above[x - size]) if x >= size else (0, 0)
            add = (0, left, above[x], (left + above[x]) // 2, paeth(left, above[x], corner) if how == 4 else 0)[how]
            row[x] = (row[x] + add) & 255
        yield row
        above = row


def main(path):
    with open(path, "rb") as f:
        parts = list(chunks(f.read()))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", dict(parts)[b"IHDR"])
    if depth != 8 or interlaced or parts[-1][0] != b"IEND":
        sys.exit("not a plain, whole PNG of eight bits")
    raw, size = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT")), SAMPLES[kind]
    colours = set()
    for row in rows(raw, height, width * size, size):
        colours.update(bytes(row[x:x + size]) for x in range(0, len(row), size))
    print(width, height, len(colours))


if __name__ == "__main__":
    main(sys.argv[1])
