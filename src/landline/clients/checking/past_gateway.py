"""One tool prompt to the backend itself: what its parsers leave in the text, though the gateway may mend it."""

from __future__ import annotations

from landline.clients.checking.asking import ROOM_TO_THINK, SYSTEM
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed, skipped
from landline.clients.checking.calls import CODE, ROOM_FOR_TEXT, WRITE, to_write
from landline.clients.checking.causes import Cause, quote, raw_fault
from landline.clients.checking.markup import thinking_markup

PROMPT = to_write("greet.py", CODE)


async def direct_call(bench: Bench) -> Finding:
    if bench.direct is None:
        return skipped(bench.no_direct)
    room = ROOM_FOR_TEXT
    answer = await bench.direct.ask(PROMPT, room=room, system=SYSTEM, tools=(WRITE,))
    if answer.finish == "length" and (answer.thinking or thinking_markup(answer.text)):
        room = ROOM_TO_THINK
        answer = await bench.direct.ask(PROMPT, room=room, system=SYSTEM, tools=(WRITE,))
    bench.asker.output += answer.output
    if fault := raw_fault(answer, [WRITE["name"]], bench.server.kind, room=room):
        return failed(fault)
    if mark := thinking_markup(answer.text):
        return fails(Cause.THINKING_IN_TEXT, f"the backend leaves {mark} in the text: {quote(answer.text)}")
    if not answer.calls:
        return skipped(f"the model did not call, so nothing is known of the parser: {quote(answer.text)}")
    return passed("calls and thinking are read by the server")


PROBES = (Probe("direct_call", "The backend itself reads its model's calls", direct_call),)
