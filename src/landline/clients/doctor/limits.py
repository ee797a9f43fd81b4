"""What the client may ask for: output, window, time. Held against the true window and the speed that was measured."""

from __future__ import annotations

from landline.clients.claude_code import (
    COMPACTION_VARIABLE,
    LARGEST_OUTPUT,
    OUTPUT_VARIABLE,
    SMALLEST_COMPACTION_WINDOW,
    WINDOW_VARIABLE,
    declared_window,
    output_limit,
)
from landline.clients.doctor.edits import remove_everywhere, set_where_it_stands
from landline.clients.doctor.finding import Edit, Outcome, Passed, Problem, Severity, Skipped, Source
from landline.clients.doctor.state import Prefill, State
from landline.upstream.dialects import LEAST_WINDOW, NARROW_WINDOW, narrow_window, small_window

FIRST_REQUEST = 22_600  # tokens of the client's first request, where it is long
SMALL_FIRST_REQUEST = 13_600
TIMEOUT_VARIABLE = "API_TIMEOUT_MS"
OPENED_AFTER_S = 10.0  # landline opens the client's stream after that long without an answer
SILENCE_S = 300.0  # what both versions bear in mid-stream, and 197 before the headers
UNKNOWN = "nobody tells the window"
SIMPLE = "CLAUDE_CODE_SIMPLE"


def window(state: State) -> Outcome:
    size = state.window
    kind = state.server.kind if state.server else None
    if not size:
        return Skipped(UNKNOWN)
    if size >= NARROW_WINDOW:
        return Passed(f"{size:,} tokens")
    url = Source(state.server.url if state.server else state.target.url)
    advice = (small_window(kind, size) or narrow_window(kind, size)) if kind else ""
    change = advice.partition(": ")[2] or f"serve the model with a window of {NARROW_WINDOW:,} or more"
    if size < LEAST_WINDOW and not state.settings.value(SIMPLE):
        least = "less than" if size < SMALL_FIRST_REQUEST else "hardly more than"
        finding = f"{size:,} tokens: {least} the client's first request"
        fix = (
            f"{change}; until then, `landline launch claude --lean` leaves out much of the client's first request, and "
            "CLAUDE_CODE_SIMPLE=1 all but three tools"
        )
        severity = None if size < FIRST_REQUEST else Severity.WARNING
        edits = set_where_it_stands(state.settings, SIMPLE, "1").edits if severity is None else ()
        return [Problem(finding=finding, fix=fix, source=url, severity=severity, edits=edits)]
    finding = f"{size:,} tokens: the client will often compact"
    return [Problem(finding=finding, fix=change, source=url, severity=Severity.WARNING)]


def output_limit_fits(state: State) -> Outcome:
    size = state.window
    if not size:
        return Skipped(UNKNOWN)
    value = state.settings.value(OUTPUT_VARIABLE)
    asked = int(value.text) if value and value.text.isdecimal() and len(value.text) < 10 else LARGEST_OUTPUT
    first = 0 if state.settings.value(SIMPLE) else SMALL_FIRST_REQUEST
    if asked + first <= size:
        return Passed(f"{asked:,} of {size:,} tokens")
    wanted = str(output_limit(size))
    told = f"{OUTPUT_VARIABLE} is {asked:,}" if value else f"the client asks for {asked:,} tokens of output"
    clamped = "; landline asks the server for what fits" if state.behind_landline else ""
    edits = set_where_it_stands(state.settings, OUTPUT_VARIABLE, wanted)
    return [
        Problem(
            finding=f"{told}, the window is {size:,}{clamped}",
            fix=f"set {OUTPUT_VARIABLE} to {wanted}",
            source=value.source if value else edits.source,
            severity=Severity.WARNING if state.behind_landline else None,
            edits=edits.edits,
        )
    ]


def declared(state: State) -> Outcome:
    size = state.window
    if not size:
        return Skipped(UNKNOWN)
    wanted = declared_window(size)
    told = {name: state.settings.value(name) for name in (WINDOW_VARIABLE, COMPACTION_VARIABLE)}
    numbers = [int(value.text) for value in told.values() if value and value.text.isdecimal() and len(value.text) < 10]
    if len(numbers) == len(told) and min(numbers) <= wanted:
        return Passed(f"{min(numbers):,} tokens")
    if size >= SMALLEST_COMPACTION_WINDOW and told[COMPACTION_VARIABLE] and len(numbers) == 1 and numbers[0] <= wanted:
        return Passed(f"{numbers[0]:,} tokens")
    edits = [edit for name in told for edit in set_where_it_stands(state.settings, name, str(wanted)).edits]
    larger = f"the client is told {min(numbers):,} tokens" if len(numbers) == len(told) else "the client is not told it"
    return [
        Problem(
            finding=f"the window is {size:,} tokens, and {larger}",
            fix=f"set {WINDOW_VARIABLE} and {COMPACTION_VARIABLE} to {wanted}",
            source=next((value.source for value in told.values() if value), Source(str(state.settings.user_file))),
            edits=tuple(edits),
        )
    ]


def prefill_time(state: State) -> Outcome:
    """By what was measured where it was; else only a time limit that is shorter than landline's first sign of life."""
    value = state.settings.value(TIMEOUT_VARIABLE)
    told = int(value.text) / 1000 if value and value.text.isdecimal() and len(value.text) < 12 else 0.0
    limit_s = told if told else SILENCE_S
    prefill = state.probed.prefill
    if prefill is not None and not prefill.problem and (told or not state.behind_landline):
        expected_s = expected_prefill(prefill)
        first_sign_s = min(expected_s, OPENED_AFTER_S) if state.behind_landline else expected_s
        if first_sign_s < limit_s:
            return Passed(f"a first request takes about {expected_s:.0f} s, the client waits {limit_s:.0f} s")
        return [
            _too_long(state, f"a first request takes about {expected_s:.0f} s to read", limit_s, value and value.source)
        ]
    if value is not None and 0 < limit_s <= OPENED_AFTER_S:
        late = f"{TIMEOUT_VARIABLE} gives an answer {limit_s:g} s to begin"
        return [_too_long(state, late, limit_s, value.source, severity=Severity.WARNING)]
    if state.behind_landline:
        return Passed("landline sends signs of life meanwhile")
    return Skipped("--quick does not measure it" if state.quick else (prefill.problem if prefill else "not measured"))


def expected_prefill(prefill: Prefill) -> float:
    """Seconds for the client's first request, from a shorter prompt."""
    return FIRST_REQUEST * prefill.seconds / max(prefill.tokens, 1)


def _too_long(
    state: State, finding: str, limit_s: float, source: Source | None, *, severity: Severity | None = None
) -> Problem:
    edits: tuple[Edit, ...] = remove_everywhere(state.settings, TIMEOUT_VARIABLE)
    if edits:
        fix = f"remove {TIMEOUT_VARIABLE} ({limit_s:g} s)"
    else:
        fix = "put landline between them, which sends signs of life, or give the model more or faster GPUs"
    return Problem(
        finding=f"{finding}, and the client waits {limit_s:g} s",
        fix=fix,
        source=source or Source(state.target.url),
        severity=severity,
        edits=edits,
    )
