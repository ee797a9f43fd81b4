"""Reads what stands beside the path: the desktop application's managed settings, and a model server's log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from landline.clients.claude_settings import read_desktop_settings
from landline.clients.doctor.state import Desktop, ServerLog

LOG_END = 2 * 1024 * 1024  # bytes: a start writes some hundred lines
MOST_COUNTED = 256 * 1024 * 1024
PIECE = 1024 * 1024


def desktop_settings(root: Path, *, user: str = "", platform: str = sys.platform) -> tuple[Desktop, ...]:
    files = read_desktop_settings(root=root, platform=platform, user=user)
    told = [
        (path, document.get("inferenceProvider"), document.get("inferenceGatewayBaseUrl"))
        for path, document in files.documents
    ]
    return tuple(
        Desktop(str(path), str(provider or ""), str(address or ""))
        for path, provider, address in told
        if provider or address
    )


def read_log(path: Path) -> ServerLog:
    """The end of the file. One that cannot be read has no lines."""
    try:
        with path.open("rb") as opened:
            size = opened.seek(0, 2)
            opened.seek(max(0, size - LOG_END))
            end = opened.read(LOG_END)
            before = _lines_before(opened, max(0, size - LOG_END))
    except OSError:
        return ServerLog(str(path), "")
    return ServerLog(str(path), end.decode(errors="replace"), before + 1)


def _lines_before(file: BinaryIO, end: int) -> int:
    """-1 where counting them would take seconds."""
    if end > MOST_COUNTED:
        return -1
    file.seek(0)
    pieces = iter(lambda: file.read(min(PIECE, end - file.tell())), b"")
    return sum(piece.count(b"\n") for piece in pieces)
