"""The agent's part in one run: what the run opens once its thread is claimed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from ..agui.events import Event
from ..agui.message_ids import ids_of
from ..agui.normalizer import EventSequence
from ..agui.run_input import RunInput
from ..agui.versions import SentMessage
from ..attachments.contents import WithContents, linked_messages
from ..attachments.files import Attachments
from ..generative_ui.features import EventTransform, GenerativeUI, RunFeatures
from ..guardrails.guard import Guard
from ..guardrails.policy import Guardrails
from ..logs.records import get_logger
from ..providers.base import Provider
from ..providers.unique_calls import UniqueCalls
from ..state_store.base import AgentState
from ..tools.approvals import Approvals
from ..tools.registry import ToolRegistry
from .request import RunRequest

Json: TypeAlias = dict[str, Any]

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSide:
    """What a runtime adds to its agents.

    Attributes:
        guardrails: judges what users say, if there are rules.
        generative_ui: the kinds of generative UI that are offered.
        tools: the server's tools.
        attachments: the files that users attach to messages.
        attached_bytes: how many bytes of files, in base64, an agent gets at most.
        properties: the server's own properties.
    """

    guardrails: Guardrails | None
    generative_ui: GenerativeUI
    tools: ToolRegistry
    attachments: Attachments
    attached_bytes: int
    properties: Mapping[str, Any]


class AgentRun:
    """An agent with its input. Nothing of the agent runs before `open`.

    Everything is computed on first use, in the run's own task, because nothing may fail between the claim of
    a thread and the start of its run.

    Args:
        request: the request.
        known: the agent's state on the thread after its last run, if there was one.
        server: what the runtime adds.
        alone: the agent gets no server tools and draws nothing, and RUN_STARTED does not repeat the input.

    Attributes:
        normalizes: the stream puts the events through the sequence itself. A second pass over every event of
            an agent with tools would cost as much as the first.
        approvals: the calls of server tools that wait for the user's approval.
    """

    def __init__(
        self, request: RunRequest, known: AgentState | None, server: ServerSide, *, alone: bool = False
    ) -> None:
        self.normalizes = False
        self.approvals = Approvals(known.messages, known.interrupts) if known is not None else Approvals()
        self._request = request
        self._known = known
        self._server = server
        self._alone = alone

    @property
    def is_remote(self) -> bool:
        """Whether the agent runs in another process."""
        return self._request.agent.provider.is_remote

    @cached_property
    def sequence(self) -> EventSequence:
        """Normalises the agent's events."""
        request, server = self._request, self._server
        hidden = server.properties.keys() | server.tools.properties
        return EventSequence(
            request.thread_id,
            request.input.run_id,
            strict_stream=request.agent.provider.strict_stream,
            input=None if self._alone else recorded_input(request, self._known, hidden),
            sent={**request.sent, **self._linked},
            # Clients have these messages, also where RUN_STARTED does not repeat them.
            known=() if self._alone else [*self._known_messages, *request.input.messages],
            corrected=request.input.messages if request.replaces_results else None,
            announces=request.input.protocol_version is None,
        )

    @cached_property
    def guard(self) -> Guard:
        """Judges the input."""
        input = agent_input(self._features.input, self._known)
        return Guard(self._server.guardrails, self._request.context, input, self._known)

    @property
    def transforms(self) -> Sequence[EventTransform]:
        """What normalised events go through, in order."""
        return self._features.transforms

    async def open(self, out: list[Event]) -> AsyncIterator[Any]:
        """Returns the stream of the agent, once the input is admitted.

        It yields the agent's events as they are. If it `normalizes`, it yields None each time normalised
        events are ready in `out`.

        Raises:
            GuardrailsDeniedError: what the user says is denied.
            GuardrailsUnavailableError: no verdict can be had.
        """
        agent, context = self._request.agent, self._request.context
        # Wait for the verdict first: an agent that runs spends money, calls tools and updates its memory.
        input = await self.guard.admit()
        loop = None
        if not self._alone:
            waiting = bool(self.approvals.waiting)
            further, tools = self._features.tools, self._server.tools
            loop = await tools.with_tools(agent, further, self._attached, waiting=waiting)
        if loop is None:
            return UniqueCalls(self._attached(agent.provider), self._known_messages).run(input.model, context)
        self.normalizes = True
        return loop.run(input, context, self.sequence, out, self._known_messages, self.approvals)

    def _attached(self, provider: Provider) -> Provider:
        """Returns a provider whose agent gets the content of the conversation's files."""
        if not self._linked:
            return provider
        return WithContents(
            provider,
            self._server.attachments,
            max_bytes=self._server.attached_bytes,
            recorded=self._request.recorded and not self._alone,
        )

    @cached_property
    def _linked(self) -> dict[str, SentMessage]:
        """The messages, by id, that have links to files: agents get contents, and readers see the links."""
        return linked_messages([*self._known_messages, *self._request.input.messages])

    @property
    def _known_messages(self) -> list[Json]:
        return self._known.messages if self._known is not None else []

    @cached_property
    def _features(self) -> RunFeatures:
        request = self._request
        if self._alone:
            return RunFeatures(request.input)
        try:
            return self._server.generative_ui.for_run(request.agent.name, request.input)
        except Exception:
            # An answer without generative UI is better than no answer.
            logger.exception("run %s gets no generative UI", request.input.run_id)
            return RunFeatures(request.input)


