"""The receipt of a launch, line by line."""

from __future__ import annotations

from typing import Any

import pytest

from landline.clients.claude_code import launch_environment, output_limit
from landline.clients.claude_lean import SWITCHES, lean_in_words, lean_overlay
from landline.clients.claude_receipt import OWN_KEPT, receipt
from landline.clients.launching import Target, Wishes
from landline.upstream.caching import CacheMetrics, cache_in_words
from landline.upstream.dialects import BackendKind


def lines(*, window: int = 65_536, wanted: dict[str, str] | None = None, **options: Any) -> dict[str, str]:
    target = Target(base_url="http://127.0.0.1:4000", token="key-0123", model="Qwen", window=window, searches="here")
    env = launch_environment(
        base_url=target.base_url,
        token=target.token,
        model=target.model,
        window=window,
        max_output=output_limit(window),
        inherited=wanted or {},
    )
    given = {"wishes": Wishes(), "own_status_line": False, "interactive": True} | options
    told = receipt(env, target, wanted or {}, **given)
    assert "key-0123" not in str(told)
    return dict(told)


def test_what_is_not_known_has_no_line():
    told = lines()
    assert told["window"] == "65,536 tokens; compacts at about 40,960; answers up to 16,384"
    assert told["web search"] == "goes to here"
    assert {"backend", "cache", "lean", "note", "set aside"} & set(told) == set()
    assert "waits for the backend's own limit" in lines(window=0)["window"]


@pytest.mark.parametrize(
    ("wishes", "own", "interactive", "said"),
    [
        (Wishes(), False, True, "--status-line shows"),
        (Wishes(), True, True, ""),
        (Wishes(status_line=True), False, True, "landline's"),
        (Wishes(status_line=True), True, True, OWN_KEPT),
        (Wishes(replace_status_line=True), True, True, "landline's"),
        (Wishes(status_line=True), False, False, ""),
    ],
)
def test_a_status_line_is_offered_never_forced(wishes: Wishes, own: bool, interactive: bool, said: str):
    told = lines(wishes=wishes, own_status_line=own, interactive=interactive).get("status line", "")
    assert told.startswith(said) if said else told == ""


def test_a_small_window_is_explained_until_something_was_done_about_it():
    assert "--lean" in lines(window=32_768)["note"]
    assert "note" not in lines(window=32_768, wanted={"CLAUDE_CODE_SIMPLE": "1"})
    told = lines(window=32_768, wishes=Wishes(lean=True))
    assert "note" not in told
    assert told["lean"] == lean_in_words()


def test_the_lean_overlay_keeps_the_rest():
    overlay = lean_overlay({"env": {"ANTHROPIC_MODEL": "m"}, "apiKeyHelper": ""})
    assert overlay["apiKeyHelper"] == ""
    env = overlay["env"]
    assert isinstance(env, dict)
    assert env["ANTHROPIC_MODEL"] == "m"
    assert {name for name in env if name != "ANTHROPIC_MODEL"} == set(SWITCHES)


@pytest.mark.parametrize(
    ("kind", "metrics", "slots", "said"),
    [
        (BackendKind.VLLM, None, 0, "not told"),
        (BackendKind.VLLM, CacheMetrics(), 0, "on, nothing asked yet"),
        (BackendKind.VLLM, CacheMetrics(queries=200, hits=50), 0, "on; 25 %"),
        (BackendKind.VLLM, CacheMetrics(enabled=False), 0, "switched off"),
        (BackendKind.LLAMACPP, None, 1, "one slot"),
        (BackendKind.LLAMACPP, None, 4, "4 slots"),
        (BackendKind.LLAMACPP, None, 0, "not told"),
        (BackendKind.OLLAMA, None, 0, "not told"),
    ],
)
def test_what_is_known_of_the_cache(kind: BackendKind, metrics: CacheMetrics | None, slots: int, said: str):
    assert said in cache_in_words(kind, metrics, slots)
