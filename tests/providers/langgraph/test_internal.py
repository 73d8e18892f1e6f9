"""What a client does not see: the calls that a framework or a tool makes for itself."""

from __future__ import annotations

import operator
from typing import Annotated, Any

import pytest
from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain.agents.middleware import LLMToolSelectorMiddleware, SummarizationMiddleware
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send
from pydantic import BaseModel
from typing_extensions import TypedDict

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from tests.providers.emitted import collect, messages, of_type, snapshots, text_of

from .scripted import ScriptedModel, calling, in_turn, request, says, user

pytestmark = pytest.mark.anyio


def texts(events: list[dict[str, Any]]) -> list[str]:
    return [message.get("content") or "" for message in messages(events)]


def steps(events: list[dict[str, Any]]) -> list[str]:
    return [event["stepName"] for event in of_type(events, "STEP_STARTED")]


def speaking(node: Any, state: Any = MessagesState) -> LangGraphProvider:
    return LangGraphProvider(StateGraph(state).add_node("node", node).add_edge(START, "node").compile())


async def test_a_summary_is_neither_an_answer_nor_the_users() -> None:
    agent = create_agent(
        in_turn(*([f"Answer {index}"] for index in range(9))),
        middleware=[SummarizationMiddleware(says("Summary"), trigger=("messages", 4), keep=("messages", 2))],
        checkpointer=InMemorySaver(),
    )
    provider = LangGraphProvider(agent)
    events: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []

    for turn in range(4):
        said = [*(messages(events) if events else []), user(f"Question {turn}", f"u{turn}")]
        events = await collect(provider, request(*said))
        assert text_of(events) == f"Answer {turn}"
    loaded = await provider.snapshot("t", RequestContext())

    assert texts(events) == [f"{kind} {turn}" for turn in range(4) for kind in ("Question", "Answer")]
    assert loaded is not None
    assert all("Summary" not in message["content"] for message in loaded.messages)


class Choice(BaseModel):
    tool: str


