"""Without these, events of a stream are read wrongly, and its end or failure is taken for something else."""

from __future__ import annotations

from landline.core.events import Event, ResponseError
from landline.core.sse import Frame, SSEDecoder
from landline.protocols.openai_chat.stream import CUT, ChatStreamDecoder
from landline.protocols.openai_chat.wire import Chunk, ChunkUsage
from tests.failure_modes.ablation import Ablation

DECODER = "landline.protocols.openai_chat.stream:ChatStreamDecoder"
SSE = "landline.core.sse"

_feed = SSEDecoder.feed
_piece = ChatStreamDecoder._piece
_chunk = ChatStreamDecoder._chunk
_choice = ChatStreamDecoder._choice


def _an_end_is_a_success(decoder: ChatStreamDecoder) -> None:
    decoder._finish = decoder._finish or "stop"
    decoder._end()


def _only_done_is_an_end(decoder: ChatStreamDecoder) -> list[Event]:
    if decoder.over:
        return []
    decoder._fail(ResponseError(CUT, cut=True))
    return decoder._take()


def _only_with_choices(decoder: ChatStreamDecoder, chunk: Chunk) -> None:
    if chunk.choices:
        _chunk(decoder, chunk)


def _ended_by_the_finish(decoder: ChatStreamDecoder, choice: object) -> None:
    _choice(decoder, choice)  # type: ignore[arg-type]
    if decoder._finish is not None and not decoder.over:
        decoder._end()


def _text_of_each_read(decoder: SSEDecoder, data: bytes) -> list[Frame]:
    return _feed(decoder, data.decode("utf-8", "replace").encode())


def _first_line_only(block: bytes) -> Frame | None:
    line = block.split(b"\n")[0]
    return Frame(b"", line.removeprefix(b"data: ")) if line.startswith(b"data: ") else None


def _line_feeds_only(decoder: SSEDecoder, buffer: bytes) -> list[Frame]:
    *blocks, decoder._rest = buffer.split(b"\n\n")
    return [Frame(b"", block.removeprefix(b"data: ")) for block in blocks]


def _nothing_kept(decoder: SSEDecoder, data: bytes) -> list[Frame]:
    frames = _feed(decoder, data)
    decoder._rest = b""
    return frames


def _errors_passed_over(decoder: ChatStreamDecoder, chunk: Chunk) -> None:
    if chunk.error is None and chunk.object != "error":
        _piece(decoder, chunk)


def _told_each_time(decoder: ChatStreamDecoder, error: ResponseError) -> None:
    decoder._blocks.out.append(error)


def _told_as_it_stands(chunk: Chunk) -> ResponseError:
    return ResponseError("the backend failed")


def _not_counted(decoder: ChatStreamDecoder, text: str) -> None:
    return None


def _broken_chunks_passed_over(data: bytes, notes: object) -> Chunk | None:
    return Chunk(choices=[], usage=ChunkUsage())


ABLATIONS = (
    Ablation(
        "stream_cut_is_failure",
        "an end without a finish is a failure",
        f"{DECODER}._end_mark",
        _an_end_is_a_success,
    ),
    Ablation(
        "stream_end_without_done",
        "the end of the bytes ends an answer",
        f"{DECODER}.close",
        _only_done_is_an_end,
    ),
    Ablation("stream_no_choices", "a chunk without choices is read", f"{DECODER}._chunk", _only_with_choices),
    Ablation("stream_usage_after_finish", "usage is waited for", f"{DECODER}._choice", _ended_by_the_finish),
    Ablation("stream_bytes_not_text", "reads are joined as bytes", f"{SSE}:SSEDecoder.feed", _text_of_each_read),
    Ablation("stream_rest_of_read", "half an event waits for the next read", f"{SSE}:SSEDecoder.feed", _nothing_kept),
    Ablation("stream_event_lines", "all lines of an event are read", f"{SSE}:_parse", _first_line_only),
    Ablation("stream_line_ends", "CR and CRLF end lines", f"{SSE}:SSEDecoder._feed_any_line_end", _line_feeds_only),
    Ablation("stream_error_chunk", "an error in the stream is looked for", f"{DECODER}._piece", _errors_passed_over),
    Ablation(
        "stream_error_words",
        "the words of an error are kept",
        "landline.protocols.openai_chat.stream:_told_error",
        _told_as_it_stands,
    ),
    Ablation("stream_one_error", "nothing is read behind an error", f"{DECODER}._fail", _told_each_time),
    Ablation("stream_broken_characters", "broken characters are counted", f"{DECODER}._count_broken", _not_counted),
    Ablation(
        "stream_broken_chunk",
        "what is no chunk is an error",
        "landline.protocols.openai_chat.stream:_read_tolerant",
        _broken_chunks_passed_over,
    ),
)
