"""Forms of output: stop sequences, JSON by a schema, and whether a picture is seen."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from landline.clients.checking.asking import json_object
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed, skipped
from landline.clients.checking.calls import NO_THINKING
from landline.clients.checking.causes import Cause, problem_fault, quote

COUNT = "Write the words one two three four five six seven eight, in this order, on one line, and nothing else."
STOP = "six"
DESCRIBE = (
    "Describe this harbour as JSON with its name (a text), its depth in metres (an integer) and free_of_ice (a "
    "boolean): Bergen, 11 metres deep, free of ice all year."
)
FIELDS: dict[str, type] = {"name": str, "depth": int, "free_of_ice": bool}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "depth": {"type": "integer"}, "free_of_ice": {"type": "boolean"}},
    "required": list(FIELDS),
    "additionalProperties": False,
}
COLOUR = "Which colour is this picture? Answer with one word."
SIDE = 64  # pixels


async def stop_sequence(bench: Bench) -> Finding:
    answer = await bench.asker.ask(COUNT, room=256, stop_sequences=[STOP], thinking=NO_THINKING)
    if answer.problem:
        return failed(problem_fault(answer.problem))
    text = answer.text.lower()
    if STOP in text or "seven" in text:
        return fails(Cause.STOP_IGNORED, f"it wrote past the stop sequence: {quote(answer.text)}")
    if "five" not in text:
        return skipped(f"the model did not get as far as the stop sequence: {quote(answer.text)}")
    return passed(f"ended before “{STOP}”, as {answer.stop_reason}")


async def json_schema(bench: Bench) -> Finding:
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    answer = await bench.asker.ask(DESCRIBE, room=512, output_config=form, thinking=NO_THINKING)
    if answer.problem:
        return failed(problem_fault(answer.problem))
    value = json_object(answer.text)
    if value is None:
        return fails(Cause.SCHEMA_IGNORED, f"no JSON object: {quote(answer.text)}")
    # type() and not isinstance: true is no depth.
    wrong = [name for name, kind in FIELDS.items() if type(value.get(name)) is not kind]
    wrong += [name for name in value if name not in FIELDS]
    if wrong:
        return fails(Cause.SCHEMA_IGNORED, f"not as the schema says ({quote(', '.join(wrong))}): {quote(answer.text)}")
    return passed("as the schema says")


async def image(bench: Bench) -> Finding:
    if bench.server.images is None:
        return skipped("the server does not tell whether its model sees")
    if not bench.server.images:
        return skipped("the model does not see pictures, says the server")
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(red_square()).decode()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": COLOUR}]
    answer = await bench.asker.ask([{"role": "user", "content": content}], room=256, thinking=NO_THINKING)
    if answer.problem:
        return failed(problem_fault(answer.problem))
    if "red" not in answer.text.lower():
        return fails(Cause.DOES_NOT_SEE, f"a red picture is {quote(answer.text)} to it")
    return passed("it saw a red picture")


def red_square() -> bytes:
    """A PNG, red all over."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xe0\x10\x10" * SIDE) * SIDE
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


PROBES = (
    Probe("stop_sequence", "Stop sequences", stop_sequence),
    Probe("json_schema", "JSON by a schema", json_schema),
    Probe("image", "Pictures", image),
)
