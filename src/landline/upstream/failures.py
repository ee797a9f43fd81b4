"""What a backend's error means. The only file that looks at the text of one.

Each row of the tables has a sample in tests/golden/failures.toml, with the backend and version that wrote it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, cast

import msgspec
from msgspec import Struct

from landline.errors import ErrorKind, LandlineError
from landline.transforms.limits import prompt_too_long

# One text for two cases: whether the prompt alone is too long, its numbers tell.
_SUM = r"maximum context length is (?P<window>\d+) tokens.*\((?P<prompt>\d+) in the messages, \d+ in the completion\)"

# "at least": the tokenizer stopped at what the answer left, so the number says nothing about the prompt.
_VLLM_SUM = (
    r"maximum context length is (?P<window>\d+) tokens\. However, you requested [1-9]\d* output tokens and your prompt "
    r"contains (at least \d+|(?P<prompt>\d+)) input tokens"
)
_SGLANG_SUM = (
    r"maximum context length of (?P<window>\d+) tokens\. You requested a total of \d+ tokens: "
    r"(?P<prompt>\d+) tokens from the input messages"
)

# The prompt does not fit. Groups `prompt` and `window` where the text names the numbers.
OVERFLOWS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # vLLM
        _VLLM_SUM,
        r"maximum context length is (?P<window>\d+) tokens.*?prompt contains (at least )?(?P<prompt>\d+) input tokens",
        _SUM,
        r"maximum context length is (?P<window>\d+) tokens.*?you requested (?P<prompt>\d+) tokens",
        r"maximum context length is (?P<window>\d+) tokens.*?prompt contains \d+ characters",
        r"Input length \((?P<prompt>\d+)\) exceeds model's maximum context length \((?P<window>\d+)\)",
        r"prompt \(length (?P<prompt>\d+)\) is longer than the maximum model length of (?P<window>\d+)",
        r"longer than the maximum model length of (?P<window>\d+)",
        # llama.cpp
        r"request \((?P<prompt>\d+) tokens\) exceeds the available context size \((?P<window>\d+) tokens\)",
        r"exceeds? the available context size",
        # SGLang
        _SGLANG_SUM,
        r"input \((?P<prompt>\d+) tokens\) is longer than the model's context length \((?P<window>\d+) tokens\)",
        r"longer than the model's context length",
        # LM Studio
        r"n_keep:? \(?(?P<prompt>\d+)\)? *>= n_ctx:? \(?(?P<window>\d+)",
        r"keep the first (?P<prompt>\d+) tokens.*?context length of only (?P<window>\d+) tokens",
        r"tokens to keep from the initial prompt is greater than the context length",
        # Ollama
        r"prompt is too long.*?(?P<prompt>\d+).*?(?P<window>\d+)",
        r"input length exceeds the context length",
        # TGI
        r"`inputs` tokens \+ `max_new_tokens` must be",
        # hosted, OpenAI-like
        r"context_length_exceeded",
        r"exceeds? the context window",
    )
)

# The prompt fits, the room asked for the answer does not.
OUTPUT_TOO_LARGE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"max(_completion)?_tokens=(?P<asked>\d+) cannot be greater than max_model_len=(?P<window>\d+)",
        _SUM,
        _VLLM_SUM,
        _SGLANG_SUM,
        r"'?max(_completion)?_tokens'?.* is too large: (?P<asked>\d+).*\(\d+ > (?P<window>\d+) - (?P<prompt>\d+)\)",
        r"max(_completion)?_tokens'? is too large: (?P<asked>\d+)",
    )
)

NO_TOOL_PARSER = re.compile(r"requires --enable-auto-tool-choice|requires --tool-call-parser", re.IGNORECASE)


# Asked for usage in a stream, a server that does not know the field refuses the whole request.
UNKNOWN_STREAM_OPTIONS = re.compile(r"stream_options|include_usage", re.IGNORECASE)

# vLLM that was started without a reasoning parser.
NO_THINKING_BUDGET = re.compile(r"thinking_token_budget", re.IGNORECASE)

# vLLM with Mistral's own tokenizer, which has no template that could take arguments.
NO_TEMPLATE_ARGUMENTS = re.compile(r"chat_template\b.* for mistral tokenizer", re.IGNORECASE)


# llama.cpp, while it reads its weights.
LOADING = re.compile(r"loading model", re.IGNORECASE)

RETRY_AFTER_S = 5  # for states that pass, where the backend does not say how soon


class Mend(StrEnum):
    """What can be changed about a refused request, so that asking again makes sense."""

    ROOM_FOR_ANSWER = "room for the answer"
    NO_STREAM_OPTIONS = "no stream_options"
    NO_THINKING_BUDGET = "no thinking budget"
    NO_TEMPLATE_ARGUMENTS = "no template arguments"
    ALTERNATING_ROLES = "alternating roles"
    NO_USER_AFTER_TOOL = "no user message behind tool results"
    NINE_CHARACTER_IDS = "call ids of nine characters"
    NO_BEGUN_ANSWER = "no begun answer"
    PLAIN_SCHEMAS = "plain schemas"
    NO_IMAGES = "no images"
    UNREAD_CALLS = "calls read by the gateway"
    TOOLS_IN_WORDS = "tools told in words"


# Fields of the request that the server does not know, or was not started for.
FIELDS: tuple[tuple[re.Pattern[str], Mend], ...] = (
    (UNKNOWN_STREAM_OPTIONS, Mend.NO_STREAM_OPTIONS),
    (NO_THINKING_BUDGET, Mend.NO_THINKING_BUDGET),
    (NO_TOOL_PARSER, Mend.UNREAD_CALLS),
    (NO_TEMPLATE_ARGUMENTS, Mend.NO_TEMPLATE_ARGUMENTS),
)

# A tool's schema that the backend's grammar cannot be made of; pictures for a model without eyes.
CONTENTS: tuple[tuple[re.Pattern[str], Mend], ...] = (
    (re.compile(r"failed to parse grammar|json schema conversion failed", re.IGNORECASE), Mend.PLAIN_SCHEMAS),
    (re.compile(r"json schema contains features not supported", re.IGNORECASE), Mend.PLAIN_SCHEMAS),
    (re.compile(r"image input is not supported|is not a multimodal model", re.IGNORECASE), Mend.NO_IMAGES),
    (re.compile(r"does not support tools", re.IGNORECASE), Mend.TOOLS_IN_WORDS),  # Ollama
    (re.compile(r"content\.type is invalid, allowed values: \['text'\]", re.IGNORECASE), Mend.NO_IMAGES),
)

# What a strict chat template says of a history that others take. llama.cpp answers 500, the others 400.
HISTORIES: tuple[tuple[re.Pattern[str], Mend], ...] = (
    (re.compile(r"conversation roles must alternate", re.IGNORECASE), Mend.ALTERNATING_ROLES),
    (re.compile(r"unexpected role '\w+' after role 'tool'", re.IGNORECASE), Mend.NO_USER_AFTER_TOOL),
    (re.compile(r"tool call id .* with a length of 9", re.IGNORECASE), Mend.NINE_CHARACTER_IDS),
    (re.compile(r"assistant response prefill is incompatible", re.IGNORECASE), Mend.NO_BEGUN_ANSWER),
    (re.compile(r"expected last role user or tool", re.IGNORECASE), Mend.NO_BEGUN_ANSWER),
    (re.compile(r"continue_final_message is set", re.IGNORECASE), Mend.NO_BEGUN_ANSWER),
)


class Refusal(Struct, frozen=True):
    """A backend's error answer, read. `window` and `prompt` are 0 where the backend did not name them."""

    error: LandlineError
    mend: Mend | None = None
    window: int = 0
    prompt: int = 0

    @property
    def output_too_large(self) -> bool:
        return self.mend is Mend.ROOM_FOR_ANSWER


