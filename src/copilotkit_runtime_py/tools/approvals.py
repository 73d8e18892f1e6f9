"""Calls of actions that wait for the user's approval: the questions, and what their answers amount to."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ..agui import events
from ..agui.events import APPROVAL, as_asked, is_asked, is_own_approval
from ..agui.message_ids import ids_of
from ..agui.run_input import RunInput
from ..logs.records import get_logger
from .actions import Action, Tool, error_result

Json: TypeAlias = dict[str, Any]

logger = get_logger(__name__)

ANSWER_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "editedArgs": {"type": "object"},
        "reason": {"type": "string"},
    },
    "required": ["approved"],
}
"""The answer to the question for an approval, as AG-UI recommends it."""

_DENIED: Final = "The user denied this call."
_NOT_ANSWERED: Final = "The user did not approve this call, and went on with another message."
_INTERRUPTED: Final = "This call was interrupted. It may have been carried out."
_UNAVAILABLE: Final = "This tool is not available any more."
_UNREACHABLE: Final = "The tool's server cannot be reached. This call was not carried out."
_EXPIRED: Final = "The user approved this call too late. It was not carried out."


@dataclass(frozen=True, slots=True)
class GrantedCall:
    """A call that the user approved.

    Attributes:
        id: its id.
        action: what it calls.
        arguments: the arguments as JSON text; those of the user, if the user changed them.
        edited: the user changed the arguments.
    """

    id: str
    action: Action
    arguments: str
    edited: bool


@dataclass(slots=True)
class Settlement:
    """What a request makes of the calls that wait for approval.

    Attributes:
        input: the request, without the answers to these questions, which no agent reads.
        granted: the calls to run.
        refused: the results of calls that are not run, by their ids.
        stale: the request answers a question that is not open any more, and says nothing else.
        answers_agent: the request answers a question of the agent itself.
    """

    input: RunInput
    granted: list[GrantedCall] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    stale: bool = False
    answers_agent: bool = False

    @property
    def answered(self) -> frozenset[str]:
        """The ids of the calls that get their results now."""
        return frozenset((*(call.id for call in self.granted), *self.refused))

    @property
    def settles(self) -> bool:
        """Whether a call gets its result now."""
        return bool(self.granted or self.refused)


class Approvals:
    """The calls of one agent on a thread that wait for the user's approval.

    A call leaves the list before it is run. So whatever becomes of the run, no second answer runs it again.

    Args:
        messages: the conversation that the thread has on record, as AG-UI messages in JSON form.
        interrupts: the thread's open interrupts, as AG-UI 1.0 `Interrupt` objects in JSON form.

    Attributes:
        waiting: the questions that are open, as they are stored, by the ids of the calls.
    """

    def __init__(self, messages: Sequence[Json] = (), interrupts: Iterable[Json] = ()) -> None:
        self.waiting = {each["toolCallId"]: each for each in interrupts if is_own_approval(each)}
        self._messages = messages

    def add(self, calls: Iterable[tuple[str, Action]]) -> None:
        """Lets calls wait. The user is not asked about them yet."""
        self.waiting |= {
            id: _stored(question(id, action), asked=False, at=None, source=action.source)
            for id, action in calls
        }

    def drop(self, calls: Iterable[str]) -> None:
        """Takes note that calls have their results: the agent gave them itself."""
        for id in calls:
            self.waiting.pop(id, None)

    def ask(self) -> list[Json]:
        """Returns the questions, which the user is asked now."""
        now = time.time()
        self.waiting = {
            id: _stored(each, asked=True, at=_details(each).get("at") or now)
            for id, each in self.waiting.items()
        }
        return [as_asked(each) for each in self.waiting.values()]

    def settle(
        self,
        input: RunInput,
        tools: Mapping[str, Tool],
        *,
        seconds: float | None = None,
        unreachable: Collection[str] = (),
    ) -> Settlement:
        """Takes the answers of a request.

        A new message of the user instead of an answer gives the calls up. A call that is not in the client's
        conversation any more, which the user went back behind, needs no result.

        Args:
            input: the request.
            tools: what the agent may call, by name.
            seconds: how long a call may be approved, or None for no bound.
            unreachable: the names of the sources of tools that could not be reached.
        """
        if not self.waiting and not any(map(_needs, tools.values())):
            return Settlement(input)
        recorded = _open_calls(self._messages)
        lost = [id for id, call in recorded.items() if id not in self.waiting and _needs(tools.get(call[0]))]
        answers, others = self._answers(input)
        settled = _calls_to_approve([*self._messages, *input.messages], tools) if others else set()
        own = [entry for entry in others if entry["interruptId"] not in settled]
        late = len(own) < len(others)
        settlement = Settlement(input)
        if not (self.waiting or lost or late):
            return settlement
        settlement.input = _without_answers(input, own, consumed=bool(answers or late))
        shown = _calls(input.messages)
        gives_up = _says_something(input.messages, self._messages)
        settlement.stale = late and not gives_up
        for id in list(self.waiting):
            if id not in shown:
                del self.waiting[id]
            elif id in answers:
                self._decide(settlement, id, answers[id], recorded.get(id), tools, seconds, unreachable)
            elif gives_up:
                self._refuse(settlement, id, "NOT_ANSWERED", _NOT_ANSWERED)
        settlement.refused |= {
            id: error_result("INTERRUPTED", _INTERRUPTED) for id in lost if id in shown and id in recorded
        }
        # The user is asked for approvals only where the agent waits for nothing.
        asked = any(map(is_asked, self.waiting.values()))
        settlement.answers_agent = not asked and _answers_agent(settlement.input, own)
        return settlement

    def _answers(self, input: RunInput) -> tuple[dict[str, Json], list[Json]]:
        """Returns the answers to the questions that are open, by call, and the answers to others."""
        questions = {each["id"]: call_id for call_id, each in self.waiting.items()}
        answers: dict[str, Json] = {}
        others: list[Json] = []
        for entry in input.json.get("resume") or ():
            call_id = questions.get(entry["interruptId"])
            if call_id is None:
                others.append(entry)
            else:
                answers.setdefault(call_id, entry)
        return answers, others

    def _decide(
        self,
        settlement: Settlement,
        id: str,
        answer: Json,
        call: tuple[str, str] | None,
        tools: Mapping[str, Tool],
        seconds: float | None,
        unreachable: Collection[str],
    ) -> None:
        payload = answer.get("payload")
        if isinstance(payload, bool):
            payload = {"approved": payload}
        approved = payload.get("approved") if isinstance(payload, dict) else None
        if answer["status"] == "cancelled":
            self._refuse(settlement, id, "DENIED", _DENIED)
        elif not isinstance(payload, dict) or not isinstance(approved, bool):
            logger.warning("an answer says neither yes nor no to call %.80r: it is asked again", id)
        elif approved and not isinstance(payload.get("editedArgs"), dict | None):
            # The call as it was is not what the user approved.
            logger.warning("the changed arguments of call %.80r are no object: it is asked again", id)
        elif not approved:
            reason = payload.get("reason")
            reason = f" The reason: {reason}" if isinstance(reason, str) and reason else ""
            self._refuse(settlement, id, "DENIED", f"{_DENIED}{reason}")
        elif _is_old(self.waiting[id], seconds):
            self._refuse(settlement, id, "EXPIRED", _EXPIRED)
        else:
            action = tools.get(call[0]) if call is not None else None
            if call is None or not isinstance(action, Action):
                if _details(self.waiting[id]).get("source") in unreachable:
                    self._refuse(settlement, id, "UNREACHABLE", _UNREACHABLE)
                else:
                    self._refuse(settlement, id, "NOT_AVAILABLE", _UNAVAILABLE)
                return
            logger.info("the user approved call %.80r of %s", id, action.name)
            del self.waiting[id]
            edited = payload.get("editedArgs")
            arguments = events.as_text(edited) if isinstance(edited, dict) else call[1]
            settlement.granted.append(GrantedCall(id, action, arguments, isinstance(edited, dict)))

    def _refuse(self, settlement: Settlement, id: str, code: str, message: str) -> None:
        logger.info("call %.80r is not carried out: %s", id, code)
        del self.waiting[id]
        settlement.refused[id] = error_result(code, message)


def question(call_id: str, action: Action) -> Json:
    """Returns the question whether a call may be run, as an AG-UI 1.0 `Interrupt` in JSON form.

    It does not repeat the arguments, which the page has with the call.
    """
    return {
        "id": call_id,
        "reason": "tool_call",
        "message": action.message or f"Allow {action.name}?",
        "toolCallId": call_id,
        "responseSchema": dict(ANSWER_SCHEMA),
        "metadata": {APPROVAL: {"toolName": action.name}},
    }


def with_edits(arguments: str, result: str) -> str:
    """Returns the result of a call whose arguments the user changed, so that the model sees the change."""
    return events.as_text({"editedArgs": events.decode(arguments.encode()), "result": result})


def _stored(question: Json, **details: Any) -> Json:
    """Returns a question with what only the store knows of it.

    That is whether the user was asked (`asked`), when that was first (`at`, seconds since 1970), and which
    source the tool is from (`source`).
    """
    return question | {"metadata": {APPROVAL: {**_details(question), **details}}}


def _details(question: Json) -> Json:
    details: Json = question["metadata"][APPROVAL]
    return details


def _is_old(question: Json, seconds: float | None) -> bool:
    """Whether the user was asked too long ago. Of earlier versions' questions, the time is unknown."""
    at = _details(question).get("at")
    return seconds is not None and at is not None and time.time() - at > seconds


