"""What starting any client has in common: where it is pointed, and what a client's own file makes of that.

A further client is one more module with the functions of `Client`, named in the table of the verb `launch`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from landline.clients.install import ClientProgram
from landline.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The gateway and the model. `window` in tokens, 0: not known. `tiers`: tier name = served model.

    `backend` and `cache` say in words what answers behind the gateway, and what is known of its prefix cache.
    """

    base_url: str
    token: str = field(repr=False)
    model: str
    window: int = 0
    tiers: Mapping[str, str] = field(default_factory=dict[str, str])
    backend: str = ""
    cache: str = ""
    searches: str = ""  # where web searches go; empty: nowhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user asked of the launch beside the client itself."""

    lean: bool = False
    status_line: bool = False
    replace_status_line: bool = False

    def refuse(self, title: str) -> None:
        """For a client that can fulfil none of them. Raises SettingsError."""
        given = (("--lean", self.lean), ("--status-line", self.status_line))
        given += (("--replace-status-line", self.replace_status_line),)
        for option, on in given:
            if on:
                raise SettingsError(f"{option} is not for {title}.", hint="Leave it out; it is for claude.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the verb: the user's arguments for the client, his environment, and a private temporary folder.

    `forced`: variables that must hold in the client whatever its own settings files say; the process gets them anyway.
    """

    args: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)
    home: Path
    cwd: Path
    folder: Path
    wishes: Wishes = Wishes()
    forced: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command ready to run.

    `receipt`: label and text of each line that tells the user what was set. `afterwards`: a line for the end of a
    session on the client's own screen.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    receipt: tuple[tuple[str, str], ...]
    afterwards: str = ""


class Client(Protocol):
    def check(self, target: Target, program: ClientProgram, request: Request) -> None:
        """Raise SettingsError for what would make the launch go wrong, before anything is started.

        `target` is provisional: the model may be empty, and the base URL that of a gateway yet to be started.
        """
        ...

    def prepare(self, target: Target, program: ClientProgram, request: Request) -> Launch: ...

    def is_interactive(self, args: Sequence[str]) -> bool:
        """Whether these arguments open the client's own screen, given a terminal."""
        ...


def write_private(path: Path, content: str) -> None:
    """A new file that only this user can read; it holds the gateway's key."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
