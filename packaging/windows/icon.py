#!/usr/bin/python3
"""Draws casedrop.ico: a tooth above a tray. Run it after changing the drawing, and commit both.

    packaging/windows/icon.py packaging/windows/casedrop.ico
"""

import struct
import sys
import zlib

SIZES = (16, 24, 32, 48, 256)
FINE = 4  # samples per pixel and direction, which smooths the edges

TRAY = (0x1F, 0x6F, 0x8B)
TOOTH = (0xFF, 0xFF, 0xFF)
EDGE = (0x14, 0x45, 0x57)


def in_tooth(x, y, grow):
    """Whether a point of the unit square is in the tooth: a crown with two cusps and two roots."""
    crown = any((x - cx) ** 2 + (y - 0.29) ** 2 < (0.165 + grow) ** 2 for cx in (0.385, 0.615))
    body = abs(x - 0.5) < 0.265 + grow - 0.28 * max(0, y - 0.3) and 0.29 - grow < y < 0.5 + grow
    roots = any(
        abs(x - (cx + side * 0.10 * (y - 0.5))) < (0.085 + grow) * (1 - (y - 0.45) / (0.34 + 2 * grow)) + 0.012
        and 0.45 < y < 0.72 + grow
        for cx, side in ((0.375, -1), (0.625, 1))
    )
    return crown or body or roots


def in_tray(x, y):
    """Whether a point is in the tray, which is open at the top."""
    outside = 0.05 < x < 0.95 and 0.58 < y < 0.95
    return outside and not (0.15 < x < 0.85 and y < 0.83)


def colour(x, y):
    """The colour of a point, or None if nothing is drawn there."""
    if in_tray(x, y):
        return TRAY
    if in_tooth(x, y, 0):
        return TOOTH
    if in_tooth(x, y, 0.03):
        return EDGE
    return None


def pixels(size):
    """Rows of RGBA bytes."""
    for row in range(size):
        line = bytearray()
        for column in range(size):
            points = [
                colour((column + (i + 0.5) / FINE) / size, (row + (j + 0.5) / FINE) / size)
                for i in range(FINE)
                for j in range(FINE)
            ]
            inked = [point for point in points if point]
            rgb = [sum(part) // len(inked) for part in zip(*inked)] if inked else [0, 0, 0]
            line += bytes([*rgb, 255 * len(inked) // len(points)])
        yield bytes(line)


def png(size):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + line for line in pixels(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    )


def bitmap(size):
    """The older format, which every program reads: bottom-up rows, BGRA, then a mask of one bit each."""
    rows = list(pixels(size))[::-1]
    data = b"".join(bytes([p for i in range(0, len(r), 4) for p in (r[i + 2], r[i + 1], r[i], r[i + 3])]) for r in rows)
    mask = b"\0" * (((size + 31) // 32 * 4) * size)
    return struct.pack("<IiiHHIIiiII", 40, size, 2 * size, 1, 32, 0, 0, 0, 0, 0, 0) + data + mask


def main():
    images = [png(size) if size > 32 else bitmap(size) for size in SIZES]
    at = 6 + 16 * len(images)
    entries = b""
    for size, image in zip(SIZES, images):
        entries += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(image), at)
        at += len(image)
    with open(sys.argv[1], "wb") as file:
        file.write(struct.pack("<HHH", 0, 1, len(images)) + entries + b"".join(images))


main()
