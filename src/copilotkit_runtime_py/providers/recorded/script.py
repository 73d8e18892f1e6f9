"""The run of a recording that answers a request.

Nothing is stored about the progress of a thread: the conversation that a page sends says how far it is. So a
reload, a second thread, another worker and a repeated message need no special case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ag_ui.core import AssistantMessage, RunAgentInput, ToolMessage, UserMessage
from pydantic import BaseModel

from ...agui.call_ids import original
from ...agui.events import as_text
from ...agui.reducer import StateFold
from ...errors import AgentError
from ...logs.redaction import redact_json
from ...recording import RecordedRun, ThreadRecording

DEPARTED: Final = "RECORDING_DEPARTED"
"""The code of the RUN_ERROR for a request that the recording does not have."""

_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class _Step:
    """Something that the page sent while the recording was made.

    Attributes:
        run: the index of the run that followed.
        kind: `message`, `result` (of a tool call), `answer` (to interrupts), or `nothing`. `anything` stands
            for the input of a run that the recording does not have, such as one written by hand.
        value: the text or the answers, in the form in which they are compared.
        id: the id of the message in the recording.
        call_id: the tool call that a result is for.
    """

    run: int
    kind: str
    value: Any = None
    id: str = ""
    call_id: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "message":
                return f"the message {_quoted(self.value)}"
            case "result":
                return f"the tool result {_quoted(self.value)}"
            case "answer":
                return f"the answer {_quoted(self.value)} to an interrupt"
            case "anything":
                return "any message"
            case _:
                return "a run without a new message"

    def differs(self, given: _Step) -> bool:
        """Whether the recording has another value."""
        return self.kind != "anything" and self.value != given.value


@dataclass(frozen=True, slots=True)
class Scene:
    """What to play.

    Attributes:
        run: the run.
        state: the state on which the run's first patch builds, or None if it needs none.
        ids: the ids that the page uses for messages, by their ids in the recording.
        departures: one sentence for each answer of the page that differs from the recording.
    """

    run: RecordedRun
    state: Any
    ids: dict[str, str]
    departures: list[str] = field(default_factory=list)


class Script:
    """The steps of a recording.

    Args:
        recording: the recording.
    """

    def __init__(self, recording: ThreadRecording) -> None:
        self._runs = recording.runs
        self._steps = [step for number, run in enumerate(self._runs) for step in _steps(number, run)]
        self._made = [_made(run) for run in self._runs]
        self._bases = _bases(self._runs)
        self._server_calls = {
            original(event["toolCallId"])
            for run in self._runs
            for event in run.events
            if event["type"] == "TOOL_CALL_RESULT"
        }

    def follow(self, input: RunAgentInput) -> Scene:
        """Returns what to play.

        Raises:
            AgentError: the recording does not have what the page sent.
        """
        walk = _Walk(self._steps, self._made, self._server_calls)
        walk.through(input.messages)
        step, departures = walk.asked(input)
        return Scene(self._runs[step.run], self._bases[step.run], walk.ids, departures)


class _Walk:
    """The way through the steps that a conversation takes."""

    def __init__(self, steps: list[_Step], made: list[set[str]], server_calls: set[str]) -> None:
        self._steps = steps
        self._made = made
        self._server_calls = server_calls
        self._place = 0
        self._shown: set[str] = set()
        # The last message of the page, if no answer of the recording follows it.
        self._open: _Step | None = None
        self._unknown: _Step | None = None
        self._departures: list[str] = []
        self.ids: dict[str, str] = {}

    def through(self, messages: Iterable[Any]) -> None:
        messages = list(messages)
        self._shown = {id for message in messages for id in _ids(message)}
        for message in messages:
            if isinstance(message, UserMessage):
                self._take(_Step(-1, "message", _said(message.content), message.id))
            elif isinstance(message, ToolMessage):
                call_id = original(message.tool_call_id)
                if call_id not in self._server_calls:
                    self._take(_Step(-1, "result", _said(message.content), message.id, call_id))
            elif self._open is not None and self._made[self._open.run].intersection(_ids(message)):
                self._open = None

    def asked(self, input: RunAgentInput) -> tuple[_Step, list[str]]:
        """Returns the step that the request takes, and where it differs from the recording."""
        answer = _answer(input.model_dump(mode="json", by_alias=True, include={"resume", "forwarded_props"}))
        if answer is not None:
            self._skip_what_was_played()
            given = _Step(-1, "answer", answer)
            expected = self._expected()
            if expected is None or expected.kind not in ("answer", "anything"):
                raise self._departed(given)
            if expected.differs(given):
                self._departures.append(f"The recording has {expected}, and the page gave {given}.")
            return expected, self._departures
        if self._unknown is not None:
            raise self._departed(self._unknown)
        if self._open is not None:
            return self._open, self._departures
        self._skip_what_was_played()
        expected = self._expected()
        if expected is None or expected.kind not in ("nothing", "anything"):
            raise self._departed(_Step(-1, "nothing"))
        return expected, []

    def _take(self, given: _Step) -> None:
        """Goes on by what the page sent once."""
        self._departures = []
        if given.kind == "message":
            self._skip_what_was_played()
        place = self._place_of(given)
        if place is None:
            self._open, self._unknown = None, given
            return
        step = self._steps[place]
        self._place = max(self._place, place + 1)
        self._open, self._unknown = step, None
        self.ids[step.id] = given.id
        if step.differs(given):
            self._departures.append(f"The recording has {step}, and the page gave {given}.")

    def _place_of(self, given: _Step) -> int | None:
        expected = self._expected()
        if expected is not None and expected.kind == "anything":
            return self._place
        if given.kind == "message":
            fits = expected is not None and expected.kind == "message" and not expected.differs(given)
            return self._place if fits else None
        # The results of parallel calls come in any order.
        waiting = self._open.run if self._open is not None else None
        for place, step in enumerate(self._steps):
            if step.call_id == given.call_id and (place >= self._place or step.run == waiting):
                return place
        return None

    def _skip_what_was_played(self) -> None:
        """Goes past runs that left no message of the page in the conversation, such as those of answers."""
        while (step := self._expected()) is not None and step.kind in ("answer", "nothing"):
            if self._made[step.run].isdisjoint(self._shown):
                return
            self._place += 1

    def _expected(self) -> _Step | None:
        return self._steps[self._place] if self._place < len(self._steps) else None

    def _departed(self, given: _Step) -> AgentError:
        expected = self._expected()
        goes_on = "is over" if expected is None else f"continues with {expected}"
        return AgentError(f"The recording {goes_on}; the page sent {given}.", DEPARTED)


def _steps(number: int, run: RecordedRun) -> list[_Step]:
    answer = _answer(run.input)
    if answer is not None:
        return [_Step(number, "answer", answer)]
    steps = []
    for message in run.input.get("messages") or ():
        if message["role"] == "user":
            steps.append(_Step(number, "message", _said(message.get("content")), message["id"]))
        elif message["role"] == "tool":
            call_id = original(message["toolCallId"])
            steps.append(_Step(number, "result", _said(message.get("content")), message["id"], call_id))
    return steps or [_Step(number, "nothing" if "input" in run.events[0] else "anything")]


def _answer(input: dict[str, Any]) -> list[Any] | None:
    """Returns the answers to interrupts that an input brings, or None."""
    if input.get("resume"):
        return [
            _value(entry.get("payload")) if entry.get("status") != "cancelled" else "(cancelled)"
            for entry in input["resume"]
        ]
    properties = input.get("forwardedProps")
    command = properties.get("command") if isinstance(properties, dict) else None
    if isinstance(command, dict) and "resume" in command:
        return [_value(command["resume"])]
    return None


def _value(value: Any) -> Any:
    """Returns a value in the form in which it is compared: clients send some as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = " ".join(value.split())
    # A recording holds no credentials.
    return redact_json(value)


