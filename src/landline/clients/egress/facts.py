"""Which host is what for, and the setting that turns it off. Pure data.

Each row names where it was seen; what a client's user, its plugins, MCP servers, hooks and commands connect to is in no
table, and is told as that. `claude`: 2.1.197 and 2.1.329. `codex`: 0.169.0. `opencode`: 1.18.33. `qwen`: 0.15.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "not the client's own that we know of: a command, a tool, a plugin or an MCP server"


@dataclass(frozen=True, slots=True)
class Fact:
    """`host`, `.domain` for all below it too, `name.` for all that begin so; `off` is the setting, if there is one."""

    host: str
    purpose: str
    off: str = ""

    def covers(self, host: str) -> bool:
        if self.host.endswith("."):
            return host.startswith(self.host)
        return f".{host}".endswith(self.host) if self.host.startswith(".") else host == self.host


_QUIET = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"
_NO_MARKETPLACE = "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL=1"
_NO_ANALYTICS = "analytics.enabled = false"
_NO_PROBE = "skipWebFetchPreflight: true in settings.json"

KNOWN: Mapping[str, tuple[Fact, ...]] = {
    "claude": (
        Fact(
            "api.anthropic.com",
            "WebFetch asks the vendor whether a site is safe; feature flags and telemetry, where they are on",
            f"{_NO_PROBE}; {_QUIET}",
        ),
        Fact(
            "platform.claude.com", "the vendor's login check, with an API key on a fresh home", "ANTHROPIC_AUTH_TOKEN"
        ),
        Fact("downloads.claude.ai", "updates and the official list of plugins", f"{_QUIET} and {_NO_MARKETPLACE}"),
        Fact("raw.githubusercontent.com", "release notes", _QUIET),
        Fact("github.com", "the official list of plugins", _NO_MARKETPLACE),
        Fact("registry.", "the search for updates", _QUIET),
        Fact(".datadoghq.com", "telemetry (reported, not seen)", _QUIET),
        Fact(".sentry.io", "error reports (reported, not seen)", _QUIET),
        Fact(".statsig.com", "feature flags (reported, not seen)", _QUIET),
    ),
    "codex": (
        Fact("chatgpt.com", "the vendor's service: settings and plugins from afar", _NO_ANALYTICS),
        Fact("ab.chatgpt.com", "analytics", _NO_ANALYTICS),
        Fact("api.github.com", "the look for updates", "check_for_update_on_startup = false"),
        Fact("github.com", "the vendor's list of plugins", "features.plugins = false, where you use none"),
        Fact("api.openai.com", "the vendor's service: another provider than landline's is in force", "model_provider"),
    ),
    "opencode": (
        Fact("models.opencode.ai", "the list of models and their windows", "OPENCODE_DISABLE_MODELS_FETCH=1"),
        Fact("models.dev", "the list of models and their windows", "OPENCODE_DISABLE_MODELS_FETCH=1"),
        Fact("registry.", "the package of its plugin folder, and those of providers and plugins of your own"),
        Fact("api.github.com", "language servers", "OPENCODE_DISABLE_LSP_DOWNLOAD=1"),
        Fact("github.com", "language servers", "OPENCODE_DISABLE_LSP_DOWNLOAD=1"),
        Fact("opencode.ai", "sharing of sessions, and the vendor's service", 'share: "disabled"'),
    ),
    "qwen": (
        Fact(".rum.aliyuncs.com", "usage statistics", "privacy.usageStatisticsEnabled: false"),
        Fact("registry.", "the look for updates", "general.enableAutoUpdate: false"),
    ),
}


def fact(client: str, host: str) -> Fact:
    """What is known of that host for that client; what nothing is known of says so."""
    found = next((one for one in KNOWN.get(client, ()) if one.covers(host)), None)
    return found or Fact(host, UNKNOWN)