class Known(Struct, frozen=True):
    """What stands in where an error names no numbers (tokens; window 0: unknown), and the backend's URL."""

    window: int
    estimate: int
    base: str


def read_refusal(status: int, body: bytes, known: Known, *, content_type: str, retry_after: str = "") -> Refusal:
    """What an error answer means for the client; `retry_after` is the backend's own header."""
    window, estimate, base = known.window, known.estimate, known.base
    if "html" in content_type or body.lstrip()[:1] == b"<":
        return Refusal(_not_a_model_server(status, base))
    text = error_text(body)
    for pattern in OUTPUT_TOO_LARGE:
        if match := pattern.search(text):
            limit, prompt = _number(match, "window", window), _number(match, "prompt", 0)
            if prompt >= limit > 0:
                break  # no room for any answer
            return Refusal(_invalid(text), Mend.ROOM_FOR_ANSWER, window=limit, prompt=prompt)
    if status in (200, 400, 413, 422, 500) and (overflow := _overflow(text, window, estimate)):
        return overflow
    if status in (400, 422) and (field := next((mend for words, mend in FIELDS if words.search(text)), None)):
        return Refusal(_no_parser(text) if field is Mend.UNREAD_CALLS else _invalid(text), field)
    if status in (400, 422, 500) and (mend := _taught(text)):
        return Refusal(_invalid(text), mend)
    wait = int(retry_after) if retry_after.isdigit() else RETRY_AFTER_S
    return Refusal(_by_status(status, text, base, wait))


def _taught(text: str) -> Mend | None:
    return next((mend for words, mend in (*HISTORIES, *CONTENTS) if words.search(text)), None)


