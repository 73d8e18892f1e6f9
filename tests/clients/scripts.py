"""Random agent scripts, the same ones for the same seed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from tests.scripted_agent import RUN_FINISHED, RUN_STARTED, Step

WORDS = ["the ", "quick ", "brown\n", "fox", " jumps ", "übér ", "🦊", '"quoted" ', "\\", "\r\n", "---", "0"]
SETTLED = 25
"""Milliseconds before an error, so that the reference runtime has sent what came before it."""


class Writer:
    """Writes a script: a run of well-formed events in a random order, which may break off."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._steps: list[Step] = [RUN_STARTED]
        self._ids = 0
        self._calls: dict[str, str] = {}
        self._state: Any = None

    def script(self) -> list[Step]:
        acts: list[Callable[[], None]] = [
            self._text, self._call, self._interleaved, self._result, self._snapshot, self._patch,
            self._step, self._interrupt, self._ignored, self._chunks,
        ]  # fmt: skip
        for _ in range(self._random.randint(1, 9)):
            self._random.choice(acts)()
        if self._random.random() < 0.2:
            self._break_off()
        else:
            self._steps.append(RUN_FINISHED)
        return self._steps

    def _add(self, type: str, **fields: Any) -> None:
        step: Step = {"event": {"type": type, **fields}}
        if self._random.random() < 0.3:
            step["delay"] = self._random.choice([1, 2, 5])
        self._steps.append(step)

    def _id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}{self._ids}"

    def _deltas(self) -> list[str]:
        return [self._random.choice(WORDS) for _ in range(self._random.randint(0, 6))]

    def _text_events(self) -> list[tuple[str, dict[str, Any]]]:
        id = self._id("m")
        deltas = [("TEXT_MESSAGE_CONTENT", {"messageId": id, "delta": delta}) for delta in self._deltas()]
        start = ("TEXT_MESSAGE_START", {"messageId": id, "role": "assistant"})
        return [start, *deltas, ("TEXT_MESSAGE_END", {"messageId": id})]

    def _call_events(self) -> list[tuple[str, dict[str, Any]]]:
        id, name = self._id("c"), self._random.choice(["setColor", "search"])
        self._calls[id] = name
        arguments = json.dumps({"q": "".join(self._deltas()), "n": self._random.randint(0, 9)})
        cut = self._random.randint(1, len(arguments) - 1)
        parent = {"parentMessageId": "m0"} if self._random.random() < 0.5 else {}
        return [
            ("TOOL_CALL_START", {"toolCallId": id, "toolCallName": name, **parent}),
            ("TOOL_CALL_ARGS", {"toolCallId": id, "delta": arguments[:cut]}),
            ("TOOL_CALL_ARGS", {"toolCallId": id, "delta": arguments[cut:]}),
            ("TOOL_CALL_END", {"toolCallId": id}),
        ]

    def _text(self) -> None:
        for type, fields in self._text_events():
            self._add(type, **fields)

    def _call(self) -> None:
        for type, fields in self._call_events():
            self._add(type, **fields)

    def _interleaved(self) -> None:
        sources = [self._text_events(), self._call_events()]
        while sources:
            source = self._random.choice(sources)
            type, fields = source.pop(0)
            self._add(type, **fields)
            if not source:
                sources.remove(source)

    def _result(self) -> None:
        if self._calls:
            id = self._random.choice(list(self._calls))
            del self._calls[id]
            self._add("TOOL_CALL_RESULT", messageId=self._id("r"), toolCallId=id, content="done", role="tool")

    def _snapshot(self) -> None:
        self._state = {"count": self._random.randint(0, 9), "items": self._deltas()}
        self._add("STATE_SNAPSHOT", snapshot=copy.deepcopy(self._state))

    def _patch(self) -> None:
        if self._state is not None:
            item = {"op": "add", "path": "/items/-", "value": {"x": self._random.randint(0, 9)}}
            self._add("STATE_DELTA", delta=[{"op": "replace", "path": "/count", "value": 1}, item])

    def _step(self) -> None:
        name = self._id("node")
        self._add("STEP_STARTED", stepName=name)
        self._random.choice([self._text, self._snapshot, self._call])()
        self._add("STEP_FINISHED", stepName=name)

    def _interrupt(self) -> None:
        name = self._random.choice(["on_interrupt", "LangGraphInterruptEvent"])
        self._add("CUSTOM", name=name, value="".join(["May I? ", *self._deltas()]))

    def _ignored(self) -> None:
        if self._random.random() < 0.5:
            self._add("CUSTOM", name="progress", value={"percent": 10})
        else:
            self._add("RAW", event={"any": ["thing"]})

    def _chunks(self) -> None:
        id = self._id("m")
        for delta in ["chunked ", *self._deltas()]:
            self._add("TEXT_MESSAGE_CHUNK", messageId=id, role="assistant", delta=delta)
        id = self._id("c")
        self._add("TOOL_CALL_CHUNK", toolCallId=id, toolCallName="search", delta='{"q":')
        self._add("TOOL_CALL_CHUNK", toolCallId=id, delta="1}")

    def _break_off(self) -> None:
        events = self._random.choice([self._text_events, self._call_events])()
        for type, fields in events[: self._random.randint(1, len(events) - 1)]:
            self._add(type, **fields)
        error = {"type": "RUN_ERROR", "message": "the model is away"}
        self._steps.append({"event": error, "delay": SETTLED})


def random_script(seed: int) -> list[Step]:
    """The script of a seed."""
    return Writer(seed).script()
