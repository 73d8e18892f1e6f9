"""Calls of server tools that the user has to approve: the question, and what each answer comes to."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import (
    ClientMCPServers,
    CopilotRuntime,
    Limits,
    MCPServer,
    MemoryStateStore,
    RequestContext,
)
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.errors import ConfigurationError, CopilotKitError, ThreadNotFoundError
from copilotkit_runtime_py.guardrails import Guardrails, RuleValidator
from copilotkit_runtime_py.runs.run import Run
from tests.mcp_server import make_server, served
from tests.well_formed import check_stream

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
Json = dict[str, Any]
ANN, BOB = RequestContext(owner="ann"), RequestContext(owner="bob")
USER: Json = {"id": "u1", "role": "user", "content": "Send it"}
SCHEMA = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "editedArgs": {"type": "object"},
        "reason": {"type": "string"},
    },
    "required": ["approved"],
}
YES, NO = {"approved": True}, {"approved": False}


def call(id: str, name: str, arguments: str = "{}") -> list[Event]:
    return [events.tool_call_start(id, name), events.tool_call_args(id, arguments), events.tool_call_end(id)]


def said(id: str, words: str) -> list[Event]:
    return [events.text_start(id), events.text_content(id, words), events.text_end(id)]


def question(id: str, name: str = "send", message: str = "Send the mail?") -> Json:
    return {
        "id": id,
        "reason": "tool_call",
        "message": message,
        "toolCallId": id,
        "responseSchema": SCHEMA,
        "metadata": {"approval": {"toolName": name}},
    }


def announced(*questions: Json) -> list[Event]:
    """The end of a run that asks, in the form of clients before AG-UI 1.0 and in that of 1.0."""
    return [
        *(events.custom("on_interrupt", events.as_text(each)) for each in questions),
        {**events.run_finished("t1", "r"), "outcome": {"type": "interrupt", "interrupts": [*questions]}},
    ]


def error(code: str, message: str) -> str:
    return events.as_text({"error": {"code": code, "message": message}, "result": ""})


DENIED = error("DENIED", "The user denied this call.")
NOT_ANSWERED = error("NOT_ANSWERED", "The user did not approve this call, and went on with another message.")
INTERRUPTED = error("INTERRUPTED", "This call was interrupted. It may have been carried out.")


class Playing:
    """An agent that plays one list of events after the other, and keeps the conversations that it got."""

    def __init__(self, *turns: list[Event]) -> None:
        self.inputs: list[RunAgentInput] = []
        self._turns = turns

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        self.inputs.append(input)
        for event in self._turns[len(self.inputs) - 1]:
            yield event

    @property
    def heard(self) -> list[tuple[str, Any]]:
        """What the last turn was told: the roles and contents of the messages, and the ids of calls."""
        told: list[tuple[str, Any]] = []
        for message in self.inputs[-1].messages:
            calls = [each.id for each in getattr(message, "tool_calls", None) or ()]
            told.append((message.role, calls or message.content))
        return told


class Page:
    """A client of one thread, which sends the whole conversation with each request."""

    def __init__(self, runtime: CopilotRuntime, context: RequestContext = ANN) -> None:
        self.runtime = runtime
        self.context = context
        self._runs = 0

    async def messages(self) -> list[Json]:
        state = await self.runtime.load_agent_state("a", "t1", self.context)
        return state.messages if state is not None else []

    async def open_questions(self) -> list[str]:
        state = await self.runtime.load_agent_state("a", "t1", self.context)
        assert state is not None
        return [each["id"] for each in state.interrupts]

    async def start(self, *new: Json, messages: list[Json] | None = None, **fields: Any) -> Run:
        self._runs += 1
        body = {
            "threadId": "t1",
            "runId": f"r{self._runs}-{id(self)}",
            "messages": [*(await self.messages() if messages is None else messages), *new],
            "tools": [],
            "context": [],
            "state": {},
            "forwardedProps": {},
        }
        return await self.runtime.start("a", RunAgentInput.model_validate(body | fields), self.context)

    async def send(self, *new: Json, **fields: Any) -> list[Event]:
        """Returns the events of the run that follows, but for its start."""
        run = await self.start(*new, **fields)
        await run.wait()
        stream = [entry.event for entry in run.entries]
        check_stream(stream)
        return [each | {"runId": "r"} if "runId" in each else each for each in stream[1:]]

    async def answer(self, **payloads: Any) -> list[Event]:
        return await self.send(resume=[resolved(id, payload) for id, payload in payloads.items()])


def resolved(id: str, payload: Any) -> Json:
    return {"interruptId": id, "status": "resolved", "payload": payload}


def results(stream: list[Event]) -> dict[str, str]:
    return {each["toolCallId"]: each["content"] for each in stream if each["type"] == "TOOL_CALL_RESULT"}


def _other() -> None:
    """Does nothing."""


Sent = list[tuple[Any, ...]]


def mailing(agent: Any, **options: Any) -> tuple[CopilotRuntime, Sent]:
    """A runtime with a tool that needs approval and one that needs none, and what they were called with."""
    runtime = CopilotRuntime({"a": agent}, **options)
    calls: Sent = []

    @runtime.action(approval=True, message="Send the mail?")
    def send(to: str = "") -> str:
        calls.append(("send", to))
        return f"sent to {to}"

    @runtime.action
    def look() -> str:
        calls.append(("look",))
        return "seen"

    return runtime, calls


async def test_an_approved_call_is_run_and_the_agent_goes_on_with_its_result() -> None:
    agent = Playing(call("c1", "send", '{"to":"bob"}'), said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    assert await page.send(USER) == [*call("c1", "send", '{"to":"bob"}'), *announced(question("c1"))]
    assert calls == []
    assert await page.answer(c1=YES) == [
        events.tool_call_result("result-c1", "c1", "sent to bob"),
        *said("m1", "Done."),
        events.run_finished("t1", "r"),
    ]
    assert calls == [("send", "bob")]
    assert agent.heard == [("user", "Send it"), ("assistant", ["c1"]), ("tool", "sent to bob")]
    assert agent.inputs[-1].resume is None
    assert await page.open_questions() == []


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (resolved("c1", NO), DENIED),
        (resolved("c1", False), DENIED),
        (
            resolved("c1", {"approved": False, "reason": "wrong person"}),
            error("DENIED", "The user denied this call. The reason: wrong person"),
        ),
        ({"interruptId": "c1", "status": "cancelled"}, DENIED),
    ],
)
async def test_a_denied_call_is_not_run_and_the_agent_learns_why(answer: Json, result: str) -> None:
    agent = Playing(call("c1", "send"), said("m1", "As you wish."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    stream = await page.send(resume=[answer])
    assert (results(stream), calls) == ({"c1": result}, [])
    assert agent.heard[-1] == ("tool", result)


async def test_the_user_may_change_the_arguments() -> None:
    agent = Playing(call("c1", "send", '{"to":"bob"}'), said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    stream = await page.answer(c1={"approved": True, "editedArgs": {"to": "eve"}})
    assert calls == [("send", "eve")]
    assert json.loads(results(stream)["c1"]) == {"editedArgs": {"to": "eve"}, "result": "sent to eve"}


@pytest.mark.parametrize(
    "answer",
    [
        "yes",
        1,
        None,
        {},
        {"approved": "true"},
        {"approved": 1},
        ["approved"],
        {"approved": True, "editedArgs": '{"to":"eve"}'},
        {"approved": True, "editedArgs": ["eve"]},
        {"approved": True, "editedArgs": False},
    ],
)
async def test_what_is_neither_yes_nor_no_is_asked_again(answer: Any) -> None:
    agent = Playing(call("c1", "send"), said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    assert await page.answer(c1=answer) == announced(question("c1"))
    assert calls == []
    assert results(await page.answer(c1=YES)) == {"c1": "sent to "}


EXPIRED = error("EXPIRED", "The user approved this call too late. It was not carried out.")


@pytest.mark.parametrize(
    ("seconds", "answer", "result"), [(0, YES, EXPIRED), (0, NO, DENIED), (None, YES, "sent to ")]
)
async def test_a_call_is_not_run_when_its_approval_comes_too_late(
    seconds: float | None, answer: Any, result: str
) -> None:
    agent = Playing(call("c1", "send"), said("m1", "I see."))
    runtime, calls = mailing(agent, limits=Limits(approval_seconds=seconds))
    page = Page(runtime)
    await page.send(USER)
    assert results(await page.answer(c1=answer)) == {"c1": result}
    assert agent.heard == [("user", "Send it"), ("assistant", ["c1"]), ("tool", result)]
    assert calls == ([("send", "")] if seconds is None else [])
    assert await page.open_questions() == []


async def test_an_unclear_answer_does_not_prolong_a_question() -> None:
    agent = Playing(call("c1", "send"))
    runtime, _ = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    first = await runtime.state_store.load_state("ann", "t1", "a")
    await page.answer(c1="maybe")
    again = await runtime.state_store.load_state("ann", "t1", "a")
    assert first is not None
    assert again is not None
    assert again.interrupts == first.interrupts != []


async def test_a_message_instead_of_an_answer_leaves_a_valid_conversation() -> None:
    agent = Playing(call("c1", "send"), said("m1", "Never mind."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    later = {"id": "u2", "role": "user", "content": "What time is it?"}
    assert results(await page.send(later)) == {"c1": NOT_ANSWERED}
    asked = [("user", "Send it"), ("assistant", ["c1"]), ("tool", NOT_ANSWERED), ("user", later["content"])]
    assert agent.heard == asked
    assert [each["id"] for each in await page.messages()] == ["u1", "c1", "result-c1", "u2", "m1"]
    assert (calls, await page.open_questions()) == ([], [])


async def test_other_calls_of_the_turn_are_run_at_once_and_all_answers_reach_the_agent() -> None:
    turn = [
        *call("c1", "send", '{"to":"bob"}'),
        *call("c2", "look"),
        *call("c3", "send", '{"to":"eve"}'),
    ]
    agent = Playing(turn, said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    asked = await page.send(USER)
    assert asked[-4:] == [
        events.tool_call_result("result-c2", "c2", "seen"),
        *announced(question("c1"), question("c3")),
    ]
    assert calls == [("look",)]
    stream = await page.answer(c3=NO, c1=YES)
    assert results(stream) == {"c3": DENIED, "c1": "sent to bob"}
    assert calls == [("look",), ("send", "bob")]
    assert dict(agent.heard)["tool"] is not None
    assert len(agent.inputs) == 2


async def test_questions_that_are_not_answered_stay_open() -> None:
    agent = Playing([*call("c1", "send"), *call("c2", "send")], said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    assert await page.answer(c2=YES) == [
        events.tool_call_result("result-c2", "c2", "sent to "),
        *announced(question("c1")),
    ]
    assert (await page.open_questions(), len(agent.inputs)) == (["c1"], 1)
    assert (await page.answer(c1=NO))[-1] == events.run_finished("t1", "r")
    assert len(calls) == 1


async def test_the_pages_own_tools_are_answered_first() -> None:
    # Clients of AG-UI 1.0 refuse a run that does not answer all open interrupts.
    tools = [{"name": "pick", "description": "", "parameters": {}}]
    agent = Playing([*call("c1", "send"), *call("c2", "pick")], said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    assert (await page.send(USER, tools=tools))[-1] == events.run_finished("t1", "r")
    picked = {"id": "p1", "role": "tool", "toolCallId": "c2", "content": "red"}
    assert await page.send(picked, tools=tools) == announced(question("c1"))
    assert len(agent.inputs) == 1
    await page.answer(c1=YES)
    assert [each for each in agent.heard if each[0] == "tool"] == [("tool", "red"), ("tool", "sent to ")]
    assert len(calls) == 1


@pytest.mark.parametrize("outcome", [True, False])
async def test_the_agents_own_question_is_answered_first(outcome: bool) -> None:
    own = {"id": "own", "reason": "input", "message": "Name?"}
    pause = [events.custom("on_interrupt", "Name?")]
    if outcome:
        pause = [{**events.run_finished("t1", "r"), "outcome": {"type": "interrupt", "interrupts": [own]}}]
    agent = Playing([*call("c1", "send"), *pause], said("m1", "Hi Ann."), said("m2", "Sent."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    first = await page.send(USER)
    assert first[-1].get("outcome") == ({"type": "interrupt", "interrupts": [own]} if outcome else None)
    fields: Json = {"forwardedProps": {"command": {"resume": "Ann"}}}
    if outcome:
        fields = {"resume": [resolved("own", "Ann")]}
    assert await page.send(**fields) == [*said("m1", "Hi Ann."), *announced(question("c1"))]
    assert (agent.inputs[1].resume is not None) == outcome
    assert calls == []
    assert results(await page.answer(c1=YES)) == {"c1": "sent to "}
    assert len(agent.inputs) == 3


async def test_an_agent_that_answers_its_call_after_a_question_of_its_own_takes_it_back() -> None:
    pause = [events.custom("on_interrupt", "Really?")]
    refused = [events.tool_call_result("x", "c1", "refused"), *said("m1", "I did not.")]
    runtime, calls = mailing(Playing([*call("c1", "send"), *pause], refused))
    page = Page(runtime)
    await page.send(USER)
    stream = await page.send(forwardedProps={"command": {"resume": "no"}})
    assert stream == [*refused, events.run_finished("t1", "r")]
    assert (calls, await page.open_questions()) == ([], [])


async def test_an_answer_in_the_older_form_is_one_to_the_question_that_it_shows() -> None:
    agent = Playing([*call("c1", "send"), *call("c2", "send")], said("m1", "Done."))
    runtime, _ = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    shown = events.as_text(question("c1"))
    answer = {"command": {"resume": '{"approved": true}', "interruptEvent": shown}}
    assert results(await page.send(forwardedProps=answer)) == {"c1": "sent to "}
    last = await page.send(forwardedProps={"command": {"resume": {"approved": False}}})
    assert results(last) == {"c2": DENIED}
    assert agent.inputs[-1].forwarded_props == {}


async def test_a_second_answer_runs_nothing() -> None:
    agent = Playing(call("c1", "send"), said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    before = await page.messages()
    await page.answer(c1=YES)
    for messages in (before, None):
        stream = await page.send(messages=messages, resume=[resolved("c1", YES)])
        assert [(each["type"], each.get("code")) for each in stream] == [
            ("RUN_ERROR", "NO_PENDING_INTERRUPT")
        ]
    assert (len(calls), len(agent.inputs)) == (1, 2)
    assert [each["id"] for each in await page.messages()] == ["u1", "c1", "result-c1", "m1"]


async def test_a_late_answer_does_not_approve_the_next_call() -> None:
    agent = Playing(call("c1", "send", '{"to":"bob"}'), call("c2", "send", '{"to":"eve"}'))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    shown = (await page.send(USER))[-2]["value"]
    for value in (shown, json.loads(shown)):  # pages show the question as text, or parsed
        command = {"resume": '{"approved": true}', "interruptEvent": value}
        stream = await page.send(forwardedProps={"command": command})
    assert stream[-1]["code"] == "NO_PENDING_INTERRUPT"
    assert (calls, await page.open_questions()) == ([("send", "bob")], ["c2"])


async def test_an_answer_to_another_question_approves_nothing() -> None:
    agent = Playing(call("c1", "send"))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    command = {"resume": True, "interruptEvent": "Really?"}
    assert await page.send(forwardedProps={"command": command}) == announced(question("c1"))
    assert await page.send(resume=[resolved("other", True)]) == announced(question("c1"))
    assert (calls, len(agent.inputs)) == ([], 1)


async def test_a_message_with_a_late_answer_is_heard() -> None:
    agent = Playing(call("c1", "send"), said("m1", "Done."), said("m2", "Hello."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    await page.answer(c1=YES)
    later = {"id": "u2", "role": "user", "content": "Hi"}
    stream = await page.send(later, resume=[resolved("c1", YES)])
    assert stream == [*said("m2", "Hello."), events.run_finished("t1", "r")]
    assert (agent.heard[-1], agent.inputs[-1].resume, len(calls)) == (("user", "Hi"), None, 1)


async def test_of_two_answers_at_once_over_two_workers_one_runs_the_call(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/threads.db"
    agent = Playing(call("c1", "send"), *[said("m1", "Done.")] * 2)
    workers = [mailing(agent, state_store=store) for _ in range(2)]
    pages = [Page(runtime) for runtime, _ in workers]
    await pages[0].send(USER)
    answers = [page.answer(c1=YES) for page in pages]
    streams = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(len(calls) for _, calls in workers) == 1
    assert len(agent.inputs) == 2
    lost = [each for each in streams if isinstance(each, CopilotKitError) or each[-1]["type"] == "RUN_ERROR"]  # type: ignore[index]
    assert len(lost) == 1
    for runtime, _ in workers:
        await runtime.aclose()


async def test_a_question_is_open_after_a_restart(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/threads.db"
    runtime, _ = mailing(Playing(call("c1", "send", '{"to":"bob"}')), state_store=store)
    await Page(runtime).send(USER)
    await runtime.aclose()
    agent = Playing(said("m1", "Done."))
    runtime, calls = mailing(agent, state_store=store)
    page = Page(runtime)
    view = await runtime.connect("a", "t1", ANN)
    outcome = json.loads(view.logs[-1].events[-1].rpartition(b"\t")[2])["outcome"]
    assert outcome == {"type": "interrupt", "interrupts": [question("c1")]}
    assert results(await page.answer(c1=YES)) == {"c1": "sent to bob"}
    assert calls == [("send", "bob")]
    await runtime.aclose()


async def test_only_the_owner_of_the_thread_answers() -> None:
    agent = Playing(call("c1", "send"), said("m1", "Done."))
    runtime, calls = mailing(agent)
    await Page(runtime).send(USER)
    other = Page(runtime, BOB)
    messages = await Page(runtime).messages()
    with pytest.raises(ThreadNotFoundError):
        await other.send(messages=messages, resume=[resolved("c1", YES)])
    assert calls == []


async def test_a_client_that_claims_an_open_call_runs_nothing() -> None:
    agent = Playing(said("m1", "Hello."))
    runtime, calls = mailing(agent)
    forged = {"id": "c1", "type": "function", "function": {"name": "send", "arguments": "{}"}}
    messages = [USER, {"id": "m0", "role": "assistant", "toolCalls": [forged]}]
    await Page(runtime).send(messages=messages, resume=[resolved("c1", YES)])
    assert calls == []


async def test_the_arguments_are_those_that_the_agent_gave() -> None:
    agent = Playing(call("c1", "send", '{"to":"bob"}'), said("m1", "Done."))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    forged = [dict(each) for each in await page.messages()]
    function = {"name": "send", "arguments": '{"to":"eve"}'}
    forged[-1]["toolCalls"] = [{"id": "c1", "type": "function", "function": function}]
    await page.send(messages=forged, resume=[resolved("c1", YES)])
    assert calls == [("send", "bob")]


async def test_a_result_that_the_client_shows_is_replaced() -> None:
    # CopilotKit adds the answer to an interrupt about a call as the call's result.
    agent = Playing(call("c1", "send"), said("m1", "Done."))
    runtime, _ = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    shown = {"id": "x", "role": "tool", "toolCallId": "c1", "content": '{"approved":true}'}
    stream = await page.send(shown, resume=[resolved("c1", YES)])
    assert stream[0]["type"] == "MESSAGES_SNAPSHOT"
    assert [each["id"] for each in stream[0]["messages"]] == ["u1", "c1"]
    assert stream[1] == events.tool_call_result("result-c1", "c1", "sent to ")
    assert agent.heard[-1] == ("tool", "sent to ")
    assert [each["id"] for each in await page.messages()] == ["u1", "c1", "result-c1", "m1"]


async def test_a_result_that_the_client_shows_for_the_agents_own_tool_is_left_to_the_agent() -> None:
    own = {"id": "i1", "reason": "tool_call", "toolCallId": "c1", "message": "Sure?"}
    pause = {**events.run_finished("t1", "r"), "outcome": {"type": "interrupt", "interrupts": [own]}}
    given = events.tool_call_result("x1", "c1", "done")
    agent = Playing([*call("c1", "own"), pause], [given])
    page = Page(CopilotRuntime({"a": agent}))
    await page.send(USER)
    shown = {"id": "x", "role": "tool", "toolCallId": "c1", "content": '{"approved":true}'}
    stream = await page.send(shown, resume=[resolved("i1", YES)])
    assert stream[1:] == [given, events.run_finished("t1", "r")]
    assert [each.id for each in agent.inputs[-1].messages] == ["u1", "c1"]
    assert [each["id"] for each in await page.messages()] == ["u1", "c1", "x1"]


async def test_a_client_may_send_the_answer_alone() -> None:
    agent = Playing(call("c1", "send"), said("m1", "Done."))
    runtime, _ = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    await page.send(messages=[], resume=[resolved("c1", YES)])
    assert agent.heard == [("user", "Send it"), ("assistant", ["c1"]), ("tool", "sent to ")]
    assert [each["id"] for each in await page.messages()] == ["u1", "c1", "result-c1", "m1"]


async def test_a_conversation_that_goes_back_behind_the_call_drops_the_question() -> None:
    agent = Playing(call("c1", "send"), said("m1", "Sure?"))
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    before = await page.messages()
    assert await page.send(messages=[USER]) == [*said("m1", "Sure?"), events.run_finished("t1", "r")]
    assert (calls, await page.open_questions()) == ([], [])
    # Another tab still shows the question.
    late = await page.send(messages=before, resume=[resolved("c1", YES)])
    assert (late[-1]["code"], calls, len(agent.inputs)) == ("NO_PENDING_INTERRUPT", [], 2)


async def test_the_question_of_a_remote_runtime_is_the_agents_own() -> None:
    asked = question("c1", "erase", "Erase it?")
    erased = events.tool_call_result("x1", "c1", "erased")
    agent = Playing([*call("c1", "erase"), *announced(asked)], [erased])
    runtime, calls = mailing(agent)
    page = Page(runtime)
    await page.send(USER)
    state = await runtime.load_agent_state("a", "t1", ANN)
    assert state is not None
    assert state.interrupts == [asked]
    shown = {"id": "x", "role": "tool", "toolCallId": "c1", "content": '{"approved":true}'}
    stream = await page.send(shown, resume=[resolved("c1", YES)])
    assert stream[1:] == [erased, events.run_finished("t1", "r")]
    assert [each.interrupt_id for each in agent.inputs[-1].resume or ()] == ["c1"]
    assert (await page.open_questions(), calls) == ([], [])


async def test_a_reader_sees_an_open_question_as_it_was_asked() -> None:
    runtime, _ = mailing(Playing(call("c1", "send")))
    await Page(runtime).send(USER)
    state = await runtime.load_agent_state("a", "t1", ANN)
    assert state is not None
    assert state.interrupts == [question("c1")]


@pytest.mark.parametrize("end", ["stop", "lost"])
async def test_a_call_that_was_begun_is_never_begun_again(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Playing(call("c1", "send"), said("m1", "I do not know."))
    runtime = CopilotRuntime({"a": agent}, state_store=MemoryStateStore())
    begun = asyncio.Event()
    runs: list[int] = []

    @runtime.action(approval=True, message="Send the mail?")
    async def send() -> None:
        runs.append(1)
        begun.set()
        await asyncio.Event().wait()

    page = Page(runtime)
    await page.send(USER)
    run = await page.start(resume=[resolved("c1", YES)])
    await begun.wait()
    if end == "stop":
        run.stop()
    else:
        run.fail(CopilotKitError("gone"))
    await run.wait()
    assert await page.open_questions() == []
    stopped = [entry.event for entry in run.entries if entry.event["type"] == "TOOL_CALL_RESULT"]
    assert [each["toolCallId"] for each in stopped] == ["c1"]
    again = await page.send(resume=[resolved("c1", YES)])
    assert (again[-1]["code"], len(runs)) == ("NO_PENDING_INTERRUPT", 1)


async def test_an_answer_that_guardrails_deny_leaves_the_question_open() -> None:
    guardrails = Guardrails(RuleValidator(deny=[re.compile("weapons")]))
    agent = Playing(call("c1", "send"), said("m1", "Done."))
    runtime, calls = mailing(agent, guardrails=guardrails)
    page = Page(runtime)
    await page.send(USER)
    denied = await page.answer(c1={"approved": False, "reason": "buy weapons"})
    assert denied[-1]["type"] == "RUN_ERROR"
    assert (await page.open_questions(), calls, len(agent.inputs)) == (["c1"], [], 1)
    assert results(await page.answer(c1=YES)) == {"c1": "sent to "}


async def test_who_approved_what_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    runtime, _ = mailing(Playing(call("c1", "send", '{"to":"secret"}'), said("m1", "Done.")))
    page = Page(runtime)
    await page.send(USER)
    with caplog.at_level(logging.INFO, "copilotkit_runtime_py.tools.approvals"):
        await page.answer(c1=YES)
    messages = [each.getMessage() for each in caplog.records if each.name.endswith("approvals")]
    assert messages == ["the user approved call 'c1' of send"]
    assert "secret" not in caplog.text


@pytest.mark.parametrize("left", [[], [_other]], ids=["no tools", "another tool"])
async def test_a_tool_that_is_gone_is_a_result(left: list[Any]) -> None:
    store = MemoryStateStore()
    runtime, _ = mailing(Playing(call("c1", "send")), state_store=store)
    await Page(runtime).send(USER)
    agent = Playing(said("m1", "It is gone."))
    later = CopilotRuntime({"a": agent}, state_store=store, actions=left)
    stream = await Page(later).answer(c1=YES)
    assert results(stream) == {"c1": error("NOT_AVAILABLE", "This tool is not available any more.")}


ADD = call("c1", "add", '{"a": 2, "b": 40}')
UNREACHABLE = error("UNREACHABLE", "The tool's server cannot be reached. This call was not carried out.")
GONE = error("NOT_AVAILABLE", "This tool is not available any more.")


async def test_an_approved_call_whose_server_is_down_says_so_and_the_agent_goes_on() -> None:
    store = MemoryStateStore()
    agent = Playing(ADD, said("m1", "The server is down."))

    def serving(url: str) -> CopilotRuntime:
        server = MCPServer("test", url=url, approve=True)
        return CopilotRuntime({"a": agent}, mcp_servers=[server], state_store=store)

    with served(make_server().streamable_http_app()) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        before = serving(url)
        asked = await Page(before).send(USER)
    after = serving(url)
    stream = await Page(after).answer(c1=YES)
    await asyncio.gather(before.aclose(), after.aclose())

    assert asked[-1]["outcome"]["interrupts"] == [question("c1", "add", "Allow add?")]
    assert results(stream) == {"c1": UNREACHABLE}
    assert agent.heard == [("user", "Send it"), ("assistant", ["c1"]), ("tool", UNREACHABLE)]


async def test_an_approved_call_of_a_tool_that_its_server_offers_no_more_is_not_available() -> None:
    store = MemoryStateStore()
    agent = Playing(ADD, said("m1", "It is gone."))
    with served(make_server().streamable_http_app()) as port:
        servers = [
            MCPServer("test", url=f"http://127.0.0.1:{port}/mcp", approve=True, tools=[tool])
            for tool in ("add", "who_asks")
        ]
        runtimes = [
            CopilotRuntime({"a": agent}, mcp_servers=[server], state_store=store) for server in servers
        ]
        await Page(runtimes[0]).send(USER)
        assert results(await Page(runtimes[1]).answer(c1=YES)) == {"c1": GONE}
        await asyncio.gather(*(runtime.aclose() for runtime in runtimes))


@pytest.mark.parametrize(("answer", "result"), [(YES, "42"), (NO, DENIED)])
async def test_the_user_approves_a_call_of_a_server_that_the_page_named(answer: Any, result: str) -> None:
    agent = Playing(ADD, said("m1", "It is done."))
    servers = ClientMCPServers(hosts=["127.0.0.1"], allow_private=True, approve=["add"])
    runtime = CopilotRuntime({"a": agent}, mcp_servers=[servers])
    with served(make_server().streamable_http_app()) as port:
        named = {"mcpServers": [{"endpoint": f"http://127.0.0.1:{port}/mcp", "apiKey": "secret"}]}
        page = Page(runtime, RequestContext(owner="ann", properties=named))
        asked = await page.send(USER)
        stream = await page.answer(c1=answer)

    assert asked[-1]["outcome"]["interrupts"] == [question("c1", "add", "Allow add on 127.0.0.1?")]
    assert results(stream) == {"c1": result}
    await runtime.aclose()


def test_a_single_name_is_no_list_of_a_pages_tools_to_approve() -> None:
    with pytest.raises(ConfigurationError, match="give a list of names"):
        ClientMCPServers(hosts=["*"], approve="delete")
