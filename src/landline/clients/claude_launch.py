"""How Claude Code is started: reads the settings that could defeat us, writes the overlay, builds the command.

What is set and why is in claude_code.py. Writes in the launch's own temporary folder only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from landline.clients import claude_code, claude_receipt
from landline.clients.claude_lean import lean_environment, lean_overlay
from landline.clients.claude_settings import (
    SettingsFiles,
    has_status_line,
    read_managed_settings,
    read_settings_argument,
    read_user_settings,
)
from landline.clients.install import ClientProgram
from landline.clients.launching import Launch, Request, Target, write_private
from landline.clients.status_line import status_line_setting
from landline.errors import SettingsError

# The client ends with a command to go on that names our temporary file (329).
_RESUME_NOTE = "to go on later: the same `landline launch claude ...` with `-- --resume ID` (the file above is gone)"
_ARGUMENT_NOTE = "yours lies under landline's in one file; should the client find a key of yours invalid, it drops both"


@dataclass(frozen=True, slots=True)
class ClaudeCode:
    """`managed_root` is another than / in tests only."""

    managed_root: Path = Path("/")

    def check(self, target: Target, program: ClientProgram, request: Request) -> None:
        """What can be known before there is a gateway: broken files, and settings that no overlay can undo."""
        self._overlay(target, request)
        files = read_user_settings(home=request.home, cwd=request.cwd, environ=request.environ)
        defeated = claude_code.user_settings_conflicts(files.documents, program.version)
        if defeated:
            raise SettingsError(
                f"Your settings send Claude Code {program.version} elsewhere: {'; '.join(defeated)}.",
                hint="Remove the key there, or use 2.1.329 or newer, where landline can overrule it for one launch.",
            )

    def prepare(self, target: Target, program: ClientProgram, request: Request) -> Launch:
        env, overlay, wanted = self._overlay(target, request)
        own_line = has_status_line(_users_settings(request).documents)
        receipt = claude_receipt.receipt(
            env,
            target,
            wanted,
            wishes=request.wishes,
            own_status_line=own_line,
            interactive=self.is_interactive(request.args),
        )
        if request.wishes.lean:
            env, overlay = env | lean_environment(), lean_overlay(overlay)
        if request.wishes.replace_status_line or (request.wishes.status_line and not own_line):
            overlay |= {"statusLine": status_line_setting(target.base_url)}
        rest, own = claude_code.split_settings_argument(request.args)
        if own is not None:
            overlay = claude_code.merged_settings(read_settings_argument(own, cwd=request.cwd)[1], overlay)
            receipt += (("--settings", _ARGUMENT_NOTE),)
        if request.forced:
            env |= request.forced
            overlay["env"] = {**claude_code.environment_of(overlay), **request.forced}
        file = request.folder / "claude-settings.json"
        write_private(file, json.dumps(overlay, indent=1))
        documents = [document for _, document in _users_settings(request).documents]
        mode = claude_code.permission_arguments(rest, documents, program.version)
        argv = (str(program.path), "--settings", str(file), *(mode if self.is_interactive(rest) else ()), *rest)
        return Launch(argv=argv, env=env, receipt=receipt, afterwards=_RESUME_NOTE)

    def _overlay(self, target: Target, request: Request) -> tuple[dict[str, str], dict[str, object], dict[str, str]]:
        """The environment, the overlay, and what the user himself had set. Raises where managed settings win."""
        user = _users_settings(request)
        env = claude_code.launch_environment(
            base_url=target.base_url,
            token=target.token,
            model=target.model,
            window=target.window,
            max_output=claude_code.output_limit(target.window),
            inherited=request.environ,
            configured=user.env,
            tiers=target.tiers,
        )
        restricted = claude_code.restricts_models(document for _, document in user.documents)
        overlay = claude_code.settings_overlay(env, restricts_models=restricted)
        managed = read_managed_settings(root=self.managed_root, user=request.environ.get("USER", ""))
        if managed.problems:  # 329 refuses to start then, 197 starts with a model of its own
            raise _managed_error("cannot be read: " + "; ".join(managed.problems))
        conflicts = claude_code.managed_settings_conflicts(managed.documents, overlay)
        if conflicts:
            raise _managed_error("win over landline: " + "; ".join(conflicts))
        return env, overlay, {**request.environ, **user.env}

    def is_interactive(self, args: Sequence[str]) -> bool:
        return not {"-p", "--print", "-h", "--help", "-v", "--version"} & set(args)


def users_variables(request: Request) -> dict[str, str]:
    """What the client's settings files put over the environment that it is started with."""
    return _users_settings(request).env


def _users_settings(request: Request) -> SettingsFiles:
    """The user's files, and his own `--settings` above them."""
    files = read_user_settings(home=request.home, cwd=request.cwd, environ=request.environ)
    own = claude_code.split_settings_argument(request.args)[1]
    if own is None:
        return files
    return SettingsFiles((*files.documents, read_settings_argument(own, cwd=request.cwd)), files.unreadable)


def _managed_error(what: str) -> SettingsError:
    return SettingsError(
        f"Claude Code's managed settings on this machine {what}.",
        hint="They beat everything that landline can set, so the client would not use your model. "
        "Whoever manages this machine can change them.",
    )
