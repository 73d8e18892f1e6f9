"""State, persistence, and how a client's history and the flow's memory come together."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai.flow.flow import Flow, FlowState, start
from crewai.flow.persistence import SQLiteFlowPersistence, persist
from pydantic import Field

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.providers.emitted import collect, messages, of_type, snapshots, text_of

from .scripted import MARKS, ScriptedLLM, request, says, user

pytestmark = MARKS


def echo() -> ScriptedLLM:
    """Returns a model that says what it was asked, and how many messages it saw."""
    return ScriptedLLM(model="s", script=lambda seen: [f"{seen[-1]['content']} ({len(seen)})"])


def chat(model: ScriptedLLM) -> type[Flow[CopilotKitState]]:
    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            answer = await model.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": answer})

    return Chat


def contents(found: list[dict[str, Any]]) -> list[Any]:
    return [message["content"] for message in found]


async def test_the_clients_history_is_the_conversation() -> None:
    provider = CrewAIProvider(chat(echo()))

    first = await collect(provider, request(user("one", "u1")))
    events = await collect(provider, request(*messages(first), user("two", "u2")))

    assert contents(messages(events)) == ["one", "one (1)", "two", "two (3)"]
    assert messages(events)[:2] == messages(first)


async def test_the_frontends_own_instructions_are_left_out() -> None:
    model = echo()
    instructions = {"id": "s1", "role": "system", "content": "Be nice"}

    await collect(CrewAIProvider(chat(model)), request(instructions, user("hi")))

    assert [message["role"] for message in model.calls[0]] == ["user"]


async def test_images_reach_the_model_and_come_back() -> None:
    image = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
    model = says("nice")
    asked = {"id": "u1", "role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}

    events = await collect(CrewAIProvider(chat(model)), request(asked))

    assert model.calls[0][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
    ]
    assert messages(events)[0] == asked


class Basket(FlowState):
    messages: list[Any] = Field(default_factory=list)
    items: list[str] = Field(default_factory=list)
    secret: str = Field(default="hidden", exclude=True)


class Shop(Flow[Basket]):
    @start()
    def add(self) -> None:
        put_in_basket(self.state)


def put_in_basket(state: Basket) -> None:
    state.items.append(state.messages[-1]["content"])
    state.messages.append({"role": "assistant", "content": f"{len(state.items)} items"})


async def test_the_clients_state_is_the_flows_state() -> None:
    events = await collect(CrewAIProvider(Shop), request(user("milk"), state={"items": ["bread"]}))

    assert snapshots(events)[-1] == {"items": ["bread", "milk"]}


async def test_a_client_sees_and_sets_only_what_the_flow_declares_and_does_not_hide() -> None:
    seen: list[Any] = []

    class Looks(Flow[Basket]):
        @start()
        def look(self) -> None:
            seen.append((self.state.secret, self.state.id))

    sent = {"secret": "guessed", "id": "another chat", "unknown": 1, "items": []}
    events = await collect(CrewAIProvider(Looks), request(state=sent))

    assert seen == [("hidden", '["Looks","anonymous","t"]')]
    assert snapshots(events)[-1] == {"items": []}


def persisted(path: Path) -> CrewAIProvider:
    """Returns a shop that remembers its chats."""

    @persist(SQLiteFlowPersistence(str(path / "flows.db")))
    class Remembers(Flow[Basket]):
        @start()
        def add(self) -> None:
            put_in_basket(self.state)

    return CrewAIProvider(Remembers)


async def test_a_flow_with_persistence_remembers_its_state(tmp_path: Path) -> None:
    await collect(persisted(tmp_path), request(user("milk", "u1")))

    events = await collect(persisted(tmp_path), request(user("bread", "u2")))

    assert snapshots(events)[-1] == {"items": ["milk", "bread"]}
    assert contents(messages(events)) == ["milk", "1 items", "bread", "2 items"]


async def test_what_was_streamed_keeps_its_id_in_the_flows_memory(tmp_path: Path) -> None:
    provider = CrewAIProvider(persist(SQLiteFlowPersistence(str(tmp_path / "flows.db")))(chat(says("Hello"))))
    events = await collect(provider, request(user("hi")))

    snapshot = await provider.snapshot("t", RequestContext())

    assert snapshot is not None
    assert snapshot.messages == messages(events)
    assert snapshot.messages[-1]["id"] == of_type(events, "TEXT_MESSAGE_START")[0]["messageId"]


async def test_a_snapshot_has_what_the_flow_remembers(tmp_path: Path) -> None:
    events = await collect(persisted(tmp_path), request(user("milk")))

    snapshot = await persisted(tmp_path).snapshot("t", RequestContext())

    assert snapshot is not None
    assert (snapshot.state, snapshot.messages, snapshot.interrupts) == (
        {"items": ["milk"]},
        messages(events),
        [],
    )


async def test_there_is_no_snapshot_of_what_is_not_remembered(tmp_path: Path) -> None:
    provider = persisted(tmp_path)
    await collect(provider, request(user("milk")))
    await collect(CrewAIProvider(Shop), request(user("milk")))

    assert await provider.snapshot("another", RequestContext()) is None
    assert await provider.snapshot("t", RequestContext(owner="eve")) is None
    assert await CrewAIProvider(Shop).snapshot("t", RequestContext()) is None


async def test_chats_owners_and_flows_share_no_state(tmp_path: Path) -> None:
    store = SQLiteFlowPersistence(str(tmp_path / "flows.db"))

    @persist(store)
    class Other(Flow[Basket]):
        @start()
        def add(self) -> None:
            put_in_basket(self.state)

    await collect(persisted(tmp_path), request(user("milk")))

    for provider, input, context in [
        (persisted(tmp_path), request(user("bread"), thread="t2"), RequestContext()),
        (persisted(tmp_path), request(user("bread")), RequestContext(owner="eve")),
        (CrewAIProvider(Other), request(user("bread")), RequestContext()),
    ]:
        assert snapshots(await collect(provider, input, context))[-1] == {"items": ["bread"]}


async def test_a_question_that_is_edited_or_sent_again_is_answered_anew(tmp_path: Path) -> None:
    provider = CrewAIProvider(persist(SQLiteFlowPersistence(str(tmp_path / "flows.db")))(chat(echo())))
    first = await collect(provider, request(user("q0", "u0")))
    history = messages(await collect(provider, request(*messages(first), user("q1", "u1"))))

    again = await collect(provider, request(*history[:-1]))
    edited = await collect(provider, request(*history[:2], user("better", "u1")))

    assert contents(messages(again)) == ["q0", "q0 (1)", "q1", "q1 (3)"]
    assert contents(messages(edited)) == ["q0", "q0 (1)", "better", "better (3)"]


async def test_a_flow_without_messages_answers_and_the_history_is_kept() -> None:
    class Counts(Flow[dict[str, Any]]):
        @start()
        def count(self) -> str:
            return f"{len(self.state['messages'])} messages"

    provider = CrewAIProvider(Counts)
    first = await collect(provider, request(user("one", "u1")))

    events = await collect(provider, request(*messages(first), user("two", "u2")))

    assert text_of(events) == "3 messages"
