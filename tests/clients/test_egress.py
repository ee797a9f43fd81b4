"""`landline launch --egress`: the real client behind the proxy and in the namespace; commands that try to get out."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from landline.clients.egress import lock
from landline.clients.install import ClientProgram
from landline.errors import SettingsError
from tests.clients import escape
from tests.clients.screen import on_screen
from tests.clients.test_launch_receipt import command, seeded
from tests.clients.verb import Verb
from tests.fakes.chat_stream import Answer
from tests.fakes.claude_script import AgentScript
from tests.fakes.model_server import ModelServer
from tests.fakes.outside import BODY, door, users_own_proxy
from tests.fixtures_real import CLAUDE_VERSIONS, clients_required

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
ALLOWED = ("--", "-p", "do the task", "--dangerously-skip-permissions")


@pytest.fixture(params=CLAUDE_VERSIONS)
def verb(request: pytest.FixtureRequest, claude_programs: Mapping[str, ClientProgram], tmp_path: Path) -> Verb:
    return Verb(tmp_path, claude_programs[request.param])


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skips where the kernel gives none; in CI that is a failure."""
    try:
        lock.check(lock.Cell(listen=[("127.0.0.1", 1024)], cwd=Path("/"), keep=[]))
    except SettingsError as error:
        if clients_required():
            raise
        pytest.skip(error.text)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path that a Unix socket may have, whatever it is that pytest's own is called."""
    with tempfile.TemporaryDirectory(prefix="eg-") as folder:
        yield Path(folder)


def shell(*argv: str) -> Answer:
    call = ("Bash", {"command": shlex.join(argv), "description": "a step of the task"}, "")
    return Answer(tool_calls=(call,))


def model(*answers: Answer) -> ModelServer:
    return ModelServer(AgentScript([*answers, Answer(text="all done")]), models=["Qwen3.5-27B"], window=65_536)


def write(path: Path) -> Answer:
    return Answer(tool_calls=(("Write", {"file_path": str(path), "content": "made inside\n"}, ""),))


def python(code: str) -> Answer:
    return shell(sys.executable, "-c", code)


def fetching(url: str) -> Answer:
    """As a command does that heeds the proxy variables."""
    got = f"urllib.request.urlopen({url!r}, timeout=5).read()"
    return python(f"import urllib.request\ntry:\n print({got})\nexcept Exception as error:\n print(repr(error))")


def results(server: ModelServer) -> list[str]:
    """What the client told the model of its commands."""
    messages = server.chats[-1].json["messages"]
    return [str(message["content"]) for message in messages if message["role"] == "tool"]


@pytest.mark.usefixtures("namespaces")
async def test_under_lock_the_loop_finishes_and_nothing_gets_out(verb: Verb, short: Path):
    made = verb.home / "made.txt"
    docker, loose = short / ".docker" / "run" / "docker.sock", short / "with-a-neighbour" / "agent.sock"
    async with door() as outside, door(docker) as docker_door, door(loose) as agent_door:
        (loose.parent / "neighbour.txt").write_text("not a socket")
        tries = shell(sys.executable, escape.__file__, str(outside.port), str(docker), str(loose))
        async with model(write(made), tries) as backend:
            code, out, err = await verb.run(
                *("--backend", backend.url, "--egress", "lock", *ALLOWED),
                IS_SANDBOX="1", DOCKER_HOST=f"unix://{docker}", SSH_AUTH_SOCK=str(loose),
            )  # fmt: skip
        assert (code, out.strip()) == (0, "all done"), err
        assert (outside.came, docker_door.came, agent_door.came) == (0, 0, 0)
    assert made.read_text() == "made inside\n"
    assert made.stat().st_uid == os.geteuid()
    check_shut_in(json.loads(results(backend)[-1]), docker, loose)
    assert "network, lock: enforced by the kernel" in err
    assert verb.left_over == []


def check_shut_in(told: dict[str, str], *hidden: Path) -> None:
    assert (told["interfaces"], told["routes"]) == ("lo", "")
    for name in ("loopback", "program"):
        assert "Connection refused" in told[name], told
    for name in ("address", "address6", "datagram"):
        assert "unreachable" in told[name], told
    assert told["names"].startswith("gaierror"), told
    for name in ("packets", "vsock"):
        assert "Address family not supported" in told[name], told
    for name in ("raw", "root", "parents_network", "typing", "keys"):
        assert told[name].startswith("PermissionError"), told
    assert "io_uring_setup" in told["ring"], told
    assert "CapEff: 0000000000000000" in told["rights"], told
    assert "CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2" in told["rights"].replace(" CapAmb", "  CapAmb"), told
    for path in hidden:
        assert told[str(path)].startswith(("ConnectionRefused", "FileNotFound")), told


