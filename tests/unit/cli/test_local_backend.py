"""Which server is used where none was named."""

from __future__ import annotations

import asyncio

import click
import pytest
from click.testing import CliRunner

from landline.cli import local_backend
from landline.cli.local_backend import picked
from landline.errors import SettingsError
from landline.upstream.local_servers import LocalServer
from tests.fakes.model_server import ModelServer

ONE = LocalServer("http://127.0.0.1:8000", "vLLM", "Qwen", 1, 65_536)
OTHER = LocalServer("http://127.0.0.1:11434", "Ollama", "nasty\x1b[2J", 3)


@click.command()
@click.option("--screen", is_flag=True)
def pick(*, screen: bool) -> None:
    click.echo(f"picked {picked([ONE, OTHER], on_screen=screen)}")


def test_the_only_one_is_used_and_said(capsys: pytest.CaptureFixture[str]):
    assert picked([ONE], on_screen=False) == ONE.url
    assert "found vLLM at http://127.0.0.1:8000 (Qwen, 65,536 tokens)" in capsys.readouterr().err


async def test_a_server_that_comes_is_found_while_it_is_waited_for(capsys: pytest.CaptureFixture[str]):
    async with ModelServer() as gone:
        ports = {gone.port: "vLLM"}
    assert await local_backend._come(ports, 0) == ()  # pyright: ignore
    waiting = asyncio.create_task(local_backend._come(ports, 20))  # pyright: ignore
    await asyncio.sleep(0.3)
    assert not waiting.done()
    async with ModelServer(port=gone.port):
        (found,) = await waiting
    assert found.url == gone.url
    assert "nothing answers on the usual ports" in capsys.readouterr().err


def test_of_several_the_user_picks_on_a_screen():
    done = CliRunner().invoke(pick, ["--screen"], input="7\n2\n")
    assert done.stdout == f"picked {OTHER.url}\n"
    assert "\x1b" not in done.output
    assert "and 2 more" in done.output


def test_of_several_none_is_guessed_without_a_screen():
    with pytest.raises(SettingsError) as failed:
        picked([ONE, OTHER], on_screen=False)
    assert ONE.url in failed.value.message
    assert OTHER.url in failed.value.message
    assert "--backend" in failed.value.hint


def test_where_none_runs_it_says_what_to_start():
    with pytest.raises(SettingsError, match=r"8000 \(vLLM\).*11434 \(Ollama\)") as failed:
        picked([], on_screen=True)
    assert "landline plan" in failed.value.hint
    assert "--embedded" in failed.value.hint