def _overflow(text: str, window: int, estimate: int) -> Refusal | None:
    for pattern in OVERFLOWS:
        if match := pattern.search(text):
            limit, prompt = _number(match, "window", window), _number(match, "prompt", estimate)
            return Refusal(prompt_too_long(prompt, limit), window=limit, prompt=prompt)
    return None


def failed_in_stream(status: int, message: str, known: Known, *, cut: bool) -> LandlineError:
    """An answer that failed on its way: the backend said so, or stopped (`cut`)."""
    if cut:
        return LandlineError(ErrorKind.BAD_BACKEND, message, hint="Did the model server crash or restart? See its log.")
    if overflow := _overflow(message, known.window, known.estimate):
        return overflow.error
    if status in (400, 422):
        return _invalid(clean(message))
    kind = ErrorKind.OVERLOADED if status in (429, 503, 529) else ErrorKind.BAD_BACKEND
    return LandlineError(kind, "The backend failed", quote=clean(message))


def taught_in_stream(status: int, message: str) -> Mend | None:
    """What a refusal teaches that came behind a 200: vLLM checks some fields only when it begins to work."""
    if status not in (400, 422):
        return None
    return next((mend for words, mend in FIELDS if words.search(message)), None) or _taught(message)


def error_text(body: bytes) -> str:
    """The message inside an error body of any server, or the body itself, shortened."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return clean(body.decode("utf-8", "replace"))
    for _ in range(3):
        if not isinstance(value, dict):
            break
        found = cast("dict[str, Any]", value)
        code = found.get("code")
        inner = found.get("error") or found.get("message") or found.get("detail")
        if isinstance(inner, str) and code == "context_length_exceeded":
            return clean(f"{inner} ({code})")
        value = inner if inner is not None else str(found)
    return clean(value if isinstance(value, str) else str(value))


def clean(text: str) -> str:
    """One line of at most 600 characters, without what may be a key."""
    line = " ".join(text.split())
    line = re.sub(r"\b(sk|key|tok|hf|Bearer)[-_ ][A-Za-z0-9_-]{12,}", "[key]", line)
    return line if len(line) <= 600 else line[:600] + " …"


def _by_status(status: int, text: str, base: str, wait: int) -> LandlineError:
    said = f"The backend {base} answered {status}{' instead of a stream' if status == 200 else ''}"
    if status == 400 or status == 422:
        return _invalid(text)
    if status in (401, 403):
        return LandlineError(
            ErrorKind.BACKEND_UNAVAILABLE,
            said,
            quote=text,
            hint="Set backend.key in landline.toml to its key.",
            final=True,
            check="backend_key",
        )
    if status == 404:
        return LandlineError(
            ErrorKind.BAD_BACKEND,
            said,
            quote=text,
            hint="Is the base URL right (landline adds /v1/chat/completions), and does it serve that model?",
            final=True,
            check="backend",
        )
    if status == 413:
        return LandlineError(ErrorKind.REQUEST_TOO_LARGE, said, quote=text)
    if status == 429:
        return LandlineError(ErrorKind.RATE_LIMITED, said, quote=text, retry_after=wait)
    if status in (503, 529):
        if LOADING.search(text):
            return LandlineError(ErrorKind.OVERLOADED, said, quote=text, retry_after=wait, check="backend_loading")
        return LandlineError(ErrorKind.OVERLOADED, said, quote=text, retry_after=wait)
    if status in (408, 504):
        return LandlineError(ErrorKind.BACKEND_TIMEOUT, said, quote=text, retry_after=wait)
    if status >= 500:
        return LandlineError(ErrorKind.BAD_BACKEND, said, quote=text, retry_after=wait)
    hint = "Is the base URL right? landline asks for a stream of chat completions at /v1/chat/completions."
    return LandlineError(ErrorKind.BAD_BACKEND, said, quote=text, hint=hint, final=True, check="backend")


def _no_parser(text: str) -> LandlineError:
    return LandlineError(
        ErrorKind.INVALID_REQUEST,
        "The backend cannot call tools yet",
        quote=text,
        hint="Start vLLM with --enable-auto-tool-choice and the --tool-call-parser of your model.",
        check="tool_parser",
    )


def _invalid(text: str) -> LandlineError:
    return LandlineError(ErrorKind.INVALID_REQUEST, "The backend refused the request", quote=text)


def _not_a_model_server(status: int, base: str) -> LandlineError:
    return LandlineError(
        ErrorKind.BAD_BACKEND,
        f"{base} answered {status} with a web page instead of a model's answer.",
        hint="A proxy, or another program, listens there: check --backend.",
        final=status < 500,
        check="backend",
    )


def _number(match: re.Match[str], name: str, otherwise: int) -> int:
    found = match.groupdict().get(name)
    return int(found) if found else otherwise
