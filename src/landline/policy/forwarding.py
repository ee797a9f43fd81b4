"""Whether a chat request can go to the backend as it came, so that nothing of it and of its answer is lost.

It can where landline has nothing to add: no calls to repair, no thinking to find, no history to mend, no picture to
look at, and enough room. For a model that may think it does so only where the request has members that would be lost
otherwise (logprobs, n, a grammar): then the client gets them, and the thinking as the backend tells it.
"""

from __future__ import annotations

from msgspec import Struct

from landline.core.model import Conversation, Message, Role, Text
from landline.protocols.openai_chat.dialect import Dialect
from landline.protocols.openai_chat_in.request import ChatRequest
from landline.transforms.limits import clearly_fits

# Members that only a backend can make something of. Others are not passed on: some name machines to connect to.
OF_BACKENDS = frozenset(
    (
        *("n", "best_of", "logprobs", "top_logprobs", "prompt_logprobs", "echo", "use_beam_search", "length_penalty"),
        *("structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar"),
        *("stop_token_ids", "bad_words", "ignore_eos", "min_tokens", "include_stop_str_in_output", "typical_p"),
        *("skip_special_tokens", "add_special_tokens", "return_token_ids", "timings_per_token", "cache_prompt"),
    )
)


# Members of an enumeration are found late, and each message is asked for its role.
_SYSTEM, _USER, _ASSISTANT = Role.SYSTEM, Role.USER, Role.ASSISTANT


class Forwarding(Struct, frozen=True):
    """What is known beside the request; sizes in bytes, the window in tokens (0: nobody knows)."""

    size: int
    window: int
    changed: bool  # landline puts something into each request, or changes something of each answer


def goes_verbatim(request: ChatRequest, dialect: Dialect, own: Forwarding) -> bool:
    asked = request.conversation
    if own.changed or not OF_BACKENDS.issuperset(request.unknown):
        return False
    if not request.unknown and dialect.thinks is not False:
        return False
    if asked.tools or request.toolset.dropped or asked.effort or asked.thinking is not None:
        return False
    return _in_order(asked) and clearly_fits(asked, prompt_bytes=own.size, window=own.window)


def _in_order(asked: Conversation) -> bool:
    """Texts alone: system text at the head, then user and model in turn, the user last."""
    messages = asked.messages
    began = 1 if messages and messages[0].role is _SYSTEM else 0
    turns = messages[began:]
    return (
        len(turns) % 2 == 1
        and all([message.role is _USER for message in turns[::2]])
        and all([message.role is _ASSISTANT for message in turns[1::2]])
        and all(map(_is_text, messages))
    )


def _is_text(message: Message) -> bool:
    blocks = message.blocks
    return len(blocks) == 1 and type(blocks[0]) is Text
