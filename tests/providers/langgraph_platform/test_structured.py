"""Structured output, as a server streams it: `model.with_structured_output(...)` is a model and a parser."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from copilotkit_runtime_py.providers.langgraph.repetition import Repetition
from copilotkit_runtime_py.providers.langgraph.visibility import INTERNAL
from copilotkit_runtime_py.providers.langgraph_platform.message_ids import MessageIds
from copilotkit_runtime_py.providers.langgraph_platform.parts import Parts

TASK = {"langgraph_checkpoint_ns": "decide:1", "langgraph_node": "decide"}
CALL = {"name": "Route", "args": '{"step":', "id": "c1", "index": 0, "type": "tool_call_chunk"}


class Run:
    """One run: what comes of it, and whether it shows."""

    def __init__(self) -> None:
        self.parts = Parts(MessageIds(None), Repetition())

    def feed(self, name: str, data: Any) -> list[tuple[Any, bool]]:
        found = self.parts.translate((name, orjson.dumps(data)))
        return [
            (message.content or message.tool_call_chunks[0]["name"], INTERNAL not in metadata)
            for _, mode, (message, metadata) in (each for each in found if each[1] == "messages")
        ]

    def starts(self, kind: str, name: str, run: str, step: int | None = None) -> list[tuple[Any, bool]]:
        tags = [f"seq:step:{step}"] if step is not None else ["map:key:raw"]
        around = ["graph", "node"] + ([] if name == "RunnableSequence" else ["sequence"])
        event = {
            "event": f"on_{kind}_start",
            "name": name,
            "run_id": run,
            "tags": tags,
            "parent_ids": around,
            "metadata": TASK,
        }
        return self.feed("events", event)

    def model(self, step: int) -> None:
        assert self.starts("chain", "RunnableSequence", "sequence", 1) == []
        assert self.starts("chat_model", "Model", "m1", step) == []

    def says(self, text: Any = "", id: str = "lc_run--m1", **fields: Any) -> list[tuple[Any, bool]]:
        chunk = {"type": "AIMessageChunk", "content": text, "id": id, "tool_call_chunks": [], **fields}
        return self.feed("messages", [chunk, TASK])

    def calls(self) -> list[tuple[Any, bool]]:
        return self.says(tool_call_chunks=[CALL])

    def ends(self) -> list[tuple[Any, bool]]:
        return self.feed("tasks", {"id": "1", "name": "decide", "result": {}, "interrupts": []})


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.mark.parametrize("parser", ["PydanticToolsParser", "JsonOutputKeyToolsParser"])
def test_a_tool_call_that_is_parsed_does_not_show(run: Run, parser: str) -> None:
    run.model(1)

    assert run.calls() == []
    assert run.starts("parser", parser, "p", 2) == [("Route", False)]
    assert run.says("late") == [("late", False)]


@pytest.mark.parametrize("id", ["lc_run--m1", "resp_1"])
@pytest.mark.parametrize(
    ("kind", "parser"),
    [("parser", "PydanticOutputParser"), ("parser", "JsonOutputParser"), ("chain", "RunnableLambda")],
)
def test_json_that_is_parsed_does_not_show(run: Run, kind: str, parser: str, id: str) -> None:
    run.model(2)

    assert [run.says(text, id) for text in ("``", "`json\n", "{}")] == [[], [], []]
    assert run.starts(kind, parser, "p", 3) == [("``", False), ("`json\n", False), ("{}", False)]


def test_a_model_whose_parsed_answer_is_wanted_raw_does_not_show(run: Run) -> None:
    assert run.starts("chat_model", "Model", "m1") == []
    assert run.says("text") == [("text", False)]


def test_text_shows_at_once(run: Run) -> None:
    run.model(1)

    assert run.says("Hi") == [("Hi", True)]
    assert run.says("{") == [("{", True)]
    assert run.starts("parser", "StrOutputParser", "p", 2) == []


def test_json_that_is_meant_as_text_shows_when_that_is_known(run: Run) -> None:
    run.model(1)

    assert run.says("{}") == []
    assert run.starts("parser", "StrOutputParser", "p", 2) == [("{}", True)]


def test_calls_of_a_model_with_a_function_behind_it_show_when_that_is_known(run: Run) -> None:
    run.model(1)

    assert run.calls() == []
    assert run.starts("chain", "RunnableLambda", "f", 2) == [("Route", True)]


def test_calls_of_a_model_behind_a_prompt_show_at_once(run: Run) -> None:
    run.model(2)

    assert run.calls() == [("Route", True)]


def test_reasoning_of_a_model_behind_a_prompt_shows_at_once(run: Run) -> None:
    run.model(2)

    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "index": 0}
    assert len(run.says([thought])) == 1


def test_what_nothing_follows_shows_at_the_end_of_the_task(run: Run) -> None:
    run.model(2)

    assert run.says("{}") == []
    assert run.ends() == [("{}", True)]


def test_what_nothing_follows_shows_before_the_next_model(run: Run) -> None:
    run.model(2)

    assert run.says("{}") == []
    assert run.starts("chat_model", "Model", "m2", 1) == [("{}", True)]


def test_the_answer_of_another_model_of_the_task_shows(run: Run) -> None:
    run.model(1)

    assert run.calls() == []
    assert run.says("{", "lc_run--m0") == [("{", True)]


def test_a_node_is_no_sequence(run: Run) -> None:
    assert run.starts("chat_model", "Model", "m1", 1) == []
    assert run.says("{") == [("{", True)]