def agent_input(input: RunInput, known: AgentState | None) -> RunInput:
    """Returns the input without activity messages, and with the tool results that the thread's log has.

    Activity messages are for frontends only. A result that came after the user's next message, as where the
    user went on instead of approving a call, moves behind its call: models accept it nowhere else. And since
    a client sends the whole conversation with every request, it could show an agent other results of backend
    actions than they had; the results of its own tools are its own.

    Args:
        input: what the client sent.
        known: what the agent's last run left on the thread, if there was one.
    """
    messages = [message for message in input.messages if message["role"] != "activity"]
    changed = len(messages) != len(input.messages)
    if misplaced := _misplaced(messages):
        messages, changed = _behind_their_calls(messages, misplaced), True
    if known is not None and any(message["role"] == "tool" for message in messages):
        results = _results(known, {tool["name"] for tool in input.json.get("tools", ())})
        for place, message in enumerate(messages):
            result = results.get(message["toolCallId"]) if message["role"] == "tool" else None
            if result is not None and result != message.get("content"):
                messages[place] = {**message, "content": result}
                changed = True
    return input.replace(messages=messages) if changed else input


def _misplaced(messages: Sequence[Json]) -> dict[str, Json]:
    """Returns the results that follow a message of the user, by their calls."""
    misplaced: dict[str, Json] = {}
    before = ""
    for message in messages:
        role = message["role"]
        if role == "tool" and before == "user":
            misplaced[message["toolCallId"]] = message
        elif role != "tool":
            before = role
    return misplaced


def _behind_their_calls(messages: Sequence[Json], misplaced: Mapping[str, Json]) -> list[Json]:
    ordered: list[Json] = []
    moved: set[str] = set()
    for message in messages:
        if message["role"] == "tool" and message["toolCallId"] in moved:
            continue
        ordered.append(message)
        calls = [call["id"] for call in message.get("toolCalls") or () if call["id"] in misplaced]
        ordered += [misplaced[id] for id in calls]
        moved.update(calls)
    return ordered


def recorded_input(request: RunRequest, known: AgentState | None, hidden: Collection[str]) -> Json:
    """Returns the input that RUN_STARTED shows to readers.

    Messages that an earlier run of the agent on the thread has shown are left out.

    Args:
        request: the request.
        known: what the agent's last run left on the thread, if there was one.
        hidden: the properties that readers must not see: the server's own, and keys.
    """
    # A shallow copy is enough: nothing changes an input after it was received.
    recorded = dict(request.input.json)
    messages = new_messages(request.input.messages, known)
    if request.sent:
        messages = [request.sent[m["id"]].original if m["id"] in request.sent else m for m in messages]
    recorded["messages"] = messages
    properties = recorded.get("forwardedProps")
    if hidden and isinstance(properties, dict):
        recorded["forwardedProps"] = {k: v for k, v in properties.items() if k not in hidden}
    return recorded


def new_messages(messages: list[Json], known: AgentState | None) -> list[Json]:
    """Returns the messages that no earlier run of the agent on the thread has shown."""
    if known is None:
        return messages
    ids = ids_of(known.messages)
    return [message for message in messages if message["id"] not in ids]


def _results(known: AgentState, own: set[str]) -> dict[str, Any]:
    """Returns the known results, by the ids of their calls, without those of the client's own tools."""
    calls = [call for message in known.messages for call in message.get("toolCalls") or ()]
    foreign = {call["id"] for call in calls if call["function"]["name"] not in own}
    return {
        message["toolCallId"]: message["content"]
        for message in known.messages
        if message.get("role") == "tool" and message.get("toolCallId") in foreign and "content" in message
    }
