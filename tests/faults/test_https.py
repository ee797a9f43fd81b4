"""The same connections by https: streams, large bodies, hang-ups and the end of the process, on the serving loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from landline.clients.doctor.asking_servers import look_at
from landline.clients.live_gateway import live_answer, read_snapshot
from landline.clients.remote_gateway import served_models
from landline.errors import LandlineError
from landline.upstream.client import UpstreamClient
from tests.fakes.certificates import Pair, make_pair
from tests.fakes.chat_stream import DONE, Answer, chunk, sse, usage_chunk
from tests.fakes.gateway_client import ASKED, gateway_to, http_request, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.process import run_serve, served
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Hang, Pause, Send, Step, WaitFor

CANCEL_S = 0.5  # from the hang-up to the end of the backend's connection; between processes, on a busy machine
HALF = sse(chunk({"role": "assistant", "content": ""}), chunk({"content": "half"}))
END = sse(chunk({}, "stop"), usage_chunk(10, 5), DONE)
STREAM = json.dumps(request_body(stream=True)).encode()


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def doctors() -> UpstreamClient:
    """What the doctor asks with; it reads SSL_CERT_FILE once."""
    return UpstreamClient(connect_timeout_s=5, idle_timeout_s=5)


class Caller:
    """A client that can leave in every way: blocking, since asyncio leaves in one only."""

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        self.socket = tls.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="127.0.0.1")
        self.got = bytearray()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_until(self, mark: bytes) -> None:
        while mark not in self.got:
            piece = self.socket.recv(65536)
            assert piece, self.got
            self.got += piece

    def rest(self) -> bytearray:
        """All that still comes; then it is closed."""
        with self.socket:
            while piece := self.socket.recv(65536):
                self.got += piece
        return self.got

    def leave(self, how: str) -> None:
        if how == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "goodbye":
            self.socket.settimeout(0.2)
            with contextlib.suppress(OSError):
                self.socket.unwrap()  # says that it ends, and waits for the other side to say so
        self.socket.close()


async def test_streams_and_large_bodies_come_and_go_whole(server: ModelServer, pair: Pair, tmp_path: Path) -> None:
    """Two workers: the certificate is read by each."""
    text = " ".join(map(str, range(10_000)))
    server.answer = lambda body: Answer(text=text if "long" in str(body["messages"]) else "hello")
    server.window = 10_000_000
    async with served(server.url, tmp_path, *pair.flags, "--workers", "2", tls=pair.trusting) as own:
        replies = await asyncio.gather(*(own.client.stream(request_body("long " * 200_000)) for _ in range(4)))
        seen: set[str] = set()
        for reply in replies:
            whole = check_stream(reply.body, asked_model=ASKED, backend_finish="stop", seen_ids=seen)
            assert whole.content == [{"type": "text", "text": text}]
        assert {len(request.json["messages"][0]["content"]) for request in server.chats} == {len("long " * 200_000)}
        plain = await own.client.messages()
        assert plain.json["content"] == [{"type": "text", "text": "hello"}]
        assert await own.stop() == 0


async def test_one_connection_many_requests_and_a_refusal(server: ModelServer, pair: Pair, tmp_path: Path) -> None:
    """Sent ahead they are answered in order; a body beyond the limit is refused before it came, and that is read."""
    async with served(server.url, tmp_path, *pair.flags, tls=pair.trusting) as own:

        def call() -> bytearray:
            caller = Caller(own.client.port, pair.trusting)
            caller.send(http_request(b"", path="/health", method="GET") * 3)
            caller.send(http_request(STREAM, headers={"content-length": str(64 * 2**20)}))
            caller.read_until(b"request_too_large")
            caller.leave("goodbye")
            return caller.got

        got = await asyncio.to_thread(call)
    assert got.count(b"HTTP/1.1 200") == 3
    assert got.count(b"HTTP/1.1 413") == 1


@pytest.mark.parametrize("how", ["reset", "silent", "goodbye"])
async def test_a_hang_up_ends_the_backends_work(server: ModelServer, pair: Pair, tmp_path: Path, how: str) -> None:
    moments: list[tuple[list[Step], bytes]] = [([Hang()], b""), ([Send(HALF), Hang()], b"half")]
    async with served(server.url, tmp_path, *pair.flags, tls=pair.trusting) as own:
        for number, (steps, after) in enumerate(moments):
            server.answer = lambda body, steps=steps: steps
            caller = await asyncio.to_thread(Caller, own.client.port, pair.trusting)
            caller.send(http_request(STREAM))
            await asyncio.to_thread(caller.read_until, after)
            while len(server.chats) <= number:
                await asyncio.sleep(0.01)
            request = server.chats[number]
            left_at = time.monotonic()
            await asyncio.to_thread(caller.leave, how)
            await asyncio.wait_for(request.done.wait(), 5)
            assert request.closed_at is not None, "the backend was let finish"
            assert request.closed_at - left_at < CANCEL_S
        assert await own.stop() == 0
        assert own.stderr().count('"outcome":"client_closed"') == 2


async def test_a_slow_reader_gets_everything(server: ModelServer, pair: Pair, tmp_path: Path) -> None:
    """It stops the gateway's reading, and the gateway goes on with it: 20 MB, more than all buffers hold."""
    words = " ".join(map(str, range(280)))  # too long to be a model that repeats itself
    server.answer = lambda body: [Send(HALF), *[Send(sse(chunk({"content": words})) * 50)] * 300, Send(END)]
    async with served(server.url, tmp_path, *pair.flags, tls=pair.trusting) as own:

        def read_late() -> bytearray:
            caller = Caller(own.client.port, pair.trusting)
            caller.send(http_request(STREAM, headers={"connection": "close"}))
            caller.read_until(b"half")
            time.sleep(0.5)
            return caller.rest()

        got = await asyncio.to_thread(read_late)
    assert got.count(b"278 279") == 300 * 50
    assert b"message_stop" in got


