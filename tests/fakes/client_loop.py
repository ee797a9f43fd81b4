"""The agent loop as the settings in force would have it: the real SDK with that address, those credentials, that model.

It is what `--fix` must lead to. Two turns: a tool is called, and with its result there is an answer.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

import anthropic

from landline.clients.checking.calls import SINGLE, WEATHER
from landline.clients.claude_code import DEFEATING, LARGEST_OUTPUT, OUTPUT_VARIABLE
from landline.clients.doctor.address import is_excepted
from landline.clients.doctor.settings_in_force import SettingsInForce, read_settings
from landline.clients.doctor.state import Client, sent_model
from tests.fakes.client_setup import Setup

PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


async def run_loop(setup: Setup) -> None:
    """Raises an error of the SDK, or AssertionError, where the loop does not close."""
    found = read_settings(
        home=setup.root, cwd=setup.project, environ=setup.environ, managed_root=setup.root / "managed"
    )
    assert not [name for name in DEFEATING if found.text(name)]
    version = tuple(int(part) for part in setup.version.split("."))
    model = sent_model(found, Client(str(setup.root), version)).name
    messages: list[Any] = [{"role": "user", "content": SINGLE}]
    url = found.text("ANTHROPIC_BASE_URL")
    async with (
        anthropic.DefaultAsyncHttpxClient(trust_env=False, proxy=_proxy(found, url)) as http,
        anthropic.AsyncAnthropic(
            base_url=url, auth_token=found.text("ANTHROPIC_AUTH_TOKEN"), max_retries=0, http_client=http
        ) as sdk,
    ):
        first = await _turn(sdk, found, model, messages)
        (call,) = [block for block in first.content if block.type == "tool_use"]
        assert (first.stop_reason, call.name, call.input) == ("tool_use", "get_weather", {"city": "Bergen"})
        messages.append({"role": "assistant", "content": first.content})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
        messages.append({"role": "user", "content": [result]})
        last = await _turn(sdk, found, model, messages)
    assert last.stop_reason == "end_turn"
    assert [block.text for block in last.content if block.type == "text"] != [""]


async def _turn(
    sdk: anthropic.AsyncAnthropic, found: SettingsInForce, model: str, messages: list[Any]
) -> anthropic.types.Message:
    most = int(found.text(OUTPUT_VARIABLE) or LARGEST_OUTPUT)
    async with sdk.messages.stream(
        model=model, max_tokens=most, messages=messages, tools=[cast("Any", WEATHER)]
    ) as stream:
        return await stream.get_final_message()


def _proxy(found: SettingsInForce, url: str) -> str | None:
    """The proxy that the client would use for its gateway."""
    if is_excepted(urlsplit(url).hostname or "", found):
        return None
    return next((text for name in PROXIES if (text := found.text(name))), None)
