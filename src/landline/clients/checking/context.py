"""Long prompts: a needle near the beginning, at 25, 50 and 90 % of the window; whether the window is as large as said.

Each prompt begins as the one before it, so a prefix cache spares most of the work. The needle stands near the beginning
because that is what is lost where a server cuts prompts without a word.
"""

from __future__ import annotations

from msgspec import Struct

from landline.clients.checking.asking import Answer, Asker
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed, skipped
from landline.clients.checking.calls import NO_THINKING
from landline.clients.checking.causes import Cause, Fault, problem_fault, quote
from landline.errors import LandlineError

ROOM = 64
LEAST_WINDOW = 2_048  # below, there is nothing to probe
SAMPLE_LINES = 200
NEEDLE_LINE = 12
CODE = "heron-4821"
NEEDLE = f"Keep this in mind: the code of the lighthouse is {CODE}."
QUESTION = "What is the code of the lighthouse? It stands in the text above. Answer with the code only."
CLOSE_ENOUGH = 0.97  # of the size that is aimed at
LEAST_COUNTED = 0.7  # of a prompt, in what the backend says it read; less: it was cut
LEAST_ESTIMATED = 0.5  # the same where our own count is an estimate

_PLACES = ("the north quay", "the old mole", "the fish market", "the dry dock", "the ferry slip", "the customs house")
_BOATS = ("a cutter", "two dinghies", "a tug", "three barges", "a schooner", "a pilot boat", "a dredger")
_CARGO = ("salt", "timber", "nets", "coal", "herring", "rope", "paint", "ice", "grain", "tar", "tiles")


class _Sized(Struct, frozen=True):
    text: str
    tokens: int
    exact: bool


def log_of(lines: int) -> str:
    """A harbour's log of that many lines, each another; a longer log begins like a shorter one."""
    out: list[str] = []
    for number in range(lines):
        place, boat = _PLACES[number % len(_PLACES)], _BOATS[number % len(_BOATS)]
        cargo = _CARGO[number % len(_CARGO)]
        out.append(f"Entry {number}: {boat} left {place} with {cargo} for the islands; the wind came from the west.")
        if number == NEEDLE_LINE:
            out.append(NEEDLE)
    return "\n".join(out)


async def sized(asker: Asker, target: int) -> _Sized:
    """A prompt of at most `target` tokens, and not much less. Raises LandlineError where nobody counts."""
    lines = SAMPLE_LINES
    found = await _counted(asker, lines)
    for _ in range(3):
        if CLOSE_ENOUGH * target <= found.tokens <= target:
            break
        lines = max(NEEDLE_LINE + 2, int(lines * target / found.tokens * 0.99))
        found = await _counted(asker, lines)
    return found


async def _counted(asker: Asker, lines: int) -> _Sized:
    text = f"{log_of(lines)}\n\n{QUESTION}"
    count = await asker.count(text, thinking=NO_THINKING)
    return _Sized(text, count.tokens, count.exact)


def context_probe(percent: int) -> Probe:
    async def run(bench: Bench) -> Finding:
        return await _context(bench, percent)

    title = f"A prompt of {percent} % of the window"
    return Probe(f"context_{percent}", title, run, patience=max(1, percent / 25), heavy=True)


async def _context(bench: Bench, percent: int) -> Finding:
    window = bench.server.window
    if not window:
        return skipped("the window is not known; set backend.window in landline.toml")
    if window < LEAST_WINDOW:
        return skipped(f"a window of {window:,} tokens is too small for that")
    try:
        prompt = await sized(bench.asker, window * percent // 100 - ROOM)
    except LandlineError as error:
        return skipped(error.text)
    answer = await bench.asker.ask_once(prompt.text, room=ROOM, thinking=NO_THINKING)
    bench.figures[f"context_{percent}.first_token_s"] = round(answer.first_s, 3)
    return judge(prompt.tokens, answer, exact=prompt.exact, window=window)


def judge(tokens: int, answer: Answer, *, exact: bool, window: int) -> Finding:
    if answer.problem:
        fault = problem_fault(answer.problem)
        if fault.cause is Cause.WINDOW_SMALLER_THAN_SAID:
            text = f"a prompt of {tokens:,} tokens is refused: the window is {fault.window:,}, not {window:,}"
            fault = Fault(fault.cause, text, window=fault.window)
        return failed(fault)
    if 0 < answer.prompt < tokens * (LEAST_COUNTED if exact else LEAST_ESTIMATED):
        text = f"of a prompt of {tokens:,} tokens the backend read {answer.prompt:,}"
        return failed(Fault(Cause.PROMPTS_CUT, text, window=answer.prompt))
    if CODE not in answer.text.lower():
        return fails(Cause.LOST_IN_CONTEXT, f"in {tokens:,} tokens it did not find the needle: {quote(answer.text)}")
    return passed(f"found the needle in {tokens:,} tokens, first token after {answer.first_s:.1f} s")


PROBES = (context_probe(25), context_probe(50), context_probe(90))
