"""What CrewAI remembers, which it does under names that all chats have in common."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, start
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord
from crewai.memory.unified_memory import Memory

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from copilotkit_runtime_py.providers.crewai.chat_storage import CHAT, ChatStorage
from tests.providers.emitted import collect

from .scripted import MARKS, ScriptedLLM, request, says, user

pytestmark = MARKS

HERE = RequestContext()


def embedded(texts: list[str]) -> list[list[float]]:
    return [[1.0, float(len(text))] for text in texts]


def memory(path: Path) -> Memory:
    return Memory(storage=str(path / "memory"), embedder=embedded, llm=says("{}"))


def noting(prompts: list[str]) -> ScriptedLLM:
    """Returns a model that notes what it is sent, but for what its memory asks it."""

    def script(messages: list[dict[str, Any]]) -> list[str]:
        text = "\n".join(str(message["content"]) for message in messages)
        if "Current Task" in text or "You are Writer" in text:
            prompts.append(text)
        return ["Noted."]

    return ScriptedLLM(model="scripted", script=script)


async def chats(provider: CrewAIProvider) -> None:
    """Says a name in one chat, and asks for it in others and then in the first."""
    await collect(provider, request(user("My name is Ada"), thread="t1"), HERE)
    await collect(provider, request(user("Who am I?"), thread="t2"), HERE)
    await collect(provider, request(user("Who am I?"), thread="t1"), RequestContext(owner="eve"))
    await collect(provider, request(user("Who am I?"), thread="t1"), HERE)


async def test_chats_of_a_flow_share_no_memory(tmp_path: Path) -> None:
    recalled: list[Any] = []

    class Remembers(Flow[CopilotKitState]):
        @start()
        def work(self) -> None:
            recalled.append([match.record.content for match in self.recall("name", depth="shallow")])
            self.remember(self.state.messages[-1]["content"], scope="/", categories=["x"], importance=0.5)

    await chats(CrewAIProvider(Remembers(memory=memory(tmp_path))))

    assert recalled == [[], [], [], ["My name is Ada"]]


async def test_chats_of_a_crew_share_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crewai.rag.embeddings.factory.build_embedder", lambda spec: embedded)
    prompts: list[str] = []
    agent = Agent(role="Writer", goal="Write", backstory="You write.", llm=noting(prompts))
    task = Task(description="{user_message}", expected_output="text", agent=agent)
    embedder: Any = {"provider": "openai", "config": {}}

    await chats(CrewAIProvider(Crew(agents=[agent], tasks=[task], memory=True, embedder=embedder)))

    assert ["Ada" in prompt for prompt in prompts] == [True, False, False, True]


async def test_chats_of_an_agent_within_a_flow_share_no_memory(tmp_path: Path) -> None:
    prompts: list[str] = []
    remembered = memory(tmp_path)

    class Asks(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            agent = Agent(
                role="Writer", goal="Write", backstory="You write.", llm=noting(prompts), memory=remembered
            )
            await agent.kickoff_async(self.state.messages[-1]["content"])

    await chats(CrewAIProvider(Asks))

    assert ["Ada" in prompt for prompt in prompts] == [True, False, False, True]


async def test_a_scope_that_the_user_has_made_is_shared(tmp_path: Path) -> None:
    recalled: list[Any] = []
    shared = memory(tmp_path).scope("/mine")

    class Remembers(Flow[CopilotKitState]):
        @start()
        def work(self) -> None:
            recalled.append([match.record.content for match in self.recall("name", depth="shallow")])
            self.remember("a fact", categories=["x"], importance=0.5)

    provider = CrewAIProvider(Remembers(memory=shared))
    for thread in ("t1", "t2"):
        await collect(provider, request(user("hi"), thread=thread))

    assert recalled == [[], ["a fact"]]


@pytest.fixture
def storage_of_two_chats(tmp_path: Path) -> Iterator[ChatStorage]:
    """A storage with a record outside of chats and one in each of two, the second of which is current."""
    storage = ChatStorage(LanceDBStorage(path=str(tmp_path / "memory"), vector_dim=2))
    storage.save([record("outside")])
    for chat in ("/chat/one", "/chat/two"):
        CHAT.set(chat)
        storage.save([record(chat, scope="/topic", categories=[chat])])
    yield storage
    CHAT.set(None)


def record(content: str, **fields: Any) -> MemoryRecord:
    return MemoryRecord(id=content, content=content, embedding=[1.0, 1.0], **fields)


@pytest.mark.parametrize("scope", [None, "/", "/topic", "topic"])
async def test_a_chat_finds_only_what_is_its_own(storage_of_two_chats: ChatStorage, scope: Any) -> None:
    storage = storage_of_two_chats

    assert [found.content for found, _ in storage.search([1.0, 1.0], scope)] == ["/chat/two"]
    assert [found.content for found, _ in await storage.asearch([1.0, 1.0], scope)] == ["/chat/two"]
    assert [(found.content, found.scope) for found in storage.list_records(scope)] == [
        ("/chat/two", "/topic")
    ]
    assert storage.list_categories(scope) == {"/chat/two": 1}


@pytest.mark.parametrize("scope", ["/chat/one", "/chat/one/topic", "/../one", "//chat/one"])
def test_no_scope_leads_out_of_the_chat(storage_of_two_chats: ChatStorage, scope: str) -> None:
    storage = storage_of_two_chats

    assert storage.search([1.0, 1.0], scope) == []
    assert storage.list_records(scope) == []
    assert storage.list_scopes(scope) == []
    assert storage.get_scope_info(scope).record_count == 0


def test_a_chat_sees_its_scopes_from_its_own_root(storage_of_two_chats: ChatStorage) -> None:
    storage = storage_of_two_chats
    info = storage.get_scope_info("/")

    assert (info.path, info.child_scopes, storage.list_scopes()) == ("/", ["/topic"], ["/topic"])


def test_a_chat_reads_and_changes_records_of_its_own_only(storage_of_two_chats: ChatStorage) -> None:
    storage = storage_of_two_chats
    mine = storage.get_record("/chat/two")
    assert mine is not None
    storage.update(mine.model_copy(update={"content": "changed"}))

    assert [storage.get_record(id) for id in ("outside", "/chat/one")] == [None, None]
    assert [(found.content, found.scope) for found in storage.list_records()] == [("changed", "/topic")]


def test_what_a_chat_forgets_the_others_still_know(storage_of_two_chats: ChatStorage) -> None:
    storage = storage_of_two_chats
    storage.reset()
    CHAT.set("/chat/one")

    assert [found.content for found in storage.list_records()] == ["/chat/one"]
