"""What is changed about requests after a refusal: each mend as a change of the dialect.

`Opening` asks again with the changed dialect; when that is accepted, the backend remembers the mend for the model.
Which words of a refusal ask for which mend is the business of `failures.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from landline.protocols.openai_chat.dialect import CallIds, Dialect, Tooling
from landline.upstream.failures import Mend


class Change(Struct, frozen=True):
    """`note` is written into the record of the request that was refused."""

    note: str
    of: Callable[[Dialect], Dialect]


def _without_stream_options(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, stream_options=False)


def _without_thinking_budget(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, thinking_budget=False)


def _without_template_arguments(dialect: Dialect) -> Dialect:
    efforts = () if dialect.effort_argument else dialect.efforts
    return msgspec.structs.replace(
        dialect, template_arguments=False, keep_thinking=(), efforts=efforts, effort_argument=""
    )


def _alternating(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, alternating_roles=True, user_after_tool=False)


def _no_user_after_tool(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, user_after_tool=False)


def _nine_character_ids(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, call_ids=CallIds.NINE)


def _without_begun_answers(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, continues_answers=False, continues_unasked=False)


def _plain_schemas(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, plain_schemas=True)


def _without_images(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, images=False)


def _unread_calls(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, tools=Tooling.UNREAD)


def _tools_in_words(dialect: Dialect) -> Dialect:
    return msgspec.structs.replace(dialect, tools=Tooling.WORDS)


# Every mend but those of a single request (room for the answer). Each function gives a dialect that asks for less.
CHANGES: dict[Mend, Change] = {
    Mend.NO_STREAM_OPTIONS: Change("stream_options left out: the backend refuses it", _without_stream_options),
    Mend.NO_THINKING_BUDGET: Change(
        "thinking budget left out: vLLM needs --reasoning-parser for it", _without_thinking_budget
    ),
    Mend.NO_TEMPLATE_ARGUMENTS: Change(
        "chat_template_kwargs left out: the backend's tokenizer takes none", _without_template_arguments
    ),
    Mend.ALTERNATING_ROLES: Change("the backend's template wants alternating roles", _alternating),
    Mend.NO_USER_AFTER_TOOL: Change("the backend's template wants an answer behind tool results", _no_user_after_tool),
    Mend.NINE_CHARACTER_IDS: Change("the backend's template wants call ids of nine characters", _nine_character_ids),
    Mend.PLAIN_SCHEMAS: Change("the backend cannot make a grammar of a tool's schema", _plain_schemas),
    Mend.NO_IMAGES: Change("the model sees no images", _without_images),
    Mend.UNREAD_CALLS: Change(
        "the backend has no tool parser: its calls are read here (vLLM: start it with --enable-auto-tool-choice "
        "--tool-call-parser; landline models names the parser)",
        _unread_calls,
    ),
    Mend.TOOLS_IN_WORDS: Change("the backend knows no tools for this model: told in the prompt", _tools_in_words),
    Mend.NO_BEGUN_ANSWER: Change("the backend's template cannot go on with a begun answer", _without_begun_answers),
}


def changed(dialect: Dialect, mends: Iterable[Mend]) -> Dialect:
    """The dialect after all mends that are changes of it, in their order."""
    for mend in mends:
        if mend in CHANGES:
            dialect = CHANGES[mend].of(dialect)
    return dialect
