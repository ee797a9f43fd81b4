"""A user's home with settings files of Claude Code, a shell's environment and a program, for the doctor's tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landline.clients.doctor.diagnosing import diagnose
from landline.clients.doctor.finding import Edit, Finding, Severity
from landline.clients.doctor.fixes import apply, changes_of
from landline.clients.doctor.gathering import Where, gather
from landline.clients.doctor.state import State
from landline.config.settings import Backend, Gateway, Settings

MODEL = "Qwen3.6-27B"
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
}


def good_env(url: str, *, model: str = MODEL, window: int = 65_536) -> dict[str, str]:
    """What a setup needs in which nothing is wrong."""
    tiers = dict.fromkeys((f"ANTHROPIC_DEFAULT_{tier}_MODEL" for tier in ("OPUS", "SONNET", "HAIKU")), model)
    limits = {
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(window),
        "CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(window),
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(window // 4),
    }
    named = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": "a-token-of-the-user", "ANTHROPIC_MODEL": model}
    return named | tiers | limits | QUIET | {"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"}


@dataclass
class Doctored:
    """One diagnosis."""

    state: State
    checks: tuple[Finding, ...]
    not_tried: Mapping[str, str]
    edits: tuple[Edit, ...]

    @property
    def wrong(self) -> dict[str, str]:
        """Severity by check, of those in which something is wrong."""
        return {one.id: one.severity.value for one in self.checks if one.severity is not Severity.OK}

    @property
    def errors(self) -> set[str]:
        return {one.id for one in self.checks if one.severity is Severity.ERROR}

    def of(self, check: str) -> Finding:
        return next(one for one in self.checks if one.id == check)

    @property
    def text(self) -> str:
        return "\n".join(
            f"{one.id} {one.severity} {one.finding} {one.cause} {one.fix} {one.source}" for one in self.checks
        )


@dataclass
class Setup:
    """`root` is the home; the project is a folder in it. The program is a script that tells a version."""

    root: Path
    version: str = "2.1.329"
    shell: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True, exist_ok=True)
        program = self.root / "bin" / "claude"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "{self.version} (Claude Code)"\n')
        program.chmod(0o755)

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def user_file(self) -> Path:
        return self.root / ".claude" / "settings.json"

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin", "HOME": str(self.root), "LANG": "C.UTF-8"} | self.shell

    def write(self, name: str, value: Any) -> Path:
        """A file under the home; what is not bytes is written as JSON with two blanks for each level."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value if isinstance(value, bytes) else (json.dumps(value, indent=2) + "\n").encode())
        return path

    def user(self, env: Mapping[str, str], **keys: Any) -> Path:
        """The user's own settings file; permissions as they should be."""
        return self.write(
            ".claude/settings.json", {"permissions": {"defaultMode": "default"}} | keys | {"env": dict(env)}
        )

    async def doctor(
        self, *, gateway: str = "", backend: str = "", quick: bool = True, settings: Settings | None = None
    ) -> Doctored:
        where = Where(
            home=self.root,
            cwd=self.project,
            environ=self.environ,
            gateway=gateway,
            backend=backend,
            quick=quick,
            timeout_s=20,
            managed_root=self.root / "managed",
        )
        nowhere = Settings(backend=Backend(url=backend or "http://127.0.0.1:9"), gateway=Gateway(port=9))
        state = await gather(where, settings or nowhere)
        diagnosis, edits = diagnose(state)
        return Doctored(state, diagnosis.checks, {one.id: one.reason for one in diagnosis.not_tried}, edits)

    def fix(self, doctored: Doctored) -> Path:
        """What --fix does once the user agreed; the backup."""
        return apply(changes_of(doctored.edits), self.root / "backups")

    def env(self) -> dict[str, str]:
        """The `env` of the user's file now."""
        return json.loads(self.user_file.read_text())["env"]
