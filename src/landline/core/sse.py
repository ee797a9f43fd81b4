"""Server-sent events, both ways: a decoder for any cut of the bytes, and one function that writes a frame.

Grammar of the WHATWG HTML standard: lines end with LF, CRLF or CR; a blank line ends an event; several `data:` lines
are joined by LF; one space after the colon is dropped; lines that begin with a colon are comments.
"""

from __future__ import annotations

from msgspec import Struct

FRAME_LIMIT = 16 * 1024 * 1024  # bytes of one event; a peer that sends more is not speaking the protocol

LF, CR = 10, 13  # a byte is looked for by its number: by its text, Python fails once within itself before it looks
_DATA = (b"data", b"\xef\xbb\xbfdata")  # the second behind a byte order mark, which may open the stream


class FrameTooLarge(ValueError):
    """One event grew beyond FRAME_LIMIT."""


class Frame(Struct, frozen=True, gc=False):
    event: bytes  # empty when the event has no name
    data: bytes


class SSEDecoder:
    """Collects bytes and gives out the data of each complete event. Keeps at most one unfinished event."""

    def __init__(self) -> None:
        self._rest = b""
        self._pieces: list[bytes] = []  # an unfinished event that spans many reads
        self._size = 0

    def only(self, data: bytes) -> bytes | None:
        """What `feed` would give, for reads that are one whole event of one `data: ` line, as nearly all of an answer.

        None: not such a read, and to be fed.
        """
        if self._rest or self._pieces or data[:6] != b"data: " or data[-2:] != b"\n\n":
            return None
        line = data[6:-2]
        return None if LF in line or CR in line else line

    def feed(self, data: bytes) -> list[Frame]:
        """Complete events in `data` and what was kept. Raises FrameTooLarge."""
        if self._pieces:
            return self._feed_long(data)
        buffer = self._rest + data if self._rest else data
        if CR in buffer:
            return self._feed_any_line_end(buffer)
        blocks = buffer.split(b"\n\n")
        self._rest = blocks.pop()
        if not blocks:
            self._hold()
        return _frames(blocks)

    def close(self) -> list[Frame]:
        """What stands unfinished at the end of the bytes, as far as it reads as an event."""
        rest, self._rest = self._rest + b"".join(self._pieces), b""
        self._pieces = []
        frame = _parse(rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip(b"\n"))
        return [frame] if frame else []

    def _hold(self) -> None:
        """An event longer than one read: keep pieces instead of joining them again with each read."""
        if len(self._rest) > FRAME_LIMIT:
            raise FrameTooLarge(f"one event of more than {FRAME_LIMIT} bytes")
        if len(self._rest) > 65536:
            self._pieces, self._size, self._rest = [self._rest], len(self._rest), b""

    def _feed_long(self, data: bytes) -> list[Frame]:
        ends = b"\n\n" in self._pieces[-1][-1:] + data or CR in data
        self._pieces.append(data)
        self._size += len(data)
        if self._size > FRAME_LIMIT:
            raise FrameTooLarge(f"one event of more than {FRAME_LIMIT} bytes")
        if not ends:
            return []
        joined, self._pieces, self._size = b"".join(self._pieces), [], 0
        return self.feed(joined)

    def _feed_any_line_end(self, buffer: bytes) -> list[Frame]:
        held = b""
        if buffer.endswith(b"\r"):  # may be the first half of CRLF
            buffer, held = buffer[:-1], b"\r"
        *blocks, rest = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")
        self._rest = rest + held
        if not blocks:
            self._hold()
        return _frames(blocks)


def _frames(blocks: list[bytes]) -> list[Frame]:
    """Events that carry data. Nearly all are one `data: ` line, so that is looked for first."""
    frames: list[Frame] = []
    for block in blocks:
        if block[:6] == b"data: " and LF not in block:
            frames.append(Frame(b"", block[6:]))
        elif parsed := _parse(block):
            frames.append(parsed)
    return frames


def _parse(block: bytes) -> Frame | None:
    """One event without its blank line; None when it carries no data."""
    event = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name in _DATA:
            data.append(value)
        elif name == b"event":
            event = value
    return Frame(event, b"\n".join(data)) if data else None


def frame(event: bytes, data: bytes) -> bytes:
    """One event, ready to be written. `data` is one line."""
    return b"event: %b\ndata: %b\n\n" % (event, data)
