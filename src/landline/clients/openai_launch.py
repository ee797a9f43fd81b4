"""What launches of OpenAI's clients have in common: address, key, longest answer, lines of the receipt. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from landline.clients.claude_code import output_limit, proxy_exceptions
from landline.clients.launching import Target

KEY_VARIABLE = "LANDLINE_KEY"
"""The client's environment holds the gateway's key under this name; no file and no argument does."""
PROVIDER = "landline"
SMALL_WINDOW = 32_000

__all__ = ["KEY_VARIABLE", "PROVIDER", "base_url", "environment", "output_limit", "receipt", "window_in_words"]


def base_url(target: Target) -> str:
    return f"{target.base_url}/v1"


def environment(inherited: Mapping[str, str], target: Target) -> dict[str, str]:
    """The user's, the gateway's key, and loopback as an exception of any proxy."""
    return {**inherited, KEY_VARIABLE: target.token} | proxy_exceptions(target.base_url, inherited)


def window_in_words(window: int, *, point: int, output: int = 0) -> str:
    """`point`: prompt tokens at which the client summarises. `output` 0: it asks for no length."""
    if window <= 0:
        return "not known; the client takes its own guess (set backend.window, if you know better)"
    answers = f"; answers up to {output:,}" if output else ""
    return f"{window:,} tokens; compacts at about {point:,}{answers}"


def receipt(
    target: Target, *, window: str, by: str, off: str, left: str, set_aside: Sequence[str] = (), first_request: int
) -> tuple[tuple[str, str], ...]:
    """`by` is how the settings reach the client, `first_request` what its own prompt takes, in tokens."""
    lines = [("model", target.model), ("window", window)]
    lines += [pair for pair in (("backend", target.backend), ("cache", target.cache)) if pair[1]]
    lines += [("pointed at", f"{base_url(target)}, in this one process ({by})"), ("off", off), ("left", left)]
    if set_aside:
        lines.append(("set aside", f"{', '.join(set_aside)} of your own settings, for this launch"))
    if 0 < target.window < SMALL_WINDOW:
        lines.append(("note", f"the client's own prompt and tools take about {first_request:,} of {target.window:,}"))
    return tuple(lines)
