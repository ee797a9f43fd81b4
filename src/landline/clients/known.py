"""The agentic clients that landline can find, install, start and set up: one row each. Data, no work at import.

`launcher` and `permanent` name the modules that know how each is started and set up for good.
"""

from __future__ import annotations

from typing import NamedTuple


class KnownClient(NamedTuple):
    """One client, as the facts that finding and installing it need.

    `tested`: the versions that the test suite runs, the newest last. `program`: globs below node_modules of what is
    started, `script` where Node starts it. `private`: places below the home where its own installer puts it. `quiet`:
    what keeps it from reporting anything while it is asked for its version; `{folder}` is one that is thrown away.
    `offline`: a word for those who have to copy it from another machine. `variables`: the function that knows which
    environment variables its own settings files set.
    """

    name: str
    title: str
    command: str
    package: str
    tested: tuple[str, ...]
    program: tuple[str, ...]
    launcher: str
    space: int
    script: bool = False
    private: tuple[str, ...] = ()
    quiet: tuple[tuple[str, str], ...] = ()
    offline: str = ""
    variables: str = ""

    @property
    def newest(self) -> str:
        return self.tested[-1]

    @property
    def folder(self) -> str:
        """The beginning of the names of its folders in landline's cache."""
        return self.package.rpartition("/")[2]


CLAUDE = KnownClient(
    name="claude",
    title="Claude Code",
    command="claude",
    package="@anthropic-ai/claude-code",
    tested=("2.1.197", "2.1.329"),
    # The program in the platform's own package; the `claude` in node_modules/.bin is a stub until scripts ran.
    program=("@anthropic-ai/claude-code-*/claude", "@anthropic-ai/claude-code-*/bin/claude"),
    launcher="landline.clients.claude_launch:ClaudeCode",
    space=1_000_000_000,  # 380 MB, while npm holds it a second time
    private=(".claude/local/claude", ".local/bin/claude"),
    quiet=(
        ("CLAUDE_CONFIG_DIR", "{folder}"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
    ),
    offline="it starts without its vendor once ANTHROPIC_AUTH_TOKEN is set",
    variables="landline.clients.claude_launch:users_variables",
)

CODEX = KnownClient(
    name="codex",
    title="Codex",
    command="codex",
    package="@openai/codex",
    tested=("0.169.0",),
    program=("@openai/codex-*/vendor/*/bin/codex",),
    launcher="landline.clients.codex_launch:Codex",
    space=900_000_000,
    quiet=(("CODEX_HOME", "{folder}"),),
    offline="it wants no login of its vendor's where config.toml names another provider",
)

OPENCODE = KnownClient(
    name="opencode",
    title="OpenCode",
    command="opencode",
    package="opencode-ai",
    tested=("1.18.33",),
    program=("opencode-*/bin/opencode",),
    launcher="landline.clients.opencode:OpenCode",
    space=800_000_000,
    private=(".opencode/bin/opencode",),
    quiet=tuple((f"XDG_{kind}_HOME", "{folder}") for kind in ("CONFIG", "DATA", "CACHE", "STATE")),
)

QWEN = KnownClient(
    name="qwen",
    title="Qwen Code",
    command="qwen",
    package="@qwen-code/qwen-code",
    tested=("0.15.10",),
    program=("@qwen-code/qwen-code/cli.js",),
    launcher="landline.clients.qwen_code:QwenCode",
    space=200_000_000,
    script=True,
    quiet=(("QWEN_HOME", "{folder}"),),
)

CLIENTS = {client.name: client for client in (CLAUDE, CODEX, OPENCODE, QWEN)}
