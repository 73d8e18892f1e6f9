"""Random runs: well-formed events of every kind in any order that AG-UI allows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.message_events import PARTS
from copilotkit_runtime_py.agui.reducer import Transcript

Event = dict[str, Any]

# Halves of a surrogate pair come apart, as some models send them.
_DELTAS = st.sampled_from(["a", "bc ", "é", "😀", "\ud83d", "\ude00", "\r\n", '"}'])
_VALUES: st.SearchStrategy[Any] = st.one_of(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=2))
_PATCHES: st.SearchStrategy[list[Event]] = st.sampled_from(
    [
        [{"op": "add", "path": "/n", "value": 1}],
        [{"op": "replace", "path": "/n", "value": {"deep": True}}],  # may not apply
        [{"op": "remove", "path": "/n"}],  # may not apply
    ]
)
_OPENS = {kind: (type, field) for type, (action, kind, field) in PARTS.items() if action == "open"}
_GROWS = {kind: type for type, (action, kind, _) in PARTS.items() if action == "grow"}
_CLOSES = {kind: type for type, (action, kind, _) in PARTS.items() if action == "close"}


@st.composite
def runs(draw: st.DrawFn, *, run_id: str = "r") -> list[Event]:
    """A whole run: RUN_STARTED comes first, one terminal event last, and nothing is open then.

    Args:
        run_id: the run's id, which the ids of its messages begin with.
    """
    asked = {"id": f"{run_id}-u", "role": "user", "content": "hi"}
    state = draw(st.dictionaries(st.sampled_from(["n", "k"]), _VALUES))
    log: list[Event] = [{**events.run_started("t", run_id), "input": {"messages": [asked], "state": state}}]
    writer = _Writer(draw, log, run_id)
    for _ in range(draw(st.integers(0, 25))):
        act = draw(st.sampled_from(writer.acts))
        act()
    writer.close_all()
    interrupt = {"id": f"{run_id}-i", "reason": "confirm", "message": "Sure?"}
    log.append(
        draw(
            st.sampled_from(
                [
                    events.run_finished("t", run_id),
                    events.run_finished("t", run_id, [interrupt]),
                    events.run_error("It failed.", "FAILED"),
                ]
            )
        )
    )
    return log


class _Writer:
    def __init__(self, draw: st.DrawFn, log: list[Event], run_id: str) -> None:
        self._draw = draw
        self._log = log
        self._run_id = run_id
        self._ids = 0
        self._open: list[tuple[str, str]] = []
        self._steps: list[str] = []
        self._calls: list[str] = []
        grow = [self._grow] * 6  # most of what agents send
        self.acts = [
            *grow,
            self._start,
            self._close,
            self._state,
            self._other,
            self._step,
            self._result,
            self._snapshot,
        ]

    def close_all(self) -> None:
        while self._open:
            self._close()
        while self._steps:
            self._log.append(events.step_finished(self._steps.pop()))

    def _id(self) -> str:
        self._ids += 1
        return f"{self._run_id}-{self._ids}"

    def _start(self) -> None:
        kind = self._draw(st.sampled_from(sorted(_OPENS)))
        type, field = _OPENS[kind]
        id = self._id()
        self._open.append((kind, id))
        event: Event = {"type": type, field: id}
        if type == "TOOL_CALL_START":
            self._calls.append(id)
            event["toolCallName"] = "look"
        else:
            event["role"] = "assistant" if type.startswith("TEXT") else "reasoning"
        self._log.append(event)

    def _grow(self) -> None:
        if not self._open:
            return self._start()
        kind, id = self._draw(st.sampled_from(self._open))
        self._log.append({"type": _GROWS[kind], _OPENS[kind][1]: id, "delta": self._draw(_DELTAS)})

    def _close(self) -> None:
        if self._open:
            kind, id = self._open.pop(self._draw(st.integers(0, len(self._open) - 1)))
            self._log.append({"type": _CLOSES[kind], _OPENS[kind][1]: id})

    def _result(self) -> None:
        if self._calls:
            call = self._calls.pop(0)
            self._log.append(events.tool_call_result(f"{call}-result", call, "found"))

    def _state(self) -> None:
        if self._draw(st.booleans()):
            self._log.append(events.state_snapshot({"n": self._draw(_VALUES)}))
        else:
            self._log.append(events.state_delta(self._draw(_PATCHES)))

    def _snapshot(self) -> None:
        transcript = Transcript([], {})
        for event in self._log:
            transcript.add(event)
        told = [message for message in transcript.result().messages if self._draw(st.booleans())]
        self._log.append(events.messages_snapshot(told))

    def _step(self) -> None:
        if self._draw(st.booleans()) and self._steps:
            self._log.append(events.step_finished(self._steps.pop()))
        else:
            name = self._id()
            self._steps.append(name)
            self._log.append(events.step_started(name))

    def _other(self) -> None:
        activity = {"messageId": self._id(), "activityType": "plan"}
        others: list[Event] = [
            events.custom("progress", {"at": self._ids}),
            events.custom("on_interrupt", "Sure?"),
            {"type": "RAW", "event": {"at": self._ids}},
            {"type": "ACTIVITY_SNAPSHOT", **activity, "content": {"steps": []}, "replace": True},
            {"type": "REASONING_START", "messageId": self._id()},
        ]
        self._log.append(self._draw(st.sampled_from(others)))
