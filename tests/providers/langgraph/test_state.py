import operator
import typing
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
import typing_extensions
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, Field

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, of_type, snapshots

from .scripted import calling, in_turn, request, says, user

pytestmark = pytest.mark.anyio


class StdlibState(typing.TypedDict):
    n: int
    log: Annotated[list[str], operator.add]


class ExtensionsState(typing_extensions.TypedDict):
    n: int
    log: Annotated[list[str], operator.add]


@dataclass
class DataclassState:
    n: int = 0
    log: Annotated[list[str], operator.add] = field(default_factory=list)


class ModelState(BaseModel):
    n: int = 0
    log: Annotated[list[str], operator.add] = Field(default_factory=list)


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["stateless", "checkpointer"])
@pytest.mark.parametrize("schema", [StdlibState, ExtensionsState, DataclassState, ModelState])
async def test_any_way_to_declare_state_works(schema: Any, saver: Any) -> None:
    def work(state: Any) -> dict[str, Any]:
        n = state["n"] if isinstance(state, dict) else state.n
        return {"n": n + 1, "log": [f"was {n}"]}

    builder = StateGraph(schema)
    builder.add_node("work", work)
    builder.add_edge(START, "work")
    provider = LangGraphProvider(builder.compile(checkpointer=saver))

    events = await collect(provider, request(state={"n": 6, "log": []}, thread=schema.__name__))

    assert snapshots(events) == [{"n": 7, "log": ["was 6"]}] * 2


def chain(schema: Any, **nodes: Any) -> StateGraph[Any, Any, Any, Any]:
    builder = StateGraph(schema)
    builder.add_sequence(list(nodes.items()))
    builder.add_edge(START, next(iter(nodes)))
    return builder


async def test_snapshots_at_node_exits_show_the_state_after_its_reducers() -> None:
    builder = chain(
        StdlibState, a=lambda s: {"log": ["a"]}, b=lambda s: {"log": ["b"]}, c=lambda s: {"log": ["c"]}
    )

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert [snapshot["log"] for snapshot in snapshots(events)] == [
        ["a"],
        ["a", "b"],
        ["a", "b", "c"],
        ["a", "b", "c"],
    ]


async def test_a_node_exit_shows_its_state_before_the_step_finishes() -> None:
    events = await collect(LangGraphProvider(chain(StdlibState, a=lambda s: {"n": 1}).compile()), request())

    assert [event["type"] for event in events[1:4]] == ["STEP_STARTED", "STATE_SNAPSHOT", "STEP_FINISHED"]


class FullState(MessagesState):
    items: list[str]
    copilotkit: dict[str, Any]


async def test_a_snapshot_holds_neither_messages_nor_what_the_frontend_sent_itself() -> None:
    builder = chain(FullState, a=lambda s: {"items": ["x"]})

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert snapshots(events) == [{"items": ["x"]}, {"items": ["x"]}]


class Public(typing.TypedDict):
    shown: int


class Private(Public):
    secret: int


async def test_channels_outside_the_output_schema_stay_on_the_server() -> None:
    builder = StateGraph(Private, output_schema=Public)
    builder.add_node("a", lambda s: {"shown": 1, "secret": 2})
    builder.add_edge(START, "a")

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert snapshots(events) == [{"shown": 1}, {"shown": 1}]


async def test_state_without_a_json_form_is_sent_as_text() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    builder = chain(StdlibState, a=lambda s: {"n": {"when": Odd(), "nan": float("nan"), "b": b"\xff"}})

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert snapshots(events)[-1] == {"n": {"when": "odd", "nan": None, "b": "_w=="}, "log": []}


# From the client


async def test_the_clients_state_reaches_declared_input_channels_only() -> None:
    seen: list[Any] = []

    def look(state: Any) -> dict[str, Any]:
        seen.append(dict(state))
        return {}

    provider = LangGraphProvider(chain(FullState, look=look).compile())
    state = {"items": ["x"], "unknown": 1, "messages": ["forged"]}

    await collect(provider, request(user("hi", "u1"), state=state))

    assert seen[0].keys() == {"messages", "items", "copilotkit"}
    assert seen[0]["items"] == ["x"]
    assert [message.content for message in seen[0]["messages"]] == ["hi"]


@pytest.mark.parametrize("schema", [StdlibState, DataclassState, ModelState])
async def test_state_that_the_client_echoes_is_not_added_to_itself(schema: Any) -> None:
    provider = LangGraphProvider(
        chain(schema, a=lambda s: {"log": ["a"]}).compile(checkpointer=InMemorySaver())
    )

    first = snapshots(await collect(provider, request()))[-1]
    second = snapshots(await collect(provider, request(state=first)))[-1]
    third = snapshots(await collect(provider, request(state={"log": ["mine"]})))[-1]

    assert [first["log"], second["log"], third["log"]] == [["a"], ["a", "a"], ["mine", "a"]]


