"""What leaves the house besides the prompts: seen, explained, and refused where that was asked for."""

from __future__ import annotations

import asyncio
import socket

import pytest

from landline.clients.claude_code import launch_environment, settings_overlay
from landline.clients.claude_receipt import LEFT
from landline.clients.egress.destinations import Destination, Law, Mode, rules
from landline.clients.egress.facts import UNKNOWN
from landline.clients.egress.proxy import Proxy
from landline.clients.egress.report import Outcome, Tried
from landline.clients.egress.variables import users_proxies
from landline.core.exchange import Notes
from landline.core.model import Conversation, Message, Role, Text
from landline.protocols.openai_chat.dialect import Dialect
from landline.transforms.sequence import outbound
from tests.fakes.outside import users_own_proxy

VENDOR = "api.anthropic.com"
# Measured, without landline's settings: clients.md of the project's facts; on the clients' own screens too.
MEASURED = {
    "claude": (VENDOR, "platform.claude.com", "downloads.claude.ai", "raw.githubusercontent.com", "github.com"),
    "codex": ("github.com", "api.github.com", "chatgpt.com", "ab.chatgpt.com"),
    "opencode": ("models.opencode.ai",),
    "qwen": ("gb4w8c3ygj-default-sea.rum.aliyuncs.com",),
}


async def asked_of_proxy(law: Law, tried: Tried, authority: str) -> tuple[bytes, list[str]]:
    """The proxy's answer to CONNECT, and what the world was asked because of it."""
    async with users_own_proxy(status="502 no") as world:
        listener = socket.create_server(("127.0.0.1", 0))
        proxy = Proxy(law=law, tried=tried, proxies=users_proxies({"HTTPS_PROXY": world.url}))
        async with proxy.serve(listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(f"CONNECT {authority} HTTP/1.1\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
        return answer, world.asked


@pytest.mark.row("10.01")
@pytest.mark.parametrize("mode", [Mode.PROXY_ONLY, Mode.LOCK])
async def test_row_10_01_calls_home_are_switched_off_and_refused(mode: Mode) -> None:
    env = launch_environment(
        base_url="http://127.0.0.1:4000", token="t", model="m", window=0, max_output=0, inherited={}
    )
    overlay = settings_overlay(env)["env"]
    assert isinstance(overlay, dict)
    for name in ("NONESSENTIAL_TRAFFIC", "OFFICIAL_MARKETPLACE_AUTOINSTALL"):
        assert env[f"CLAUDE_CODE_DISABLE_{name}"] == overlay[f"CLAUDE_CODE_DISABLE_{name}"] == "1"
    law = Law(mode=mode, gateway=Destination("127.0.0.1", 4000), allow=rules(["example.org"]))
    tried = Tried(client="claude", mode=mode)
    answer, world = await asked_of_proxy(law, tried, f"{VENDOR}:443")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert world == []
    assert tried.summary() == f"network: 1 attempt, 1 host, 1 refused: {VENDOR} (1)"
    _, world = await asked_of_proxy(law, tried, "example.org:443")
    assert world == ["CONNECT example.org:443"]


@pytest.mark.row("10.02")
async def test_row_10_02_what_web_fetch_asks_first_is_explained_with_its_setting() -> None:
    assert "WebFetch asks the vendor" in LEFT
    tried = Tried(client="claude", mode=Mode.AUDIT)
    law = Law(mode=Mode.AUDIT, gateway=Destination("127.0.0.1", 4000))
    await asked_of_proxy(law, tried, f"{VENDOR}:443")
    [_, told] = tried.lines()
    assert told.split()[0] == f"{VENDOR}:443"
    assert "WebFetch asks the vendor whether a site is safe" in told
    assert "off by: skipWebFetchPreflight: true" in told


@pytest.mark.row("10.03")
@pytest.mark.parametrize("client", MEASURED)
def test_row_10_03_each_host_that_was_measured_is_told_what_it_is_for(client: str) -> None:
    tried = Tried(client=client, mode=Mode.AUDIT)
    for host in MEASURED[client]:
        tried.add(Destination(host, 443), Outcome.ALLOWED)
    tried.add(Destination("stranger.test", 443), Outcome.ALLOWED)
    told = {line.split(":", 1)[0].strip(): line for line in tried.lines()[1:]}
    assert told.keys() == {*MEASURED[client], "stranger.test"}
    for host in MEASURED[client]:
        assert UNKNOWN not in told[host]
        assert "off by: " in told[host]
    assert UNKNOWN in told["stranger.test"]


@pytest.mark.row("10.04")
@pytest.mark.parametrize("apostrophe", ["'", "\u2019", "\u02bc", "\u02b9"])
@pytest.mark.parametrize("role", [Role.SYSTEM, Role.USER])
def test_row_10_04_the_date_says_nothing_of_zone_and_address(apostrophe: str, role: Role) -> None:
    """As 2.1.197 writes it: the hyphens by time zone, the apostrophe by the host of the base URL."""
    hers = "Look what it says: Today\u2019s date is 2026/11/28."

    def sent(sentence: str) -> tuple[Conversation, Notes]:
        told = Message(role, (Text(f"<system-reminder>\n# currentDate\n{sentence}\n</system-reminder>"),))
        asked = Conversation(model="m", system=("You are.",), messages=(Message(Role.USER, (Text(hers),)), told))
        notes = Notes()
        return outbound(asked, Dialect(), notes).conversation, notes

    plain, quiet = sent("Today's date is 2026-11-28.")
    marked, notes = sent(f"Today{apostrophe}s date is 2026/11/28.")
    assert marked == plain
    assert hers in str(marked)  # her own words are hers
    note = "the date is written without marks of the time zone and the address"
    assert (note in notes.repairs, note in quiet.repairs) == (True, False)
