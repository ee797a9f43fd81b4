"""What one backend, serving one model, accepts beyond the standard of chat completions.

Filled by `upstream/` from what the server is, what the family of the model needs, and what refusals taught. Requests
are changed and written by it alone: nothing else here asks which server it talks to.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class CallIds(StrEnum):
    """The form in which a template reads the ids of tool calls."""

    ANY = "any"
    NINE = "nine"  # nine letters and digits (Mistral)
    KIMI = "kimi"  # functions.NAME:INDEX


class Tooling(StrEnum):
    """How the tools of a request reach the model."""

    NATIVE = "native"  # the server renders them and reads the calls
    UNREAD = "unread"  # it renders them and leaves the calls in the text: it was started without a tool parser
    WORDS = "words"  # server or template know no tools: they are told in the prompt


class Dialect(Struct, frozen=True, kw_only=True):
    """Unknown backends get the standard only."""

    continues_answers: bool = False  # goes on with an answer that the client began, asked by fields of vLLM's
    continues_unasked: bool = False  # goes on with it because it stands last
    stream_options: bool = True  # knows the field; without it, usage cannot be asked for
    continuous_usage: bool = False  # usage in every chunk, so that the prompt's length is known at the start
    top_k: bool = False
    template_arguments: bool = False  # chat_template_kwargs
    images: bool | None = None  # whether the model sees pictures; None: nobody knows
    plain_schemas: bool = False  # makes a grammar of each tool's schema, which knows few of its keywords
    efforts: tuple[str, ...] = ()  # of thinking that the model knows; empty: it has no such switch
    effort_argument: str = ""  # the template's name for it; empty: the field reasoning_effort
    effort_field: bool = False  # the server reads that field
    thinking_budget: bool = False  # thinking_token_budget
    tool_choice: bool = True  # knows the field
    named_tool_choice: bool = True  # can be told which tool to call; else only that it must call one
    calls_unlisted_tools: bool = False  # lets the model call a tool that it was told of in words only
    alternating_roles: bool = False  # user messages and answers without calls must alternate, and none may be empty
    user_after_tool: bool = True  # a user message may follow a tool message
    call_ids: CallIds = CallIds.ANY
    tools: Tooling = Tooling.NATIVE
    tool_parsers: tuple[
        str, ...
    ] = ()  # vLLM's, for the syntaxes in which the model writes its calls; the first is best
    reasoning_parser: str = ""  # vLLM's, for the marks around its thinking
    thinks: bool | None = None  # None: nobody knows
    thinking_in_text: bool | None = None  # whether the server leaves the thinking in the text; None: not seen yet
    keep_thinking: tuple[tuple[str, bool], ...] = ()  # template arguments that keep the thinking of earlier turns
    drops_thinking: bool = False  # the template drops it, and nothing sent can change that


class Placement(Struct, frozen=True, kw_only=True):
    """Where one request belongs in the cache of its server: a slot (llama.cpp), a salt of its own (vLLM)."""

    slot: int | None = None
    salt: str | None = None


STANDARD = Dialect()
ANYWHERE = Placement()