async def test_the_same_commands_do_get_out_without_lock(verb: Verb, short: Path):
    """Or the test above would hold nothing."""
    docker = short / ".docker" / "run" / "docker.sock"
    async with door() as outside, door(docker) as docker_door:
        tries = shell(sys.executable, escape.__file__, str(outside.port), str(docker))
        async with model(tries) as backend:
            code, _, err = await verb.run("--backend", backend.url, "--egress", "proxy-only", *ALLOWED, IS_SANDBOX="1")
        assert code == 0, err
        assert (outside.came, docker_door.came) == (2, 1)
    told = json.loads(results(backend)[-1])
    assert told["loopback"] == told[str(docker)] == BODY.decode()
    assert "NOT ENFORCED" in err


async def test_audit_lists_what_went_out_through_the_users_own_proxy(verb: Verb):
    report = verb.home / "network.json"
    async with (
        users_own_proxy(credential="me:s3cret") as own,
        model(fetching("http://example.test/a"), fetching("http://example.test/b")) as backend,
    ):
        code, out, err = await verb.run(
            *("--backend", backend.url, "--egress", "audit", "--egress-report", str(report), *ALLOWED),
            IS_SANDBOX="1", HTTP_PROXY=own.url, HTTPS_PROXY=own.url,
        )  # fmt: skip
    assert (code, out.strip()) == (0, "all done"), err
    assert own.asked == ["GET http://example.test:80/a", "GET http://example.test:80/b"]
    assert all("Proxy-Authorization: Basic bWU6czNjcmV0" in head for head in own.heads)
    assert [BODY.decode() in result for result in results(backend)] == [True, True]
    assert "landline: network: allowed example.test:80" in err
    assert "example.test:80  2 allowed  not the client's own that we know of" in err
    assert "s3cret" not in err
    [row] = json.loads(report.read_text())["destinations"]
    assert (row["host"], row["port"], row["allowed"], row["refused"]) == ("example.test", 80, 2, 0)


async def test_proxy_only_refuses_in_words_and_lets_the_named_host_through(verb: Verb):
    async with (
        users_own_proxy() as own,
        model(fetching("http://other.test/"), fetching("http://good.test/")) as backend,
    ):
        code, _, err = await verb.run(
            *("--backend", backend.url, "--egress", "proxy-only", "--egress-allow", "good.test", *ALLOWED),
            IS_SANDBOX="1", HTTP_PROXY=own.url,
        )  # fmt: skip
    assert code == 0, err
    assert own.asked == ["GET http://good.test:80/"]
    refused, got = results(backend)
    assert "HTTPError 403" in refused
    assert BODY.decode() in got
    assert "other.test:80  1 refused" in err
    assert "good.test:80   1 allowed" in err


@pytest.mark.usefixtures("namespaces")
async def test_lock_lets_a_named_host_through_and_no_other(verb: Verb):
    async with (
        users_own_proxy() as own,
        model(fetching("http://good.test/"), fetching("http://other.test/")) as backend,
    ):
        code, _, err = await verb.run(
            *("--backend", backend.url, "--egress", "lock", "--egress-allow", "good.test", *ALLOWED),
            IS_SANDBOX="1", HTTP_PROXY=own.url,
        )  # fmt: skip
    assert code == 0, err
    assert own.asked == ["GET http://good.test:80/"]
    assert BODY.decode() in results(backend)[0]
    assert "HTTPError 403" in results(backend)[1]


async def test_by_default_one_line_and_none_when_nothing_was_tried(verb: Verb):
    async with users_own_proxy() as own, model(fetching("http://example.test/")) as backend:
        code, _, err = await verb.run("--backend", backend.url, *ALLOWED, IS_SANDBOX="1", HTTP_PROXY=own.url)
        assert code == 0, err
        assert err.splitlines()[-1] == "landline: network: 1 attempt, 1 host: example.test (1)"
        code, _, err = await verb.run("--backend", backend.url, "--", "-p", "say hi", HTTP_PROXY=own.url)
    assert code == 0
    assert "network" not in err


async def test_a_proxy_of_the_users_settings_file_is_gone_through_too(verb: Verb):
    """The client's settings file wins over its environment."""
    async with users_own_proxy() as own, model(fetching("http://example.test/")) as backend:
        seeded(verb, {"env": {"HTTP_PROXY": own.url, "http_proxy": own.url}})
        code, _, err = await verb.run("--backend", backend.url, "--egress", "audit", *ALLOWED, IS_SANDBOX="1")
    assert code == 0, err
    assert own.asked == ["GET http://example.test:80/"]
    assert "example.test:80  1 allowed" in err


