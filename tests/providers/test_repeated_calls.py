"""Agents of models that count their tool calls anew in each answer, over both contracts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.call_ids import repeats
from copilotkit_runtime_py.agui.events import Event, encode
from copilotkit_runtime_py.agui.reducer import Transcript
from copilotkit_runtime_py.providers.chat import ChatProvider
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider
from copilotkit_runtime_py.runs.completion import ending_of
from copilotkit_runtime_py.state_store.base import RunRecord
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from tests.protocols.agui.served import Served, run_body
from tests.providers.langgraph.scripted import ScriptedModel
from tests.providers.parity.contracts import CONTRACTS, Chat

pytestmark = pytest.mark.anyio

ID = "confirm:0"
CONFIRM = {
    "name": "confirm",
    "description": "Asks the user.",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
}


def confirm(q: str) -> str:
    """Confirms a question."""
    return f"{q} yes"


def script(messages: list[BaseMessage]) -> list[AIMessageChunk | str]:
    """Calls `confirm` with the question, and again with its result if that ends in `again?`."""
    last = messages[-1]
    if isinstance(last, ToolMessage) and not last.text.startswith("again"):
        return [f"I heard {last.text}"]
    part = tool_call_chunk(name="confirm", args=json.dumps({"q": last.text}), id=ID, index=0)
    return [AIMessageChunk(content="", tool_call_chunks=[part])]


def graph(*tools: Any) -> StateGraph[Any, Any, Any, Any]:
    model = ScriptedModel(script=script)

    async def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node("chat", chat).add_edge(START, "chat")
    if tools:
        builder.add_node("tools", ToolNode(tools)).add_edge("tools", "chat")
        builder.add_conditional_edges("chat", tools_condition)
    return builder


async def generator(input: RunAgentInput) -> AsyncIterator[Event]:
    last = input.messages[-1]
    if last.role == "tool" and not str(last.content).startswith("again"):
        calls = [call.id for m in input.messages if m.role == "assistant" for call in m.tool_calls or ()]
        assert {*calls, last.tool_call_id} == {ID}
        id = f"answer-{len(input.messages)}"
        yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": id, "delta": f"I heard {last.content}"}
    else:
        args = json.dumps({"q": last.content})
        yield {"type": "TOOL_CALL_CHUNK", "toolCallId": ID, "toolCallName": "confirm", "delta": args}


AGENTS: dict[str, Callable[[], Any]] = {
    "graph": lambda: graph().compile(checkpointer=InMemorySaver()),
    "graph without a memory": lambda: LangGraphProvider(graph().compile()),
    "generator": lambda: generator,
    "factory": lambda: lambda: generator,
    "factory of graphs": lambda: lambda: graph().compile(),
    "chat model": lambda: ChatProvider(ScriptedModel(script=script)),
}
agents = pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
contracts = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


@contracts
@agents
async def test_the_user_answers_each_call_of_a_frontend_tool(
    agent: Callable[[], Any], contract: type[Chat]
) -> None:
    served = Served(CopilotRuntime({"agent": agent()}))
    chat = contract(served, "agent", tools=[CONFIRM])
    ids = []
    for question, answer in [("one?", "yes"), ("two?", "no"), ("three?", "maybe")]:
        asked = await chat.say(question)
        (call,) = asked.calls
        ids.append(call[0])
        assert (call[1:], asked.results) == (("confirm", {"q": question}), [])
        chat.add_result(call, answer)
        assert (await chat.run()).texts == [f"I heard {answer}"]
    assert (ids[0], len(set(ids))) == (ID, 3)
    await check_thread(served, [("one?", "yes"), ("two?", "no"), ("three?", "maybe")])


@contracts
@agents
async def test_the_server_answers_each_call_of_a_backend_action(
    agent: Callable[[], Any], contract: type[Chat]
) -> None:
    asked: list[str] = []

    def action(q: str) -> str:
        asked.append(q)
        return f"{q} yes" if "again" not in q or len(asked) % 2 else "again?"

    runtime = CopilotRuntime({"agent": agent()})
    runtime.action(name="confirm")(action)
    served = Served(runtime)
    chat = contract(served, "agent")
    for number, question in enumerate(["one?", "two?"], 1):
        answer = await chat.say(question)
        assert [call[1:] for call in answer.calls] == [("confirm", {"q": question})]
        assert answer.results == [(answer.calls[0][0], f"{question} yes")]
        assert answer.texts == [f"I heard {question} yes"]
        assert len(asked) == number
    await check_thread(served, [("one?", "one? yes"), ("two?", "two? yes")])


@contracts
@agents
async def test_calls_of_one_run_are_told_apart(agent: Callable[[], Any], contract: type[Chat]) -> None:
    results = iter(["again once", "again twice", "done"])
    runtime = CopilotRuntime({"agent": agent()})
    runtime.action(name="confirm")(lambda q: next(results))
    served = Served(runtime)
    answer = await contract(served, "agent").say("one?")
    ids = [id for id, _, _ in answer.calls]
    assert (ids[0], len(set(ids))) == (ID, 3)
    assert answer.results == list(zip(ids, ["again once", "again twice", "done"], strict=True))
    assert answer.texts == ["I heard done"]
    await check_thread(
        served, [("one?", "again once"), ("again once", "again twice"), ("again twice", "done")]
    )


@contracts
@pytest.mark.parametrize("remembers", [True, False])
async def test_the_results_of_a_graphs_own_tools_come_live_and_stay(
    contract: type[Chat], remembers: bool
) -> None:
    saver = InMemorySaver() if remembers else None
    provider = LangGraphProvider(graph(tool(confirm)).compile(checkpointer=saver))
    served = Served(CopilotRuntime({"agent": provider}))
    chat = contract(served, "agent")
    for question in ("one?", "two?", "three?"):
        answer = await chat.say(question)
        assert answer.results == [(answer.calls[0][0], f"{question} yes")]
        assert answer.texts == [f"I heard {question} yes"]
    await check_thread(served, [(q, f"{q} yes") for q in ("one?", "two?", "three?")])


@contracts
@pytest.mark.parametrize("snapshots", [False, True])
async def test_the_results_of_a_generators_own_tools_are_messages_of_their_own(
    contract: type[Chat], snapshots: bool
) -> None:
    """Its results have the ids of their calls, as many agents make them."""

    async def agent(input: RunAgentInput) -> AsyncIterator[Event]:
        question, parent = str(input.messages[-1].content), f"a{len(input.messages)}"
        function = {"name": "confirm", "arguments": json.dumps({"q": question})}
        call = {"id": ID, "type": "function", "function": function}
        yield events.tool_call_start(ID, "confirm", parent)
        yield events.tool_call_args(ID, json.dumps({"q": question}))
        yield events.tool_call_end(ID)
        yield events.tool_call_result(f"{ID}-result", ID, f"{question} yes")
        if snapshots:
            whole = [m.model_dump(by_alias=True, exclude_none=True) for m in input.messages]
            whole.append({"id": parent, "role": "assistant", "toolCalls": [call]})
            result = {"id": f"{ID}-result", "role": "tool", "toolCallId": ID, "content": f"{question} yes"}
            yield events.messages_snapshot([*whole, result])

    served = Served(CopilotRuntime({"agent": agent}))
    chat = contract(served, "agent")
    for question in ("one?", "two?", "three?"):
        answer = await chat.say(question)
        assert answer.results == [(answer.calls[0][0], f"{question} yes")]
    await check_thread(served, [(q, f"{q} yes") for q in ("one?", "two?", "three?")])
    ids = [message["id"] for message in await reloaded(served)]
    assert len(set(ids)) == len(ids)


async def test_a_client_that_sends_only_what_is_new_gets_unique_ids_too() -> None:
    provider = LangGraphProvider(graph(tool(confirm)).compile(checkpointer=InMemorySaver()))
    served = Served(CopilotRuntime({"agent": provider}))
    for number, question in enumerate(["one?", "two?"]):
        message = {"id": f"u{number}", "role": "user", "content": question}
        shown = await served.events(served.agent("run", "agent", run_body("t1", f"r{number}", [message])))
        (result,) = [event for event in shown if event["type"] == "TOOL_CALL_RESULT"]
        assert result["content"] == f"{question} yes"
    await check_thread(served, [("one?", "one? yes"), ("two?", "two? yes")])


def stored_before(question: str, number: int) -> list[Event]:
    """The log of a run as earlier releases wrote it."""
    message = {"id": f"u{number}", "role": "user", "content": question}
    log = [
        events.run_started("t1", f"r{number}"),
        events.tool_call_start(ID, "confirm", f"a{number}"),
        events.tool_call_args(ID, json.dumps({"q": question})),
        events.tool_call_end(ID),
        events.tool_call_result(f"t{number}", ID, f"{question} yes"),
        events.run_finished("t1", f"r{number}"),
    ]
    log[0]["input"] = {"messages": [message]}
    return log


@contracts
async def test_a_thread_that_was_stored_with_repeating_ids_heals(contract: type[Chat]) -> None:
    store = MemoryStateStore()
    messages: list[dict[str, Any]] = []
    for number, question in enumerate(["one?", "two?"], 1):
        record = await store.begin_run(
            RunRecord(id=f"r{number}", thread_id="t1", agent_name="agent", owner="anonymous")
        )
        log = stored_before(question, number)
        ending = ending_of(log, [*messages, *log[0]["input"]["messages"]], {})
        messages = ending.state.messages
        await store.append(record, 0, [encode(event) for event in log], ending=ending)
    assert repeats(messages)

    runtime = CopilotRuntime({"agent": generator}, state_store=store)
    runtime.action(confirm)
    served = Served(runtime)
    await check_thread(served, [("one?", "one? yes"), ("two?", "two? yes")])
    chat = contract(served, "agent")
    answer = await chat.say("three?")
    assert answer.results == [(answer.calls[0][0], "three? yes")]
    assert answer.texts == ["I heard three? yes"]


async def check_thread(served: Served, expected: list[tuple[str, str]]) -> None:
    """Checks that each call has its result, wherever a client looks."""
    status, answer = await served.json(served.resource("GET", "/threads/t1/messages?agentId=agent"))
    assert status == 200
    calls = [call for message in answer["messages"] for call in message.get("toolCalls") or ()]
    results = {m["toolCallId"]: m["content"] for m in answer["messages"] if m.get("toolCallId")}
    assert [(json.loads(call["args"])["q"], results.get(call["id"])) for call in calls] == expected
    ids = [call["id"] for call in calls]
    assert len(set(ids)) == len(ids)

    messages = await reloaded(served)
    assert [call["id"] for m in messages for call in m.get("toolCalls") or ()] == ids
    assert {m["toolCallId"]: m["content"] for m in messages if m.get("toolCallId")} == results


async def reloaded(served: Served) -> list[dict[str, Any]]:
    """Returns the messages of a page that was loaded again."""
    transcript = Transcript([], {})
    for event in await served.events(served.agent("connect", "agent", run_body("t1", "c1", []))):
        if event["type"] == "RUN_STARTED":
            told = transcript.result().messages
            sent = event.get("input", {}).get("messages", ())
            transcript = Transcript([*told, *(m for m in sent if not is_known(m, told))], {})
        transcript.add(event)
    return transcript.result().messages


def is_known(message: dict[str, Any], told: list[dict[str, Any]]) -> bool:
    """Whether a client of GraphQL sent a message back, for which it has ids of its own."""
    calls = [call["id"] for each in told for call in each.get("toolCalls") or ()]
    if message.get("toolCalls"):
        return all(call["id"] in calls for call in message["toolCalls"])
    return message["id"] in [each["id"] for each in told]
