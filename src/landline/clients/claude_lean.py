"""What Claude Code can leave out of its requests for a small window, by switches of its own. Pure.

Measured on 2.1.197 and 2.1.329, first request of `-p` in an empty folder: 48.7 kB and 49.2 kB become 12.5 kB and
15.0 kB. `landline diet claude` measures it on the installed version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

# Each =1. What goes with it.
SWITCHES: Mapping[str, str] = {
    "CLAUDE_CODE_DISABLE_WORKFLOWS": "workflows",
    "CLAUDE_CODE_DISABLE_CRON": "timed tasks",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "background tasks",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "automatic memory",
    "CLAUDE_CODE_DISABLE_BUNDLED_SKILLS": "bundled skills",
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "the instructions for commits",
    "CLAUDE_CODE_SIMPLE_SYSTEM_PROMPT": "the long form of the prompt",
}
# Tools that no switch of their own takes away. A rule that denies one takes it out of the request too. What is left
# (Bash, Edit, Read, Write, the search for further tools) does the work; deferred tools cost a name each.
DENIED_TOOLS = ("Agent", "ListAgents", "ReportFindings", "ScheduleWakeup", "Skill")
EVERYTHING = "CLAUDE_CODE_SIMPLE"  # =1: three tools, a prompt of one line


def lean_environment() -> dict[str, str]:
    return dict.fromkeys(SWITCHES, "1")


def denying(tools: Sequence[str]) -> dict[str, object]:
    """Settings that take these tools away."""
    return {"permissions": {"deny": list(tools)}}


def lean_overlay(overlay: Mapping[str, object]) -> dict[str, object]:
    """The `--settings` content with what is left out. Rules of several settings files are joined by the client."""
    env = {**cast("dict[str, str]", overlay.get("env", {})), **lean_environment()}
    return {**overlay, "env": env, **denying(DENIED_TOOLS)}


def lean_in_words() -> str:
    return f"left out: {', '.join(SWITCHES.values())}; the tools {', '.join(DENIED_TOOLS)}"
