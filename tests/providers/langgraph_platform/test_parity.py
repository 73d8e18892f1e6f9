"""A graph on a server emits what it emits in this process."""

from __future__ import annotations

import re
import uuid
from typing import Any

import orjson
import pytest
from ag_ui.core import RunAgentInput
from langgraph.checkpoint.memory import InMemorySaver

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.base import Provider
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from copilotkit_runtime_py.providers.langgraph.subagents import SubagentMode
from copilotkit_runtime_py.providers.langgraph_platform.provider import LangGraphPlatform
from tests.langgraph_server import LangGraphDev
from tests.providers.langgraph.scripted import request, user

from . import graphs

pytestmark = [pytest.mark.anyio, pytest.mark.processes]

_GENERATED = re.compile(
    r"lc_run--[0-9a-f-]{36}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b"
)
TOOL = {"name": "paint", "description": "Paints", "parameters": {"type": "object", "properties": {}}}

Turn = dict[str, Any]


def said(text: str, **fields: Any) -> Turn:
    """A message of the user's that follows whatever the conversation has."""
    return {"text": text, "fields": fields}


def answered(*answers: Any, **fields: Any) -> Turn:
    """Answers to the interrupts that are open."""
    return {"answers": answers, "fields": fields}


CONVERSATIONS: dict[str, tuple[str, list[Turn]]] = {
    "text, state and steps": ("chat", [said("a"), said("b")]),
    "a state that the page changed": ("chat", [said("a"), said("b", state={"note": "mine", "steps": ["x"]})]),
    "a message sent again": ("chat", [said("a"), said("b"), {"again": "u0"}]),
    "an edited message": ("chat", [said("a"), said("b"), {"again": "u0", "text": "A"}]),
    "two questions in turn": ("questions", [said("a"), answered("Bob"), answered(42)]),
    "two questions at once": ("parallel_questions", [said("a"), answered("l", "r")]),
    "two questions at once, answered in turn": (
        "parallel_questions",
        [said("a"), answered("l", state={"note": "1"}), answered("r"), said("b")],
    ),
    "tools of the graph": ("tools", [said("a")]),
    "tools of the page": (
        "page_tools",
        [said("a", tools=[TOOL]), {"result": "done", "fields": {"tools": [TOOL]}}],
    ),
    "context and properties": (
        "request_seen",
        [
            said(
                "a",
                context=[{"description": "d", "value": "v"}],
                forwardedProps={"color": "red", "config": {"configurable": {"color": "blue"}}},
            )
        ],
    ),
    "custom events": ("emits", [said("a")]),
    "reasoning": ("reasons", [said("a")]),
    "subgraphs": ("subgraphs", [said("a"), said("b")]),
}


@pytest.mark.parametrize("mode", ["inline", "attributed", "hidden"])
@pytest.mark.parametrize(
    ("graph", "turns"),
    [("subagents", [said("a"), said("b")]), ("subagent_asks", [said("a"), answered("yes"), said("b")])],
)
async def test_subagents_are_the_same_on_a_server(
    server: LangGraphDev, graph: str, turns: list[Turn], mode: SubagentMode
) -> None:
    local = getattr(graphs, graph).copy(update={"checkpointer": InMemorySaver()})
    there = LangGraphPlatform(server.url, graph=graph, subagents=mode)

    expected = await play(LangGraphProvider(local, subagents=mode), turns)
    found = await play(there, turns)
    await there.aclose()

    assert found == expected
    assert ("'Found'" in repr(found) or "'I am sure.'" in repr(found)) is (mode != "hidden")
    assert ("SUBAGENT_STARTED" in repr(found)) is (mode == "attributed")


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_conversation_is_the_same_on_a_server(server: LangGraphDev, name: str) -> None:
    graph, turns = CONVERSATIONS[name]
    here = LangGraphProvider(getattr(graphs, graph).copy(update={"checkpointer": InMemorySaver()}))
    there = LangGraphPlatform(server.url, graph=graph)

    expected, found = await play(here, turns), await play(there, turns)
    await there.aclose()

    for number, (mine, its) in enumerate(zip(expected, found, strict=True)):
        assert its == mine, f"turn {number}"


async def test_what_a_page_changes_with_a_later_answer_reaches_the_next_run(server: LangGraphDev) -> None:
    provider = LangGraphPlatform(server.url, graph="parallel_questions")
    first, second = answered("l", state={"note": "1"}), answered("r", state={"note": "2"})

    turns = await play(provider, [said("a"), first, second, said("b")])
    await provider.aclose()

    shown = [
        [event["snapshot"]["note"] for event in turn if event["type"] == "STATE_SNAPSHOT"]
        for turn in turns[1:4]
    ]
    assert [notes[-1] for notes in shown] == ["1", "2", "2"]
    assert turns[-1][0]["state"]["note"] == "2"


async def play(provider: Provider, turns: list[Turn]) -> list[list[Event]]:
    """Has a conversation on a new thread. Returns the events of each turn, and the snapshot at the end."""
    page = _Page(f"thread {uuid.uuid4()}")
    for number, turn in enumerate(turns):
        sent = page.request(number, turn)
        page.take([event async for event in provider.run(sent, RequestContext(properties={"p": 1}))])
    snapshot = await provider.snapshot(page.thread, RequestContext())
    assert snapshot is not None
    left = {"state": snapshot.state, "messages": snapshot.messages, "interrupts": snapshot.interrupts}
    return _named([*page.turns, [left]])


class _Page:
    """What a page knows of its thread."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.turns: list[list[Event]] = []
        self._messages: list[dict[str, Any]] = []
        self._state: Any = {}
        self._interrupts: list[dict[str, Any]] = []

    def request(self, number: int, turn: Turn) -> RunAgentInput:
        fields = {"state": self._state, **turn.get("fields", {})}
        if isinstance(self._state, dict) and "state" in turn.get("fields", {}):
            fields["state"] = {**self._state, **turn["fields"]["state"]}
        if "again" in turn:
            place = [message["id"] for message in self._messages].index(turn["again"])
            del self._messages[place + 1 :]
            if "text" in turn:
                self._messages[place] = user(turn["text"], turn["again"])
        elif "text" in turn:
            self._messages.append(user(turn["text"], f"u{number}"))
        elif "answers" in turn:
            asked = self._interrupts[: len(turn["answers"])]
            fields["resume"] = [
                {"interruptId": interrupt["id"], "status": "resolved", "payload": answer}
                for interrupt, answer in zip(asked, turn["answers"], strict=True)
            ]
        else:
            call = self._messages[-1]["toolCalls"][0]["id"]
            result = {"id": f"r{number}", "role": "tool", "toolCallId": call, "content": turn["result"]}
            self._messages.append(result)
        return request(*self._messages, thread=self.thread, run=f"run {number}", **fields)

    def take(self, events: list[Event]) -> None:
        self.turns.append(events)
        for event in events:
            if event["type"] == "MESSAGES_SNAPSHOT":
                self._messages = [dict(message) for message in event["messages"]]
            elif event["type"] == "STATE_SNAPSHOT":
                self._state = event["snapshot"]
        self._interrupts = (events[-1].get("outcome") or {}).get("interrupts", [])


def _named(turns: list[list[Event]]) -> list[list[Event]]:
    """Returns events with the ids that were generated numbered in the order of their appearance."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"#{len(names)}")

    text = _GENERATED.sub(name, orjson.dumps(turns).decode())
    result: list[list[Event]] = orjson.loads(text)
    return result
