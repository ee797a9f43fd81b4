"""Facts that need no answer of the model: kind of server, window, family, whether tools reach the prompt."""

from __future__ import annotations

from landline.clients.checking.bench import Bench, Finding, Probe, fails, passed, skipped
from landline.clients.checking.calls import WEATHER
from landline.clients.checking.causes import Cause
from landline.errors import LandlineError
from landline.upstream.dialects import LEAST_WINDOW, NARROW_WINDOW

QUESTION = "What is the weather in Bergen?"


async def server(bench: Bench) -> Finding:
    known = bench.server
    return passed(f"{known.kind.value} {known.version}".strip())


async def family(bench: Bench) -> Finding:
    known = bench.server
    if not known.family:
        return skipped(
            "no family row fits this name; set the server's --served-model-name to the model's own if it should"
        )
    return passed(known.family)


async def window(bench: Bench) -> Finding:
    tokens = bench.server.window
    if not tokens:
        return skipped("the server does not tell its window")
    if tokens < LEAST_WINDOW:
        return fails(Cause.WINDOW_TOO_SMALL, f"{tokens:,} tokens; an agent's first request alone has 13,600 to 22,600")
    return passed(f"{tokens:,} tokens")


async def window_room(bench: Bench) -> Finding:
    tokens = bench.server.window
    if not tokens:
        return fails(Cause.WINDOW_UNKNOWN, "the server does not tell its window, so clients cannot compact in time")
    if tokens < NARROW_WINDOW:
        return fails(Cause.WINDOW_NARROW, f"{tokens:,} tokens: an agent compacts more than it works")
    return passed(f"{tokens:,} tokens")


async def template_tools(bench: Bench) -> Finding:
    """A template without a place for tools drops them in silence: the prompt is as long as without.

    Where the server tells such a template, landline tells the tools in the prompt, which the model was not trained for.
    """
    if bench.server.tools_in_words:
        return fails(Cause.TOOLS_NOT_IN_TEMPLATE, "the chat template has no place for tools: they are told in words")
    try:
        without = await bench.asker.count(QUESTION)
        given = await bench.asker.count(QUESTION, tools=[WEATHER])
    except LandlineError as error:
        return skipped(error.text)
    if not (without.exact and given.exact):
        return skipped("this server does not count tokens")
    more = given.tokens - without.tokens
    if more <= 0:
        return fails(
            Cause.TOOLS_NOT_IN_TEMPLATE, "with tools the prompt is as long as without: the template drops them"
        )
    return passed(f"a tool adds {more} tokens to the prompt")


PROBES = (
    Probe("server", "Kind of server", server),
    Probe("family", "Model family", family),
    Probe("window", "Window for a first request", window),
    Probe("window_room", "Window for a session", window_room),
    Probe("template_tools", "Tools reach the prompt", template_tools),
)
