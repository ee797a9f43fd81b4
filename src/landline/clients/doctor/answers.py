"""What answers of the model showed: markup, thinking in the text, streams that were held back."""

from __future__ import annotations

from landline.clients.checking.bench import Finding as ProbeFinding
from landline.clients.checking.causes import Cause, Fault
from landline.clients.checking.mends import Parsers, mend
from landline.clients.doctor.finding import Outcome, Passed, Problem, Severity, Skipped, Source
from landline.clients.doctor.state import ModelServer, State, Streamed
from landline.upstream.dialects import BackendKind

QUICK = "--quick asks no model"
TOOL_CAUSES = frozenset(
    {Cause.NO_TOOL_PARSER, Cause.WRONG_TOOL_PARSER, Cause.CALL_IN_THINKING, Cause.CUT_ARGUMENTS, Cause.OUTPUT_CAP}
)
REPAIRED = "; landline reads or works around it"

# A model writes tens or hundreds of tokens a second; thousands come only from something that kept them.
LEAST_TOKENS = 16
LEAST_S = 0.3
LEAST_READ = 0.8  # of our own estimate, which is a low one
IMPOSSIBLE_RATE = 2_000.0  # tokens a second, of one stream


def tool_parser(state: State) -> Outcome:
    """A parser that is missing, and one of another family: which model family the markup belongs to is told."""
    probe, server = state.probed.call, state.server
    if probe is None or server is None:
        return Skipped(_untried(state, "tool_parser"))
    if probe.fault is None or probe.fault.cause not in TOOL_CAUSES:
        return Passed(probe.detail) if probe.passed or probe.fault else Skipped(probe.detail)
    return [_misread(state, server, probe, probe.fault)]


def reasoning_parser(state: State) -> Outcome:
    probe, server = state.probed.call, state.server
    if probe is None or server is None:
        return Skipped(_untried(state, "reasoning_parser"))
    if probe.fault is None or probe.fault.cause is not Cause.THINKING_IN_TEXT:
        return Passed("no mark of thinking in the text") if probe.passed is not None else Skipped(probe.detail)
    return [_misread(state, server, probe, probe.fault)]


def _misread(state: State, server: ModelServer, probe: ProbeFinding, fault: Fault) -> Problem:
    """landline repairs what it can: the loop goes on, and every call hangs on the repair."""
    works = state.behind_landline and fault.cause is not Cause.OUTPUT_CAP
    return Problem(
        finding=probe.detail + (REPAIRED if works else ""),
        fix=mend(fault, server.kind, server.parsers),
        source=Source(server.url),
        severity=Severity.WARNING if works else None,
    )


def template_tools(state: State) -> Outcome:
    probe, server = state.probed.template, state.server
    if probe is None or server is None:
        return Skipped(_untried(state, "template_tools"))
    if probe.fault is None:
        return Passed(probe.detail) if probe.passed else Skipped(probe.detail)
    return [_misread(state, server, probe, probe.fault)]


def prompts_cut(state: State) -> Outcome:
    """By the size of the long prompt, as the server says that it read it."""
    prefill = state.probed.prefill
    if prefill is None or prefill.problem or not prefill.tokens:
        return Skipped(prefill.problem if prefill and prefill.problem else _untried(state, "prompts_cut"))
    if prefill.tokens >= LEAST_READ * prefill.sent:
        return Passed(f"a prompt of {prefill.tokens:,} tokens")
    server = state.server
    fault = Fault(Cause.PROMPTS_CUT, "", window=prefill.tokens)
    return [
        Problem(
            finding=f"of a prompt of about {prefill.sent:,} tokens the server read {prefill.tokens:,}",
            fix=mend(fault, server.kind if server else BackendKind.UNKNOWN, server.parsers if server else Parsers()),
            source=Source(server.url if server else state.target.url),
        )
    ]


def streaming(state: State) -> Outcome:
    """Held back on the way of the client's requests; and where, if the backend could be asked itself."""
    here, beyond = state.probed.streamed, state.probed.streamed_direct
    if state.asked.compressed:
        return [_compressed(state)]
    if here is None:
        return Skipped(_untried(state, "streaming"))
    if here.problem:
        return Skipped(here.problem)
    held = is_held_back(here)
    if held is None:
        return Skipped(f"too short to tell: {here.tokens} tokens in {here.total_s:.2f} s")
    if not held:
        return Passed(
            f"the first words of {here.tokens} tokens came {here.total_s - here.first_s:.1f} s before the last"
        )
    server = state.server.url if state.server else ""
    between = "the client and the gateway"
    address = state.target.url
    if beyond is not None and not beyond.problem and is_held_back(beyond):
        between, address = "the gateway and the model", server
    return [
        Problem(
            finding=f"{here.tokens} tokens came at once after {here.total_s:.1f} s: something between {between} holds "
            "streams back",
            fix="switch buffering off in the proxy there (nginx: proxy_buffering off; proxy_read_timeout 1h), or go "
            "past it",
            source=Source(address),
        )
    ]


def _compressed(state: State) -> Problem:
    """Measured with nginx 1.22: a compressed stream comes whole at its end; proxy_buffering alone delays nothing."""
    return Problem(
        finding=f"the stream comes compressed ({state.asked.compressed}): something between the client and the gateway "
        "waits until there is enough to compress",
        fix="leave text/event-stream out of what the proxy there compresses (nginx: gzip off, or name the types in "
        "gzip_types)",
        source=Source(state.target.url),
    )


def is_held_back(streamed: Streamed) -> bool | None:
    """None: too little or too quick to tell."""
    if streamed.tokens < LEAST_TOKENS or streamed.total_s < LEAST_S:
        return None
    return streamed.tokens > IMPOSSIBLE_RATE * (streamed.total_s - streamed.first_s)


def _untried(state: State, check: str) -> str:
    return QUICK if state.quick else state.probed.untried.get(check, "not tried")