def _said(content: Any) -> Any:
    """Returns the text of a message, without what depends on how it was typed."""
    if isinstance(content, list):
        parts = [part.model_dump() if isinstance(part, BaseModel) else part for part in content]
        content = " ".join(part["text"] for part in parts if part.get("type") == "text")
    return _value(content or "")


def _quoted(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = as_text(value)
    return f"“{text[: _LONGEST - 1]}…”" if len(text) > _LONGEST else f"“{text}”"


def _ids(message: Any) -> set[str]:
    """Returns the ids by which the answers of an agent are recognised in a conversation."""
    if isinstance(message, AssistantMessage):
        return {message.id, *(original(call.id) for call in message.tool_calls or ())}
    if isinstance(message, UserMessage):
        return set()
    return {message.id}


def _made(run: RecordedRun) -> set[str]:
    """Returns the ids of what a run added to the conversation."""
    made: set[str] = set()
    for event in run.events:
        if event["type"] in ("TEXT_MESSAGE_START", "TOOL_CALL_RESULT", "REASONING_MESSAGE_START"):
            made.add(event["messageId"])
        elif event["type"] == "TOOL_CALL_START":
            made.add(original(event["toolCallId"]))
    return made


def _bases(runs: list[RecordedRun]) -> list[Any]:
    """Returns the state on which the first patch of each run builds, or None where none is needed."""
    bases: list[Any] = []
    state: Any = {}
    for run in runs:
        fold = StateFold(run.input.get("state", state))
        base, first = fold.value, ""
        for event in run.events:
            if event["type"] in ("STATE_SNAPSHOT", "STATE_DELTA"):
                first = first or event["type"]
                fold.add(event)
        state = fold.value
        bases.append(base if first == "STATE_DELTA" else None)
    return bases