@pytest.mark.parametrize("skipped", [False, True])
async def test_what_web_fetch_asks_the_vendor_is_listed_and_a_setting_stops_it(verb: Verb, skipped: bool):
    """Row 10.02, with the client itself."""
    seeded(verb, {"skipWebFetchPreflight": True} if skipped else {})
    find = Answer(tool_calls=(("ToolSearch", {"query": "select:WebFetch", "max_results": 3}, ""),))
    fetch = Answer(tool_calls=(("WebFetch", {"url": "https://example.test/a", "prompt": "what is it"}, ""),))
    async with users_own_proxy(status="502 no") as own, model(find, fetch) as backend:
        args = ("--backend", backend.url, "--egress", "audit", *ALLOWED)
        code, _, err = await verb.run(*args, IS_SANDBOX="1", HTTPS_PROXY=own.url)
    assert code == 0, err
    asked = "example.test" if skipped else "api.anthropic.com"
    assert own.asked == [f"CONNECT {asked}:443"]
    assert ("off by: skipWebFetchPreflight: true" in err) is not skipped
    assert ("Unable to verify if domain" in results(backend)[-1]) is not skipped


async def test_time_zone_and_proxy_leave_no_mark_in_the_prompt(verb: Verb):
    """Row 10.04, with the client itself: 2.1.197 writes the date in another way by time zone."""
    bodies: list[str] = []
    environs: tuple[dict[str, str], ...] = ({}, {"TZ": "Asia/Shanghai"}, {"HTTPS_PROXY": "http://proxy.test:1"})
    for own in environs:
        async with model() as backend:
            code, _, err = await verb.run("--backend", backend.url, "--", "-p", "say hi", **own)
        assert code == 0, err
        bodies.append(json.dumps(backend.chats[0].json, ensure_ascii=False))
    dates = [re.findall(r"Today(.)s date is ([0-9/-]+)\.", body) for body in bodies]
    if verb.program.version == "2.1.197":
        assert all(dates)
    assert all(quote == "'" and re.fullmatch(r"\d{4}-\d\d-\d\d", date) for found in dates for quote, date in found)
    assert len({re.sub(r"\d{4}-\d\d-\d\d", "DATE", body) for body in bodies}) == 1


@pytest.mark.usefixtures("namespaces")
async def test_under_lock_the_clients_own_screen_works(verb: Verb):
    seeded(verb)
    async with model() as backend:
        argv = command("--backend", backend.url, "--egress", "lock")
        env = verb.environ({"IS_SANDBOX": "1"})
        async with on_screen(argv, env=env, cwd=verb.home) as screen:
            await screen.shows("enforced by the kernel")
            await screen.shows("accept edits on")
            screen.type("hello")
            await screen.shows("hello")
            screen.type("\r")
            await screen.shows("all done")
            screen.type("\x03")
            screen.type("\x03")
            await screen.ends_with_words("requests;")
    assert verb.left_over == []


@pytest.mark.usefixtures("namespaces")
async def test_sigterm_ends_a_locked_client(verb: Verb):
    async with model(shell("sh", "-c", "touch begun; sleep 30")) as backend:
        process = await verb.start("--backend", backend.url, "--egress", "lock", *ALLOWED, IS_SANDBOX="1")
        await _appears(verb.home / "begun")
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert verb.left_over == []


async def _appears(path: Path) -> None:
    import asyncio

    async with asyncio.timeout(30):
        while not path.exists():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--egress", "lock", "--gateway", "http://192.0.2.1:4000"), "needs a gateway on this machine"),
        (("--egress", "proxy-only", "--egress-allow", "http://x/y"), "is no host for --egress-allow"),
        (("--egress-allow", "example.org"), "is for modes that refuse"),
        (("--egress-report", "there.json"), "is there already"),
    ],
)
async def test_what_cannot_be_held_is_refused_before_anything_starts(verb: Verb, args: tuple[str, ...], said: str):
    (verb.home / "there.json").write_text("{}")
    own: dict[str, Any] = {} if "--gateway" in args else {"LANDLINE_BACKEND_URL": "http://127.0.0.1:9"}
    code, out, err = await verb.run(*args, "--", "-p", "hi", **own)
    assert (code, out) == (2, ""), err
    assert said in err
