"""What Codex, OpenCode, Cline and Cursor take for granted of a server that is not their vendor's."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from landline.clients import codex, opencode
from landline.clients.codex_launch import Codex
from landline.clients.doctor import cursor
from landline.clients.doctor.finding import Severity
from landline.clients.install import ClientProgram
from landline.clients.known import CODEX, OPENCODE
from landline.clients.launching import Request, Target
from landline.clients.remote_gateway import own_address, served_models
from landline.config.settings import Backend, Gateway, Settings
from landline.errors import SettingsError
from landline.server.journal import Journal
from landline.server.line import Line
from landline.server.run import listen, serving
from tests.fakes.certificates import Pair, make_pair
from tests.fakes.gateway_client import ASKED, GatewayClient, gateway_to
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Request as Asked
from tests.fakes.upstream import Step, ThreadedUpstream, Upstream, json_answer
from tests.fixtures_real import client_program

WINDOW = 65_536
MODEL = "org/Qwen3.5-27B"
SHARE_OF_CODEX = 95  # percent of a window that it counts on, where the catalogue does not say


def request(tmp_path: Path, environ: dict[str, str], *args: str) -> Request:
    for name in ("home", "project", "folder"):
        (tmp_path / name).mkdir()
    return Request(
        args=args, environ=environ, home=tmp_path / "home", cwd=tmp_path / "project", folder=tmp_path / "folder"
    )


# ------------------------------------------------------------------------------------------------ Codex


@pytest.mark.row("1.18")
def test_row_1_18_codex_is_told_the_window_where_it_compacts_and_the_model() -> None:
    target = Target(base_url="http://127.0.0.1:4000", token="t", model=MODEL, window=WINDOW)
    [entry] = json.loads(json.dumps(codex.catalogue(target, "You are")))["models"]
    assert (entry["slug"], entry["context_window"], entry["base_instructions"]) == (MODEL, WINDOW, "You are")
    told = codex.overrides(target, {}, catalogue_file="/c.json")
    assert told["model_catalog_json"] == "/c.json"
    assert told["model_context_window"] == WINDOW
    assert told["model_auto_compact_token_limit"] == codex.compaction_point(WINDOW) < WINDOW * SHARE_OF_CODEX / 100


@contextlib.contextmanager
def refusing_server() -> Iterator[Upstream]:
    """Has one model and says no to every request: one is enough to see how the client starts."""

    def script(asked: Asked) -> list[Step]:
        if asked.path.endswith("/models"):
            return json_answer(200, {"object": "list", "data": [{"id": MODEL, "max_model_len": WINDOW}]})
        return json_answer(400, {"error": {"message": "no", "type": "invalid_request_error", "code": "no"}})

    with ThreadedUpstream(Upstream(script)) as server:
        yield server


@pytest.mark.row("1.18")
def test_row_1_18_the_real_codex_does_not_warn_and_takes_the_backends_window(tmp_path: Path) -> None:
    program = client_program(CODEX)
    with refusing_server() as server:
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"}
        environ |= {"HTTPS_PROXY": server.url, "CODEX_HOME": str(tmp_path / "home")}
        asked = request(tmp_path, environ, "exec", "--skip-git-repo-check", "hello")
        [served] = served_models(server.url, key="t")
        target = Target(base_url=server.url, token="t", model=served.id, window=served.window)
        launch = Codex().prepare(target, program, asked)
        done = subprocess.run(
            launch.argv, env=launch.env, cwd=asked.cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    said = (done.stdout + done.stderr).decode()
    assert f"model: {MODEL}" in said
    assert "metadata" not in said
    [started] = [event for event in rollout(tmp_path / "home") if event.get("type") == "task_started"]
    assert started["model_context_window"] == WINDOW * SHARE_OF_CODEX // 100


def rollout(home: Path) -> Iterator[dict[str, Any]]:
    """The events that the client wrote down of its one session."""
    [file] = home.rglob("rollout-*.jsonl")
    yield from (json.loads(line)["payload"] for line in file.read_text().splitlines())


# ------------------------------------------------------------------------------------------------ OpenCode, Cline


@pytest.mark.row("1.19")
async def test_row_1_19_the_list_of_models_has_the_window_and_opencode_gets_both_limits(tmp_path: Path) -> None:
    async with ModelServer(models=[MODEL], window=WINDOW) as server, gateway_to(server.url) as client:
        listed = (await client.call("GET", "/v1/models")).json["data"]
        running = client.gateway
        target = Target(base_url=running.url, token=running.token, model=running.model, window=running.window)
    assert [(row["id"], row["max_model_len"]) for row in listed] == [(MODEL, WINDOW)]
    program = ClientProgram(Path("/nowhere/opencode"), OPENCODE.newest, "PATH")
    launch = opencode.OpenCode().prepare(target, program, request(tmp_path, {}))
    content = json.loads(launch.env[opencode.CONTENT])
    limit = content["provider"]["landline"]["models"][MODEL]["limit"]
    assert limit["context"] == WINDOW
    assert 0 < limit["output"] < WINDOW / 2


# ------------------------------------------------------------------------------------------------ Cursor


def told_of_cursor(url: str = "", **gateway: Any) -> dict[str, str]:
    """What is wrong, by check, with what to do."""
    diagnosis = cursor.diagnose(Settings(gateway=Gateway(**gateway)), url=url)
    wrong = [one for one in diagnosis.checks if one.severity is not Severity.OK]
    return {one.id: f"{one.finding}. {one.cause} {one.fix}" for one in wrong}


@pytest.mark.row("1.20")
@pytest.mark.parametrize("url", ["", "http://localhost:4000", "http://192.168.1.5:4000", "http://gpu-box.local"])
def test_row_1_20_the_doctor_says_who_calls_and_what_that_needs(url: str) -> None:
    told = told_of_cursor(url)
    assert "Cursor's cloud calls the base URL, not your machine" in told["cursor_address"]
    assert "a tunnel" in told["cursor_address"]
    assert "reverse proxy with a public https name" in told["cursor_address"]
    assert "authentication" in told["cursor_keys"]
    assert "set gateway.keys" in told["cursor_keys"]


@pytest.mark.row("1.20")
def test_row_1_20_nothing_is_said_where_all_is_there() -> None:
    key = "k" * 40
    good: dict[str, Any] = {"keys": (key,), "hosts": ("llm.example.org",)}
    assert told_of_cursor(**good) == {}
    assert told_of_cursor("https://llm.example.org", **good) == {}
    assert told_of_cursor("https://other.example.org", **good).keys() == {"cursor_name"}
    assert told_of_cursor(hosts=("llm.example.org",)).keys() == {"cursor_keys"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("certificate"))


def secure(pair: Pair, **more: Any) -> Gateway:
    return Gateway(port=0, tls_certificate=str(pair.certificate), tls_key=str(pair.key), drain_s=1, **more)


@contextlib.asynccontextmanager
async def https_gateway(backend: str, gateway: Gateway, pair: Pair) -> AsyncIterator[GatewayClient]:
    sock = listen(gateway)
    line = Line(Settings(backend=Backend(url=backend), gateway=gateway), journal=Journal())
    async with serving(line, sock):
        yield GatewayClient(f"https://127.0.0.1:{sock.getsockname()[1]}", tls=pair.trusting)


@pytest.mark.row("1.21")
async def test_row_1_21_https_answers_and_http_on_that_port_does_not(pair: Pair) -> None:
    """tests/faults/test_https.py has the rest: hang-ups, large bodies, workers."""
    async with ModelServer() as server, https_gateway(server.url, secure(pair), pair) as client:
        reply = await client.stream()
        check_stream(reply.body, asked_model=ASKED, backend_finish="stop")
        assert (await client.call("GET", "/v1/models")).status == 200
        plain = GatewayClient(client.url.replace("https", "http"))
        assert await plain.raw(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n") == b""


@pytest.mark.row("1.21")
def test_row_1_21_a_certificate_that_cannot_be_used_is_told_before_anything_listens(pair: Pair, tmp_path: Path) -> None:
    for gateway, said, advice in (
        (Gateway(port=0, tls_certificate="/nowhere.pem", tls_key=str(pair.key)), "/nowhere.pem cannot be", "the path"),
        (Gateway(port=0, tls_certificate=str(pair.certificate)), "tls_key is not: https needs both", "--tls-key"),
        (Gateway(port=0, tls_key=str(pair.key)), "tls_certificate is not: https", "--tls-certificate"),
        (Gateway(port=0, tls_certificate=str(pair.key), tls_key=str(pair.key)), "not a certificate", "CERTIFICATE"),
    ):
        with pytest.raises(SettingsError) as caught:
            listen(gateway)
        assert said in str(caught.value)
        assert advice in caught.value.hint


@pytest.mark.row("1.21")
def test_row_1_21_who_wants_https_is_told_where_to_get_it_and_led_there(pair: Pair) -> None:
    told = told_of_cursor("http://llm.example.org", hosts=("llm.example.org",), keys=("k" * 40,))
    assert told.keys() == {"cursor_https"}
    assert "gateway.tls_certificate" in told["cursor_https"]
    named = secure(pair, hosts=("llm.example.org",), keys=("k" * 40,))
    assert own_address(Settings(gateway=named)) == "https://llm.example.org:0"
    assert own_address(Settings(gateway=secure(pair))) == "https://127.0.0.1:0"
    assert own_address(Settings(gateway=Gateway(port=1, hosts=("llm.example.org",)))) == "http://127.0.0.1:1"
