"""Reads what stands beside the path: the desktop application's managed settings, and a model server's log."""

from __future__ import annotations

import sys
from pathlib import Path

from landline.clients.claude_settings import read_desktop_settings
from landline.clients.doctor.state import Desktop, ServerLog

LOG_END = 2 * 1024 * 1024  # bytes: a start writes some hundred lines


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
            opened.seek(0)
            before = 0
            while opened.tell() < size - LOG_END:
                before += opened.read(min(1 << 20, size - LOG_END - opened.tell())).count(b"\n")
    except OSError:
        return ServerLog(str(path), "")
    return ServerLog(str(path), end.decode(errors="replace"), before + 1)
