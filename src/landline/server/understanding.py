"""From the client's bytes to what the backend should be asked: decoding, route, sampling, documents, transforms."""

from __future__ import annotations

import msgspec

from landline.core.exchange import Exchange
from landline.core.model import Conversation
from landline.errors import ErrorKind, LandlineError
from landline.policy.identity import session_of_metadata
from landline.policy.routing import check_known
from landline.protocols.anthropic_messages.request import decode_request
from landline.server.documents import has_unread, with_documents
from landline.server.line import Line
from landline.server.sampling import chosen_sampling
from landline.transforms.offered_tools import offered
from landline.transforms.sequence import Again, Outbound, outbound


async def translate(body: bytes, exchange: Exchange, line: Line, *, counting: bool = False) -> Outbound:
    """The client's request as the backend should see it. Raises LandlineError."""
    return to_backend(await understood(body, exchange, line, counting=counting), exchange, line, counting=counting)


def to_backend(
    conversation: Conversation, exchange: Exchange, line: Line, *, counting: bool = False, again: bool = True
) -> Outbound:
    """`again`: whether what its answer lacks may be asked for once more, so that its end may be held."""
    known = line.backend_for(exchange).known(conversation.model)
    if known.advice:
        exchange.notes.alert(known.advice)
    own = line.settings.models
    asking = Again(calls=again and own.ask_again, plans=again and own.nudge)
    limit = 0 if counting else own.loop_limit
    return outbound(conversation, known.dialect, exchange.notes, loop_limit=limit, again=asking)


async def understood(body: bytes, exchange: Exchange, line: Line, *, counting: bool = False) -> Conversation:
    """A Messages request, with the served model that answers it and its documents read. Raises LandlineError."""
    wire, conversation = decode_request(body, exchange.notes, counting=counting, known=line.known)
    exchange.session = exchange.session or session_of_metadata(wire.metadata)
    return await served(conversation, exchange, line, counting=counting)


async def served(conversation: Conversation, exchange: Exchange, line: Line, *, counting: bool = False) -> Conversation:
    """The same request, with the served model that answers it and its documents read. Raises LandlineError."""
    notes = exchange.notes
    exchange.stream = conversation.stream
    model = await routed(conversation.model, exchange, line)
    conversation = msgspec.structs.replace(conversation, model=model)
    known = line.backend_for(exchange).known(model)
    if not counting:
        conversation = chosen_sampling(conversation, line.settings.sampling, known.family, known.dialect, notes)
    conversation = offered(conversation, searching=line.searcher is not None, notes=notes)
    if not has_unread(conversation):
        return conversation
    return await with_documents(conversation, line.documents, pictures=known.dialect.images is True, notes=notes)


async def routed(asked: str, exchange: Exchange, line: Line) -> str:
    """The served model for the name that a client asked for. Raises LandlineError where nothing is served."""
    await line.know()
    chosen = line.route(asked)
    exchange.model_asked, exchange.model_served, exchange.route = asked, chosen.model, chosen.rule
    if not chosen.model:
        raise unavailable(line)
    if line.settings.models.strict:
        check_known(asked, chosen, line.backend.served)
    return chosen.model


def unavailable(line: Line) -> LandlineError:
    """No backend that could be asked. One that was never seen is more likely misconfigured than restarting."""
    backend = line.backend
    return LandlineError(
        ErrorKind.BACKEND_UNAVAILABLE,
        backend.problem or f"The backend {backend.url} serves no model.",
        final=not backend.seen,
        retry_after=5 if backend.seen else None,
        check=backend.problem_check,
    )