class StructuredModel(ScriptedModel):
    """A model that marks calls for structured output, as vendors' models do."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(**{k: v for k, v in kwargs.items() if k == "ls_structured_output_format"})


async def test_structured_output_is_not_shown() -> None:
    async def route(state: MessagesState) -> dict[str, Any]:
        model = StructuredModel(script=lambda messages: calling("c9", "Choice", '{"tool": "x"}'))
        choice: Any = await model.with_structured_output(Choice).ainvoke(state["messages"])
        return {"messages": [AIMessage(f"I choose {choice.tool}.")]}

    events = await collect(speaking(route), request(user("hi", "u1")))

    assert of_type(events, "TOOL_CALL_START") == []
    assert texts(events) == ["hi", "I choose x."]


async def test_a_middlewares_choice_of_tools_is_not_shown() -> None:
    @tool
    def look() -> str:
        """Looks."""
        return "looked"

    selector = StructuredModel(
        script=lambda messages: calling("c9", "ToolSelectionResponse", '{"tools": []}')
    )
    agent = create_agent(says("Hello"), tools=[look], middleware=[LLMToolSelectorMiddleware(model=selector)])

    events = await collect(LangGraphProvider(agent), request(user("hi", "u1")))

    assert of_type(events, "TOOL_CALL_START") == []
    assert text_of(events) == "Hello"


async def test_what_a_tools_own_model_says_is_not_shown_but_by_choice() -> None:
    inner = says("Thinking inside")

    @tool
    async def ask(config: RunnableConfig) -> str:
        """Asks a model."""
        shown: RunnableConfig = {"metadata": {"copilotkit:emit-messages": True}}
        return (await inner.ainvoke("?")).text + (await inner.ainvoke("?", shown)).text

    async def own_node(state: MessagesState) -> dict[str, Any]:
        last: Any = state["messages"][-1]
        return {"messages": [await ask.ainvoke({**last.tool_calls[0], "type": "tool_call"})]}

    async def call(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says(*calling("c1", "ask", "{}")).ainvoke("?")]}

    builder = StateGraph(MessagesState).add_node("call", call).add_node("work", own_node)
    graph = builder.add_edge(START, "call").add_edge("call", "work").compile()

    events = await collect(LangGraphProvider(graph), request(user("hi", "u1")))

    assert text_of(events) == "Thinking inside"
    assert texts(events) == ["hi", "", "Thinking inside", "Thinking insideThinking inside"]


async def test_an_agent_inside_a_tool_shows_its_result_only() -> None:
    @tool
    def search() -> str:
        """Searches."""
        return "found"

    helper: Any = create_agent(
        in_turn(calling("inner", "search", "{}"), ["I have found it."]), tools=[search], name="helper"
    )

    @tool
    async def delegate(task: str) -> str:
        """Delegates."""
        result = await helper.ainvoke({"messages": [("user", task)]})
        return str(result["messages"][-1].text)

    agent = create_agent(
        in_turn(calling("outer", "delegate", '{"task": "find"}'), ["Here it is."]), tools=[delegate]
    )

    provider = LangGraphProvider(agent, subagents="hidden")
    events = await collect(provider, request(user("hi", "u1")))

    assert [event["toolCallId"] for event in of_type(events, "TOOL_CALL_START")] == ["outer"]
    assert [event["content"] for event in of_type(events, "TOOL_CALL_RESULT")] == ["I have found it."]
    assert text_of(events) == "Here it is."
    assert steps(events) == ["model", "tools", "model"]


async def test_a_deep_agents_subagent_is_not_heard_and_its_state_not_seen() -> None:
    subagent = {
        "name": "researcher",
        "description": "Researches.",
        "system_prompt": "Research.",
        "model": in_turn(
            calling("inner", "write_todos", '{"todos": [{"content": "inner", "status": "pending"}]}'),
            ["I have researched."],
        ),
    }
    model = in_turn(
        calling("outer", "task", '{"description": "go", "subagent_type": "researcher"}'), ["Summary"]
    )
    agent = create_deep_agent(model=model, subagents=[subagent])  # type: ignore[list-item]

    provider = LangGraphProvider(agent, subagents="hidden")
    events = await collect(provider, request(user("hi", "u1")))

    assert text_of(events) == "Summary"
    assert [event["toolCallId"] for event in of_type(events, "TOOL_CALL_START")] == ["outer"]
    assert [event["content"] for event in of_type(events, "TOOL_CALL_RESULT")] == ["I have researched."]
    assert not any(state.get("todos") for state in snapshots(events))
    assert texts(events) == ["hi", "", "I have researched.", "Summary"]


class Work(TypedDict):
    topic: str


class Report(MessagesState):
    parts: Annotated[list[str], operator.add]


async def test_workers_that_send_starts_without_messages_are_not_heard() -> None:
    async def write(work: Work) -> dict[str, Any]:
        return {"parts": [(await says(f"Part on {work['topic']}").ainvoke("?")).text]}

    def plan(state: Report) -> list[Send]:
        return [Send("write", {"topic": topic}) for topic in ("a", "b")]

    async def combine(state: Report) -> dict[str, Any]:
        return {"messages": [await says("; ".join(state["parts"])).ainvoke("?")]}

    builder: Any = StateGraph(Report)
    builder.add_node("write", write).add_node("combine", combine)
    builder.add_conditional_edges(START, plan, ["write"]).add_edge("write", "combine")

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert text_of(events) == "Part on a; Part on b"
    assert texts(events) == ["hi", "Part on a; Part on b"]


async def test_workers_with_messages_are_heard() -> None:
    async def write(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await says(f"Echo {state['messages'][-1].text}").ainvoke("?")]}

    def plan(state: MessagesState) -> list[Send]:
        return [Send("write", {"messages": state["messages"]})]

    builder = StateGraph(MessagesState).add_node("write", write).add_conditional_edges(START, plan, ["write"])

    events = await collect(LangGraphProvider(builder.compile()), request(user("hi", "u1")))

    assert text_of(events) == "Echo hi"
    assert len(of_type(events, "TEXT_MESSAGE_CONTENT")) == 1


class Research(TypedDict):
    notes: str


class Noted(MessagesState):
    notes: str


async def test_a_subgraph_that_returns_no_messages_is_not_heard_until_they_are_stored() -> None:
    async def research(state: Research) -> dict[str, Any]:
        return {"notes": (await says("Secret notes").ainvoke("?")).text}

    async def report(state: Noted) -> dict[str, Any]:
        return {"messages": [await says(f"Report on {len(state['notes'])} letters").ainvoke("?")]}

    inner = StateGraph(Research).add_node("research", research).add_edge(START, "research").compile()
    builder = StateGraph(Noted).add_node("inner", inner).add_node("report", report)
    graph = builder.add_edge(START, "inner").add_edge("inner", "report").compile()

    events = await collect(LangGraphProvider(graph), request(user("hi", "u1")))

    assert text_of(events) == "Report on 12 letters"
    assert snapshots(events)[-1] == {"notes": "Secret notes"}


@pytest.mark.parametrize(
    "config",
    [{"tags": ["nostream"]}, {"metadata": {"copilotkit:emit-messages": False}}],
)
async def test_a_graph_can_keep_a_call_to_itself(config: Any) -> None:
    async def node(state: MessagesState) -> dict[str, Any]:
        verdict = await says("harmless").ainvoke("?", config)
        return {"messages": [AIMessage(f"That is {verdict.text}.")]}

    events = await collect(speaking(node), request(user("hi", "u1")))

    assert text_of(events) == "That is harmless."
    assert texts(events) == ["hi", "That is harmless."]


async def test_an_internal_answer_that_is_stored_all_the_same_is_shown_then() -> None:
    async def node(state: MessagesState) -> dict[str, Any]:
        answer = await says("A summary of all.").ainvoke("?", {"metadata": {"lc_source": "mine"}})
        return {"messages": [answer]}

    events = await collect(speaking(node), request(user("hi", "u1")))

    assert len(of_type(events, "TEXT_MESSAGE_CONTENT")) == 1
    assert texts(events) == ["hi", "A summary of all."]
