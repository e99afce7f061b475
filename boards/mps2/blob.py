"""Makes a settings blob (boards/mps2/blob.h) on standard output: blob.py NAME=VALUE..."""

import os
import struct
import sys
import zlib

VERSION = 1
SEED_BYTES = 32


def blob(settings):
    text = "".join(setting + "\n" for setting in settings).encode()
    body = struct.pack("<II", VERSION, len(text)) + os.urandom(SEED_BYTES) + text
    return b"qrng" + struct.pack("<I", zlib.crc32(body)) + body


if __name__ == "__main__":
    sys.stdout.buffer.write(blob(sys.argv[1:]))
