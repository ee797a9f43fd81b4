"""What a read that is one whole chunk of HTTP looks like, so that it can go on as it came, without a parser.

Model servers write each event of a stream as one chunk, and it is read as one. Its length then says which size must
stand first in it: to compare that, and the end, is all there is to do. (`bytes.startswith` costs CPython 3.11 as much
as the rest.)
"""

from __future__ import annotations

LIMIT = 4096  # bytes of a read; larger ones are parsed
CR, LF = b"\r\n"  # what stands last in a chunk


def _sizes() -> list[tuple[slice, bytes]]:
    sizes = [(slice(1), b"no chunk is so long")] * LIMIT
    for size in range(1, LIMIT):  # not 0: that ends the answer
        head = b"%x\r\n" % size
        length = len(head) + size + 2
        if length < LIMIT:
            sizes[length] = slice(len(head)), head
    return sizes


# By the length of a read: where the size stands in it if it is one chunk, and as what.
SIZES = _sizes()