async def test_a_running_stream_ends_before_the_process_does(server: ModelServer, pair: Pair, tmp_path: Path) -> None:
    finish = asyncio.Event()
    server.answer = lambda body: [Send(HALF), WaitFor(finish), Pause(0.1), Send(END)]
    async with served(server.url, tmp_path, *pair.flags, tls=pair.trusting) as own:
        caller = await asyncio.to_thread(Caller, own.client.port, pair.trusting)
        caller.send(http_request(STREAM))
        await asyncio.to_thread(caller.read_until, b"half")
        own.signal()
        await asyncio.sleep(0.3)
        assert own.process.returncode is None
        finish.set()
        assert b"message_stop" in await asyncio.to_thread(caller.rest)
        assert await own.stop() == 0


async def test_who_asks_it_is_told_what_a_certificate_wants(
    server: ModelServer, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`landline watch` and `settings write` ask by urllib, the doctor by landline's own client."""
    async with served(server.url, tmp_path, *pair.flags, tls=pair.trusting) as own:
        url, plain = own.client.url, own.client.url.replace("https", "http")
        for ask in (live_answer, served_models):
            with pytest.raises(LandlineError, match=r"certificate at .* is not accepted: self-signed") as caught:
                await asyncio.to_thread(ask, url, key="")
            assert "SSL_CERT_FILE" in caught.value.hint
            with pytest.raises(LandlineError, match="hangs up on plain http") as caught:
                await asyncio.to_thread(ask, plain, key="")
            assert "--gateway https://NAME:PORT" in caught.value.hint
        with contextlib.closing(doctors()) as client:
            assert "TLS failed" in (await look_at(url, client, key="")).problem
        monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
        assert read_snapshot(await asyncio.to_thread(live_answer, url, key=""), url).landline
        assert [model.id for model in await asyncio.to_thread(served_models, url, key="")] == ["served"]
        with contextlib.closing(doctors()) as client:
            assert (await look_at(url, client, key="")).is_landline


async def test_a_gateway_for_one_client_stays_plain(server: ModelServer, pair: Pair) -> None:
    """`landline launch` reads the same settings, and the client that it starts knows no certificate of theirs."""
    async with gateway_to(server.url, tls_certificate=str(pair.certificate), tls_key=str(pair.key)) as client:
        assert client.url.startswith("http://127.0.0.1:")
        assert (await client.messages()).status == 200


@pytest.mark.parametrize(
    ("change", "said", "advice"),
    [
        ("no file", "cannot be read: No such file or directory", "Correct the path."),
        ("no reading", "cannot be read: Permission denied", "Let the user that runs landline read it."),
        ("a folder", "cannot be read: Is a directory", "Correct the path."),
        ("of another", "is not the key of the certificate in", "Name the two files that were made together"),
        ("locked", "has a passphrase, which landline does not ask for", "openssl pkey -in KEY -out PLAIN"),
        ("junk", "are not a certificate and its key in PEM", "BEGIN PRIVATE KEY"),
    ],
)
async def test_a_pair_that_cannot_be_used_keeps_it_from_starting(
    pair: Pair, tmp_path: Path, change: str, said: str, advice: str
) -> None:
    match change:
        case "no file":
            pair.key.unlink()
        case "no reading":
            if os.getuid() == 0:
                pytest.skip("root reads everything")
            pair.key.chmod(0)
        case "a folder":
            pair = Pair(tmp_path, pair.key)
        case "of another":
            pair = Pair(pair.certificate, make_pair(tmp_path, "other").key)
        case "locked":
            pair = make_pair(tmp_path, "locked", passphrase="secret")
        case _:
            pair.certificate.write_text("not PEM")
    code, text = await run_serve(tmp_path, "--port", "0", *pair.flags)
    assert code == 2
    assert "Traceback" not in text
    assert said in text
    assert advice in text