def _needs(tool: Tool | None) -> bool:
    return isinstance(tool, Action) and tool.approval


def _answers_agent(input: RunInput, own: list[Json]) -> bool:
    properties = input.json.get("forwardedProps")
    command = properties.get("command") if isinstance(properties, dict) else None
    return bool(own) or (isinstance(command, dict) and "resume" in command)


def _without_answers(input: RunInput, own: list[Json], *, consumed: bool) -> RunInput:
    """Returns a request without the answers that are not for the agent."""
    if not consumed:
        return input
    properties = input.json.get("forwardedProps")
    if isinstance(properties, dict) and not own:
        # The same answer, in the older form.
        properties = {name: value for name, value in properties.items() if name != "command"}
    return input.replace(resume=own or None, forwardedProps=properties)


def _iterate_calls(messages: Iterable[Json]) -> Iterator[tuple[str, tuple[str, str]]]:
    for message in messages:
        for call in message.get("toolCalls") or ():
            function = call["function"]
            yield call["id"], (function["name"], function.get("arguments") or "")


def _calls(messages: Iterable[Json]) -> dict[str, tuple[str, str]]:
    """Returns the names and arguments of the calls in a conversation, by their ids."""
    return dict(_iterate_calls(messages))


def _open_calls(messages: Sequence[Json]) -> dict[str, tuple[str, str]]:
    """Returns the calls in a conversation that have no result."""
    answered = {message.get("toolCallId") for message in messages if message.get("role") == "tool"}
    return {id: call for id, call in _iterate_calls(messages) if id not in answered}


def _calls_to_approve(messages: Iterable[Json], tools: Mapping[str, Tool]) -> set[str]:
    """Returns the ids of the calls that need an approval, whether or not they wait for it."""
    return {id for id, call in _iterate_calls(messages) if _needs(tools.get(call[0]))}


def _says_something(sent: Sequence[Json], recorded: Sequence[Json]) -> bool:
    """Whether the user has written a message since the last run."""
    ids = ids_of(recorded)
    return any(message["role"] == "user" and message["id"] not in ids for message in sent)
