"""A request's conversation in the form that model vendors accept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ag_ui.core import Context, RunAgentInput
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolCall, ToolMessage

from ...errors import AgentError
from ..langchain.content import text_of
from ..langchain.messages import to_langchain

_NO_RESULT = "The call was not answered; there is no result."


def conversation(
    input: RunAgentInput, *, instructions: str | None, accept_instructions: bool, state: str | None = None
) -> list[BaseMessage]:
    """Returns the messages for the model.

    Vendors take one system message, at the start, and Anthropic's needs another message after it. So what
    the frontend says as `system` or `developer` is joined behind the server's instructions, wherever it
    stood. Readable context comes last, but for what the frontend's instructions repeat already.

    Args:
        input: the run's input.
        instructions: the server's.
        accept_instructions: the model is given the frontend's instructions and context.
        state: the shared state as the model reads it. It comes last, as it changes most.

    Raises:
        AgentError: there is nothing to answer.
    """
    messages = to_langchain(input.messages)
    asked: list[str] = []
    if accept_instructions:
        asked = [
            text for m in messages if isinstance(m, SystemMessage) and (text := text_of(m.content).strip())
        ]
        asked += _readable(input.context or (), "\n".join(asked))
    turns: list[BaseMessage] = list(_turns([m for m in messages if not isinstance(m, SystemMessage)]))
    system = [instructions] if instructions else []
    if not turns:
        raise AgentError("The request has no message to answer.", "BAD_REQUEST", status_code=400)
    system += [*asked, *([state] if state is not None else [])]
    return [SystemMessage("\n\n".join(system)), *turns] if system else turns


def _readable(context: Iterable[Context], said: str) -> list[str]:
    items = [f"{item.description}:\n{item.value}" for item in context if item.value not in said]
    return ["What the application tells:\n\n" + "\n\n".join(items)] if items else []


def _turns(messages: Sequence[BaseMessage]) -> Iterator[BaseMessage]:
    """Yields the messages that say something, each tool call with its one result directly behind it.

    A call that has no result gets one that says so; of two results the first counts, and a result without
    a call is left out. Ids and names are the client's, and vendors take some of them for references.
    """
    results: dict[str, ToolMessage] = {}
    for message in messages:
        if isinstance(message, ToolMessage):
            results.setdefault(message.tool_call_id, message)
    called: set[str] = set()
    for message in messages:
        if isinstance(message, ToolMessage):
            continue
        said: dict[str, Any] = {"id": None, "name": None, "content": _content(message.content)}
        calls = _fresh_calls(message, called)
        if isinstance(message, AIMessage):
            said["tool_calls"] = calls
        if not said["content"] and not calls:
            continue
        yield message.model_copy(update=said)
        for call in calls:
            id = str(call["id"])
            result = results.get(id) or ToolMessage(_NO_RESULT, tool_call_id=id, status="error")
            yield result.model_copy(update={"id": None})


def _fresh_calls(message: BaseMessage, called: set[str]) -> list[ToolCall]:
    """Returns the message's calls with ids that no call before had, and adds these ids to `called`."""
    fresh = []
    for call in message.tool_calls if isinstance(message, AIMessage) else ():
        if call["name"] and call["id"] and call["id"] not in called:
            called.add(call["id"])
            fresh.append(call)
    return fresh


def _content(content: str | list[Any]) -> str | list[Any]:
    """Returns the content without texts that say nothing, which Anthropic refuses."""
    if isinstance(content, str):
        return content if content.strip() else ""
    return [block for block in content if block.get("type") != "text" or block["text"].strip()]