class Item(BaseModel):
    name: str


class Typed(typing.TypedDict):
    item: Item


async def test_an_object_in_the_state_keeps_its_type_when_the_client_echoes_it() -> None:
    types: list[type] = []

    def look(state: Typed) -> dict[str, Any]:
        types.append(type(state.get("item")))
        return {"item": Item(name="chair")}

    saver = InMemorySaver()
    provider = LangGraphProvider(chain(Typed, look=look).compile(checkpointer=saver))

    state = snapshots(await collect(provider, request()))[-1]
    await collect(provider, request(state=state))

    assert state == {"item": {"name": "chair"}}
    assert types[1] is Item


async def test_the_callers_input_is_left_as_it_was() -> None:
    provider = LangGraphProvider(
        chain(FullState, a=lambda s: {"items": [*s.get("items", []), "y"]}).compile()
    )
    input = request(user("hi", "u1"), state={"items": ["x"]}, forwardedProps={"config": {"tags": ["t"]}})
    before = input.model_copy(deep=True)

    await collect(provider, input)

    assert input == before


async def test_forwarded_properties_do_not_become_channels() -> None:
    provider = LangGraphProvider(chain(StdlibState, a=lambda s: {"n": 1}).compile())

    events = await collect(provider, request(forwardedProps={"log": ["INJECTED"]}))

    assert snapshots(events)[-1] == {"n": 1, "log": []}


async def test_the_frontends_tools_and_context_are_in_the_state() -> None:
    seen: list[Any] = []

    class WithTools(MessagesState):
        copilotkit: dict[str, Any]
        tools: list[Any]

    WithTools.__annotations__["ag-ui"] = dict[str, Any]

    def look(state: Any) -> dict[str, Any]:
        seen.append({key: state[key] for key in ("copilotkit", "ag-ui", "tools")})
        return {}

    tool = {"name": "paint", "description": "Paints", "parameters": {"type": "object"}}
    fact = {"description": "user", "value": "Ada"}
    provider = LangGraphProvider(chain(WithTools, look=look).compile())

    await collect(provider, request(user("hi", "u1"), tools=[tool], context=[fact]))

    assert seen == [
        {
            "copilotkit": {"actions": [tool], "context": [fact]},
            "ag-ui": {"tools": [tool], "context": [fact]},
            "tools": [tool],
        }
    ]


@pytest.mark.parametrize("checkpointer", [None, InMemorySaver()])
async def test_a_page_without_tools_offers_none_whatever_an_earlier_page_offered(checkpointer: Any) -> None:
    class State(MessagesState):
        tools: list[Any]
        copilotkit: dict[str, Any]

    seen: list[Any] = []

    def look(state: State) -> dict[str, Any]:
        seen.append((state["tools"], state["copilotkit"]))
        return {}

    provider = LangGraphProvider(
        StateGraph(State).add_node("look", look).add_edge(START, "look").compile(checkpointer=checkpointer)
    )
    tool = {"name": "f", "description": "", "parameters": {}}
    fact = {"description": "now", "value": "noon"}
    echoed = {"tools": [tool], "copilotkit": {"actions": [tool], "context": []}}

    await collect(provider, request(user("hi", "u1")))
    await collect(provider, request(user("hi", "u1"), user("hi", "u2"), tools=[tool], context=[fact]))
    events = await collect(
        provider, request(*(user("hi", f"u{index}") for index in range(1, 4)), state=echoed)
    )

    nothing: dict[str, Any] = {"actions": [], "context": []}
    assert seen == [([], nothing), ([tool], {"actions": [tool], "context": [fact]}), ([], nothing)]
    assert snapshots(events)[-1] == {}


async def test_tools_replace_what_a_channel_with_a_reducer_holds() -> None:
    class State(MessagesState):
        tools: Annotated[list[Any], operator.add]

    seen: list[Any] = []

    def look(state: State) -> dict[str, Any]:
        seen.append(state["tools"])
        return {}

    builder = StateGraph(State).add_node("look", look).add_edge(START, "look")
    provider = LangGraphProvider(builder.compile(checkpointer=InMemorySaver()))
    tool = {"name": "f", "description": "", "parameters": {}}

    await collect(provider, request(user("hi", "u1"), tools=[tool]))
    await collect(provider, request(user("hi", "u1"), user("hi", "u2"), tools=[tool]))

    assert seen == [[tool], [tool]]


