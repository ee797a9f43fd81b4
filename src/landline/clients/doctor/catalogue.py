"""The checks: id, title, why it breaks in one sentence, and how bad it is where the state does not tell otherwise.

The order is that of the path: the client's files, what they say, the gateway, the backend, requests along the path.
docs/guides/troubleshooting.md has a row for each; a test of the repository holds that.
"""

from __future__ import annotations

from msgspec import Struct

from landline.clients.doctor.finding import Severity

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING


class Check(Struct, frozen=True):
    title: str
    cause: str
    severity: Severity


CHECKS: dict[str, Check] = {
    # the client and its files
    "client": Check("Claude Code is installed", "Without the program nothing can be started.", _WARNING),
    "settings_file": Check(
        "Settings files can be read",
        "Claude Code passes over a settings file that it cannot use, without a word, and everything in it is lost.",
        _ERROR,
    ),
    "shell_overruled": Check(
        "Shell and settings files agree",
        "A variable in the `env` of a settings file wins over the same one exported in the shell.",
        _WARNING,
    ),
    "editor": Check(
        "The editor's extension gets the same address",
        "The extension starts Claude Code itself: a shell's variables do not reach it, its editor's settings do, and a "
        "settings file of the client's wins over both.",
        _WARNING,
    ),
    # where it is pointed
    "base_url": Check(
        "The client has the gateway's address",
        "Without a usable ANTHROPIC_BASE_URL Claude Code talks to its vendor, not to your model.",
        _ERROR,
    ),
    "base_url_path": Check(
        "The address has no path",
        "Claude Code appends /v1/messages itself, so an address with /v1 or a path asks for one that does not exist; "
        "it shows the 404 as an issue with the selected model.",
        _ERROR,
    ),
    "other_provider": Check(
        "Nothing sends the client elsewhere",
        "This setting makes Claude Code pass over ANTHROPIC_BASE_URL and call another service.",
        _ERROR,
    ),
    "proxy": Check(
        "No proxy catches loopback",
        "With a proxy set and no exception for it, Claude Code sends requests for this machine through the proxy too.",
        _ERROR,
    ),
    # who it says it is
    "token": Check(
        "The client has a token",
        "Without a token Claude Code says “Not logged in” and sends no request, even where any token would do.",
        _ERROR,
    ),
    "key_without_token": Check(
        "A token, not an API key",
        "With ANTHROPIC_API_KEY alone the terminal interface first looks for its vendor's service and ends where it "
        "cannot reach it; only `claude -p` works.",
        _ERROR,
    ),
    "key_beside_token": Check(
        "One credential only",
        "Where a key stands beside the token Claude Code sends both, and a server may take the wrong one.",
        _WARNING,
    ),
    "token_refused": Check(
        "The token is accepted",
        "The server answers 401, which Claude Code repeats eleven times in three minutes and then calls “Not logged "
        "in”.",
        _ERROR,
    ),
    # which model it asks for
    "model_unset": Check(
        "A model is chosen",
        "Where no setting names a model Claude Code asks for its vendor's default, which no server of yours has.",
        _ERROR,
    ),
    "picker_option": Check(
        "The picker's option is not the only choice",
        "ANTHROPIC_CUSTOM_MODEL_OPTION adds a line to the picker and selects nothing: the vendor's default is sent.",
        _ERROR,
    ),
    "model_name": Check(
        "The model is served under that name",
        "Claude Code checks an id against no list, so a custom id in `model` is right as long as a server has it under "
        "exactly that name; of another it shows the 404 as an issue with the selected model.",
        _ERROR,
    ),
    "model_long_context": Check(
        "No [1m] behind a model",
        "[1m] is a switch of the client's that chooses a vendor's long window: 2.1.197 then passes over your model's "
        "variable, 2.1.329 takes a window that your server does not have.",
        _WARNING,
    ),
    "model_tiers": Check(
        "Every tier is mapped",
        "Subagents and words such as `haiku` ask for a tier; one that is not mapped asks for its vendor's id.",
        _ERROR,
    ),
    "model_list": Check(
        "The list of allowed models has yours",
        "A list `availableModels` without your model makes Claude Code replace it by one of its vendor's.",
        _ERROR,
    ),
    # how much it may ask for
    "output_limit": Check(
        "Answers fit into the window",
        "Claude Code asks for 32,000 tokens of output unless told otherwise; vLLM refuses a request whose prompt and "
        "max_tokens together exceed the window.",
        _ERROR,
    ),
    "declared_window": Check(
        "The client knows the window",
        "For a model that it does not know Claude Code assumes a window (2.1.197: 200,000 tokens, 2.1.329: a million) "
        "and does not summarise the conversation before the server refuses it.",
        _WARNING,
    ),
    "prefill_time": Check(
        "A prompt is read before the client gives up",
        "Where nothing comes for as long as the client waits, it asks again from the start, and again.",
        _ERROR,
    ),
    # what else it does
    "telemetry": Check(
        "No telemetry and no updates",
        "Unless it is told not to, Claude Code also contacts its vendor's hosts and others beside your gateway.",
        _WARNING,
    ),
    "billing_line": Check(
        "No billing line in the prompt",
        "Claude Code puts a line that differs by session and subagent before its prompt, so that no two share a "
        "prefix in the cache; landline takes it out, a server by itself does not.",
        _WARNING,
    ),
    "features": Check(
        "Features that depend on the version and the address",
        "Claude Code switches some features by its version, by settings, and by whether the address is its vendor's.",
        _WARNING,
    ),
    "permission_mode": Check(
        "Permissions need no vendor's service",
        "From 2.1.329 on the terminal interface starts in a mode that asks a classifier of its vendor's, and without "
        "it asks you at every action.",
        _WARNING,
    ),
    "desktop_app": Check(
        "The desktop application is pointed there too",
        "The desktop application takes its gateway from managed settings: what a shell or settings.json says has no "
        "effect on it.",
        _WARNING,
    ),
    # the gateway
    "gateway": Check(
        "The gateway answers",
        "Nobody listens there, or somebody else does: Claude Code tries for three minutes before it says so.",
        _ERROR,
    ),
    "gateway_version": Check(
        "The gateway is of this version",
        "A gateway that was started before an update runs on as it was until it is started again.",
        _WARNING,
    ),
    "gateway_missing": Check(
        "landline is on the path",
        "The client talks to the model server itself: nothing keeps its prompts cacheable, mends calls or sends "
        "heartbeats, and vLLM's own endpoint moves reminders to the head of the prompt, which empties the cache.",
        _WARNING,
    ),
    "request": Check(
        "A request as the client's is answered",
        "What the client itself would get is this refusal, so no loop can begin.",
        _ERROR,
    ),
    "silent_retries": Check(
        "No request is repeated in silence",
        "Claude Code repeats what fails without a word, so that only the time shows that something is wrong.",
        _WARNING,
    ),
    "prefix_moved": Check(
        "The beginning of prompts stays as it is",
        "What changes near the beginning of a prompt makes the server compute everything behind it again.",
        _WARNING,
    ),
    # the backend
    "backend": Check(
        "The model server answers", "Nothing can answer for a model server that does not run at that address.", _ERROR
    ),
    "server_log": Check(
        "The model server's log tells of no failed start",
        "A combination of flags, or too little memory, ends vLLM while it starts.",
        _ERROR,
    ),
    "backend_loading": Check(
        "The model server is ready", "It runs, and says that it cannot answer yet: weights take minutes.", _ERROR
    ),
    "backend_key": Check(
        "The model server takes landline's key",
        "The server was started with a key (vLLM: --api-key), and landline sends none or another.",
        _ERROR,
    ),
    "backend_version": Check(
        "The model server is new enough",
        "Older versions read this family's calls or template wrongly.",
        _WARNING,
    ),
    "keep_alive": Check(
        "The model server keeps connections",
        "A server, or a proxy before it, that closes each connection costs every request a new one.",
        _WARNING,
    ),
    "window": Check(
        "The window holds an agent's work",
        "A first request of Claude Code alone has 13,600 to 22,600 tokens, and what tools print comes on top.",
        _ERROR,
    ),
    "prompts_cut": Check(
        "Prompts are read whole",
        "Some servers drop what does not fit without a word: the model forgets its instructions and seems stupid.",
        _ERROR,
    ),
    "template_tools": Check(
        "Tools reach the prompt",
        "A chat template without a place for tools drops them without a word, so the model never calls one.",
        _ERROR,
    ),
    "prefix_cache": Check(
        "The prefix cache works",
        "Without it each turn computes the whole conversation again: seconds become minutes.",
        _WARNING,
    ),
    # what the model says
    "tool_parser": Check(
        "The server reads its model's calls",
        "A server without a tool-call parser refuses tools or hands calls out as text; one with another family's "
        "leaves their markup in the answer.",
        _ERROR,
    ),
    "reasoning_parser": Check(
        "The server keeps thinking apart",
        "Without a reasoning parser the model's thinking arrives as its answer.",
        _WARNING,
    ),
    "streaming": Check(
        "Answers arrive as they are written",
        "A proxy on the way holds a stream back until it is whole: the client sees silence, and gives up on long "
        "answers.",
        _ERROR,
    ),
}

# Left out of --quick: they ask the model.
MODEL_CHECKS = ("prompts_cut", "template_tools", "tool_parser", "reasoning_parser", "streaming")

# Of `landline doctor cursor`, in the order of the path from its cloud to the gateway.
CURSOR_CHECKS: dict[str, Check] = {
    "cursor_address": Check(
        "Cursor's cloud can call the address",
        "Cursor sends your prompts to its own servers, and those call the base URL: an address of your machine or "
        "network is refused, or passes the check in the settings and fails in the chat.",
        _ERROR,
    ),
    "cursor_https": Check("The address is https", "Cursor takes no plain http base URL.", _ERROR),
    "cursor_keys": Check(
        "The gateway wants a key",
        "What Cursor's cloud can reach, everybody can, so authentication is all that keeps others from your model.",
        _ERROR,
    ),
    "cursor_name": Check(
        "The gateway knows its public name",
        "A request under a name that is not in gateway.hosts gets 403, because web pages could make it.",
        _ERROR,
    ),
}
