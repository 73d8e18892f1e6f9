"""Agents whose tool calls have ids that are unique within a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from ag_ui.core import AssistantMessage, Message, RunAgentInput, ToolMessage

from ..agui.call_ids import CallIds, Json, original
from ..agui.events import Event, event_from
from ..context import RequestContext
from .base import AgentSnapshot, Provider, close_stream


class UniqueCalls(Provider):
    """Runs another provider's agent, for one run of the runtime, and gives its tool calls unique ids.

    What the agent emits gets the ids by which clients know its calls, and the agent gets the ids that it gave
    itself, unless its provider does this already (`Provider.unique_call_ids`).

    Args:
        provider: the agent's provider.
        known: the thread's messages, as AG-UI messages in JSON form.
    """

    def __init__(self, provider: Provider, known: Iterable[Json] = ()) -> None:
        self.strict_stream = provider.strict_stream  # type: ignore[misc]
        self.description = provider.description
        self.capabilities = provider.capabilities
        self._provider = provider
        self._known = known

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the agent's events."""
        ids = CallIds(input.run_id)
        ids.learn(self._known)
        input = _with_messages(input, _with_ids(input.messages, ids.learn(map(outline, input.messages))))
        named = not self._provider.unique_call_ids
        stream = self._provider.run(_with_own_ids(input) if named else input, context)
        try:
            async for event in stream:
                yield ids.event(event_from(event)) if named else event
        finally:
            await close_stream(stream)

    def use_store(self, url: str | None, agent_name: str) -> None:
        """Tells the agent's provider where the runtime keeps threads."""
        self._provider.use_store(url, agent_name)

    async def snapshot(self, thread_id: str, context: RequestContext) -> AgentSnapshot | None:
        """Returns what the agent itself remembers of a thread."""
        return await self._provider.snapshot(thread_id, context)

    async def forget(self, thread_id: str, context: RequestContext) -> None:
        """Deletes what the agent itself remembers of a thread."""
        await self._provider.forget(thread_id, context)

    async def aclose(self) -> None:
        """Releases what the agent's provider holds."""
        await self._provider.aclose()


def with_unique_calls(input: RunAgentInput) -> RunAgentInput:
    """Returns an input whose tool calls have unique ids."""
    return _with_messages(input, _with_ids(input.messages, CallIds().learn(map(outline, input.messages))))


def _with_own_ids(input: RunAgentInput) -> RunAgentInput:
    """Returns an input with the ids that the agent gave its calls."""
    messages = _with_ids(input.messages, [_original(outline(message)) for message in input.messages])
    if any(original(entry.interrupt_id) != entry.interrupt_id for entry in input.resume or ()):
        resume = [
            entry.model_copy(update={"interrupt_id": original(entry.interrupt_id)})
            for entry in input.resume or ()
        ]
        input = input.model_copy(update={"resume": resume})
    return _with_messages(input, messages)


def _with_messages(input: RunAgentInput, messages: Sequence[Message]) -> RunAgentInput:
    return input if messages is input.messages else input.model_copy(update={"messages": messages})


def outline(message: Message) -> Json:
    """Returns the ids of a message."""
    match message:
        case AssistantMessage(tool_calls=[_, *_] as calls):
            return {"id": message.id, "toolCalls": [{"id": call.id} for call in calls]}
        case ToolMessage():
            return {"id": message.id, "toolCallId": message.tool_call_id}
        case _:
            return {"id": message.id}


def _original(ids: Json) -> Json:
    if "toolCalls" in ids:
        return {**ids, "toolCalls": [{"id": original(call["id"])} for call in ids["toolCalls"]]}
    if "toolCallId" in ids:
        return {**ids, "toolCallId": original(ids["toolCallId"])}
    return ids


def _with_ids(messages: Sequence[Message], outlines: Sequence[Json]) -> Sequence[Message]:
    """Returns messages with the ids of outlines; the same list if nothing differs."""
    if all(outline(message) == each for message, each in zip(messages, outlines, strict=True)):
        return messages
    return [_with_its_ids(message, each) for message, each in zip(messages, outlines, strict=True)]


def _with_its_ids(message: Message, ids: Json) -> Message:
    match message:
        case AssistantMessage(tool_calls=[_, *_] as calls):
            named = [
                call.model_copy(update={"id": each["id"]})
                for call, each in zip(calls, ids["toolCalls"], strict=True)
            ]
            return message.model_copy(update={"tool_calls": named})
        case ToolMessage():
            return message.model_copy(update={"tool_call_id": ids["toolCallId"]})
        case _:
            return message