async def test_the_graphs_own_entries_beside_the_frontends_tools_are_kept() -> None:
    seen: list[Any] = []

    def look(state: Any) -> dict[str, Any]:
        seen.append(state["copilotkit"])
        return {"copilotkit": {**state["copilotkit"], "mine": 1}}

    provider = LangGraphProvider(chain(FullState, look=look).compile(checkpointer=InMemorySaver()))

    await collect(provider, request())
    await collect(provider, request())

    assert seen[1] == {"actions": [], "context": [], "mine": 1}


# In the making


class Document(MessagesState):
    document: str


PREDICT = [{"state_key": "document", "tool": "write", "tool_argument": "text"}]


def writing(model: Any, key: str = "copilotkit:emit-intermediate-state") -> StateGraph[Any, Any, Any, Any]:
    async def chat(state: Document) -> dict[str, Any]:
        answer = await model.ainvoke(state["messages"], {"metadata": {key: PREDICT}})
        return {"messages": [answer]}

    async def wait(state: Document) -> dict[str, Any]:
        return {}

    async def write(state: Document) -> dict[str, Any]:
        return {"document": "final draft"}

    return chain(Document, chat=chat, wait=wait, write=write)


@pytest.mark.parametrize("key", ["copilotkit:emit-intermediate-state", "predict_state"])
async def test_a_predicted_state_is_announced_before_the_call_that_foretells_it(key: str) -> None:
    model = says(*calling("c1", "write", '{"text": "dra', 'ft"}'))

    events = await collect(LangGraphProvider(writing(model, key).compile()), request(user("go", "u1")))

    announced = of_type(events, "CUSTOM", "TOOL_CALL_START")
    assert announced[0] == {"type": "CUSTOM", "name": "PredictState", "value": PREDICT}
    assert announced[1]["toolCallId"] == "c1"


async def test_a_node_exit_does_not_wipe_predicted_state() -> None:
    model = says(*calling("c1", "write", '{"text": "dra', 'ft"}'))
    builder = writing(model)

    events = await collect(
        LangGraphProvider(builder.compile()), request(user("go", "u1"), state={"document": "old"})
    )

    assert [snapshot["document"] for snapshot in snapshots(events)] == ["draft", "final draft", "final draft"]


async def test_a_prediction_that_does_not_come_true_is_gone_at_the_end() -> None:
    model = in_turn(calling("c1", "write", '{"text": "draft"}'))

    async def chat(state: Document) -> dict[str, Any]:
        metadata = {"copilotkit:emit-intermediate-state": PREDICT}
        return {"messages": [await model.ainvoke(state["messages"], {"metadata": metadata})]}

    provider = LangGraphProvider(chain(Document, chat=chat).compile())

    events = await collect(provider, request(user("go", "u1"), state={"document": "old"}))

    assert [snapshot["document"] for snapshot in snapshots(events)] == ["draft", "old"]


async def test_a_subgraph_shows_its_part_of_the_state_as_it_works() -> None:
    inner = chain(StdlibState, a=lambda s: {"n": 1}, b=lambda s: {"n": 2})
    builder = chain(StdlibState, sub=inner.compile())

    events = await collect(LangGraphProvider(builder.compile()), request(state={"n": 0}))

    assert [snapshot["n"] for snapshot in snapshots(events)] == [1, 2, 2]


async def test_a_command_from_a_node_updates_the_state() -> None:
    def jump(state: Any) -> Command[typing.Literal["b"]]:
        return Command(goto="b", update={"n": 1})

    builder = StateGraph(StdlibState)
    builder.add_node("jump", jump)
    builder.add_node("b", lambda s: {"log": ["b"]})
    builder.add_edge(START, "jump")

    events = await collect(LangGraphProvider(builder.compile()), request())

    assert snapshots(events)[-1] == {"n": 1, "log": ["b"]}


async def test_a_snapshot_of_a_thread_shows_state_and_messages_and_nothing_of_an_unknown_thread() -> None:
    async def chat(state: FullState) -> dict[str, Any]:
        return {"items": ["x"], "messages": [await says("yes").ainvoke(state["messages"])]}

    provider = LangGraphProvider(chain(FullState, chat=chat).compile(checkpointer=InMemorySaver()))
    events = await collect(provider, request(user("hi", "u1")))

    snapshot = await provider.snapshot("t", RequestContext())

    assert snapshot is not None
    assert snapshot.state == {"items": ["x"]}
    assert snapshot.messages == of_type(events, "MESSAGES_SNAPSHOT")[0]["messages"]
    assert snapshot.interrupts == []
    assert await provider.snapshot("unknown", RequestContext()) is None
    assert (
        await LangGraphProvider(chain(FullState, chat=chat).compile()).snapshot("t", RequestContext()) is None
    )
