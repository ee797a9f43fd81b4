"""Server-sent events, cut anywhere, with any line end."""

from __future__ import annotations

import pytest

from landline.core.sse import FRAME_LIMIT, Frame, FrameTooLarge, SSEDecoder, frame

PLAIN = b'data: {"a":1}\n\nevent: x\ndata:b\ndata: c\n\n: only a comment\n\nid: 7\n\ndata: last\n\n'
FRAMES = [Frame(b"", b'{"a":1}'), Frame(b"x", b"b\nc"), Frame(b"", b"last")]
LINE_ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}


def decoded(*pieces: bytes) -> list[Frame]:
    decoder = SSEDecoder()
    frames = [found for piece in pieces for found in decoder.feed(piece)]
    return frames + decoder.close()


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS.keys())
@pytest.mark.row("3.31")
def test_every_line_end_cut_at_every_place(line_end: bytes) -> None:
    data = PLAIN.replace(b"\n", line_end)
    assert decoded(data) == FRAMES
    assert decoded(*(data[at : at + 1] for at in range(len(data)))) == FRAMES
    assert all(decoded(data[:cut], data[cut:]) == FRAMES for cut in range(len(data)))


def test_a_crlf_event_is_given_out_with_its_last_byte() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == []
    assert decoder.feed(b"\n") == [Frame(b"", b"a")]


def test_mixed_line_ends() -> None:
    assert decoded(b"data: a\r\n\ndata: b\r\rdata: c\n\r\ndata: d\n\n") == [
        Frame(b"", one) for one in (b"a", b"b", b"c", b"d")
    ]


@pytest.mark.parametrize("rest", [b"data: end", b"data: end\n", b"data: end\r", b"data: end\r\n"])
def test_an_event_without_its_blank_line_counts_at_the_end(rest: bytes) -> None:
    assert decoded(b"data: a\n\n", rest) == [Frame(b"", b"a"), Frame(b"", b"end")]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert decoded(b"\xef\xbb\xbfdata: a\n\n") == [Frame(b"", b"a")]


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS.keys())
@pytest.mark.parametrize("piece", [1000, 65_536, 100_001])
def test_an_event_that_spans_many_reads(line_end: bytes, piece: int) -> None:
    long = b"x" * 300_000
    data = b"data: " + long + line_end * 2 + b"data: next" + line_end * 2
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    assert decoded(*pieces) == [Frame(b"", long), Frame(b"", b"next")]


def test_a_long_event_whose_blank_line_is_cut() -> None:
    long = b"data: " + b"x" * 100_000
    assert decoded(long + b"\n", b"\ndata: b\n\n") == [Frame(b"", long[6:]), Frame(b"", b"b")]
    assert decoded(long, b"\r\n\r", b"\n", b"data: b\r\n\r\n") == [Frame(b"", long[6:]), Frame(b"", b"b")]
    assert decoded(long + b"\r\n\r", b"\n", b"data: b\r\n\r\n") == [Frame(b"", long[6:]), Frame(b"", b"b")]
    assert decoded(long + b"\r\n\r", b"\n", b"data: b\n\n") == [Frame(b"", long[6:]), Frame(b"", b"b")]


def test_an_event_without_end_is_refused_at_the_limit() -> None:
    decoder = SSEDecoder()
    piece = b"x" * (FRAME_LIMIT // 4)
    with pytest.raises(FrameTooLarge):
        for _ in range(6):
            decoder.feed(piece)


def test_what_is_written_is_read() -> None:
    assert decoded(frame(b"ping", b'{"a":"\xe5\x8c\x97"}')) == [Frame(b"ping", b'{"a":"\xe5\x8c\x97"}')]


@pytest.mark.parametrize(
    ("read", "line"),
    [
        (b'data: {"a":1}\n\n', b'{"a":1}'),
        (b"data: \n\n", b""),
        (b"", None),
        (b"data: a\n", None),
        (b"data: a\n\ndata: b\n\n", None),
        (b"data: a\ndata: b\n\n", None),
        (b"data: a\r\n\r\n", None),
        (b"data: a\rb\n\n", None),
        (b"data:a\n\n", None),
        (b"event: x\ndata: a\n\n", None),
        (b": a comment\n\n", None),
        (b"\n\n", None),
    ],
)
def test_a_read_that_is_one_event_is_told_from_all_others(read: bytes, line: bytes | None) -> None:
    decoder = SSEDecoder()
    assert decoder.only(read) == line
    if line is not None:
        assert decoder.feed(read) == [Frame(b"", line)]


def test_behind_half_an_event_no_read_is_one_event_alone() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"data: begun ")
    assert decoder.only(b"data: a\n\n") is None
