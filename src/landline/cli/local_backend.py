"""Which model server to use where none is named: the one that runs on this machine, or the one that the user picks."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from landline.cli.output import notice
from landline.errors import SettingsError

if TYPE_CHECKING:
    from landline.upstream.local_servers import LocalServer

LOOK_AGAIN_S = 1.0


def local_backend(*, wait_s: float = 0) -> str:
    """The address of a model server on one of the usual ports. Raises SettingsError where that is not clear.

    `wait_s`: how long to look again while there is none.
    """
    import asyncio

    from landline.upstream.local_servers import USUAL_PORTS

    found = asyncio.run(_come(USUAL_PORTS, wait_s))
    return picked(found, on_screen=sys.stdin.isatty() and sys.stderr.isatty())


async def _come(ports: Mapping[int, str], wait_s: float) -> Sequence[LocalServer]:
    import asyncio

    from landline.cli.launch_gateway import waiting
    from landline.upstream.local_servers import local_servers

    clock = asyncio.get_running_loop().time
    began = clock()
    with waiting() as tell:
        while not (found := await local_servers(ports)) and clock() - began < wait_s:
            tell(clock() - began, "nothing answers on the usual ports of this machine.")
            await asyncio.sleep(LOOK_AGAIN_S)
    return found


def picked(found: Sequence[LocalServer], *, on_screen: bool) -> str:
    """The only one, or the one that the user names. Raises SettingsError."""
    from landline.config.display import printable

    names = [printable(str(server)) for server in found]
    if not found:
        raise _none()
    if len(found) == 1:
        notice(f"found {names[0]}; --backend URL names another")
        return found[0].url
    if not on_screen:
        raise SettingsError(
            f"{len(found)} model servers run here: {'; '.join(names)}.", hint="Name one of them with --backend URL."
        )
    click.echo("Several model servers run here:", err=True)
    for number, name in enumerate(names, 1):
        click.echo(f"  {number}  {name}", err=True)
    number = click.prompt("Use which", type=click.IntRange(1, len(found)), default=1, err=True)
    return found[number - 1].url


def _none() -> SettingsError:
    from landline.upstream.local_servers import USUAL_PORTS

    ports = ", ".join(f"{port} ({title})" for port, title in USUAL_PORTS.items())
    return SettingsError(
        f"No model server answers on the usual ports of this machine: {ports}.",
        hint="Start one (`landline plan --list --vram 24` says what fits a card, `landline plan MODEL --vram 24` "
        "prints the line that starts it), name one with --backend URL, or try --embedded.",
    )
