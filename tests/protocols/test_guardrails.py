"""What users may say: on both contracts, whoever asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import RequestContext, RequestFailed
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.errors import GuardrailsDeniedError
from copilotkit_runtime_py.guardrails import (
    GuardrailInput,
    GuardrailMessage,
    Guardrails,
    RuleValidator,
    Verdict,
)
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Event, Served, run_body, serve

pytestmark = pytest.mark.anyio

DENIED = "GUARDRAILS_VALIDATION_FAILED"
UNAVAILABLE = ("GUARDRAILS_UNAVAILABLE", "The message could not be checked. Please try again.")
KEY = "ck_pub_planted_91c2"
MUTATION = """mutation ($data: GenerateCopilotResponseInput!) {
  generateCopilotResponse(data: $data) {
    status { ... on BaseResponseStatus { code } ... on FailedResponseStatus { reason details } }
    messages { ... on TextMessageOutput { content } }
  }
}"""


@dataclass(frozen=True)
class Outcome:
    """What a client is told: the whole text of the answers, and the code and words of an error."""

    text: str = ""
    error: tuple[str, str] | None = None


class Agent:
    """Says how many of the user's messages it was given."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    async def run(self, input: RunAgentInput) -> AsyncIterator[Event]:
        said = [str(message.content) for message in input.messages if message.role == "user"]
        self.given.append(said)
        yield events.text_start("m1")
        yield events.text_content("m1", f"{len(said)} read")
        yield events.text_end("m1")


class Judge:
    """Denies what has "cars" in it."""

    def __init__(self) -> None:
        self.asked: list[GuardrailInput] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.was_asked = asyncio.Event()
        self.cancelled = 0

    async def validate(self, input: GuardrailInput) -> Verdict:
        self.asked.append(input)
        self.was_asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if "outage" in input.text:
            raise RuntimeError("the database is at 10.0.0.7")
        return Verdict(allowed="cars" not in input.text, reason="Let us not talk about cars.")

    @property
    def texts(self) -> list[str]:
        return [input.text for input in self.asked]


def user(text: str, id: str = "u1") -> Event:
    return {"id": id, "role": "user", "content": text}


def graphql(served: Served, messages: list[Event], thread: str = "t1", rules: Any = None) -> Exchange:
    sent = [
        {
            "id": message["id"],
            "createdAt": "2026-01-01T00:00:00Z",
            "textMessage": {"role": message["role"], "content": message["content"]},
        }
        for message in messages
    ]
    data: dict[str, Any] = {"frontend": {"actions": []}, "metadata": {}, "messages": sent, "threadId": thread}
    headers = {"accept": "application/json"}
    if rules is not None:
        data["cloud"] = {"guardrails": {"inputValidationRules": rules}}
        headers["x-copilotcloud-public-api-key"] = KEY
    return served.request("POST", "", {"query": MUTATION, "variables": {"data": data}}, headers)


async def asked_by_graphql(served: Served, messages: list[Event], **options: Any) -> Outcome:
    async with graphql(served, messages, **options) as exchange:
        response = (await exchange.json())["data"]["generateCopilotResponse"]
    text = "".join("".join(message.get("content", ())) for message in response["messages"])
    status = response["status"]
    if status["code"] == "Success":
        return Outcome(text)
    details = status["details"]
    if status["reason"] == DENIED:
        return Outcome(text, (DENIED, details["guardrailsReason"]))
    return Outcome(text, (details["originalError"]["extensions"]["code"], details["description"]))


async def asked_by_agui(served: Served, messages: list[Event], thread: str = "t1", **fields: Any) -> Outcome:
    return told(await served.events(served.run(thread=thread, messages=messages, **fields)))


def told(emitted: list[Event]) -> Outcome:
    text = "".join(event["delta"] for event in emitted if event["type"] == "TEXT_MESSAGE_CONTENT")
    last = emitted[-1]
    return Outcome(text, (last["code"], last["message"]) if last["type"] == "RUN_ERROR" else None)


Ask = Callable[..., Any]
both_contracts = pytest.mark.parametrize("ask", [asked_by_graphql, asked_by_agui])


@both_contracts
async def test_a_denied_message_never_reaches_the_agent_nor_is_it_kept(ask: Ask) -> None:
    agent, judge = Agent(), Judge()
    failures: list[RequestFailed] = []
    async with serve({"agent": agent}, guardrails=Guardrails(judge), on_error=failures.append) as served:
        bad = user("sports cars")
        assert await ask(served, [bad]) == Outcome(error=(DENIED, "Let us not talk about cars."))
        assert agent.given == []
        [failure] = failures
        assert isinstance(failure.error, GuardrailsDeniedError)
        kept = await served.runtime.load_agent_state("agent", "t1", RequestContext())
        assert kept is not None
        assert kept.messages == []

        again = await ask(served, [bad, user("cats", "u2")])
        assert again == Outcome("1 read")
        assert agent.given == [["cats"]]
        assert judge.texts == ["sports cars", "cats"]


@both_contracts
async def test_what_the_thread_keeps_is_judged_once(ask: Ask) -> None:
    agent, judge = Agent(), Judge()
    async with serve({"agent": agent}, guardrails=Guardrails(judge, deny=["dogs"])) as served:
        first, answer = user("cats"), {"id": "m1", "role": "assistant", "content": "1 read"}
        assert await ask(served, [first]) == Outcome("1 read")
        assert await ask(served, [first, answer, user("more", "u2")]) == Outcome("2 read")
        history = (
            GuardrailMessage(role="user", content="cats"),
            GuardrailMessage(role="assistant", content="1 read"),
        )
        assert judge.asked == [
            GuardrailInput(text="cats", deny=("dogs",)),
            GuardrailInput(text="more", deny=("dogs",), history=history),
        ]
        # A follow-up, such as one with the result of a tool, says nothing new.
        assert await ask(served, [first, answer]) == Outcome("1 read")
        assert len(judge.asked) == 2


@both_contracts
async def test_a_kept_message_of_another_text_is_new(ask: Ask) -> None:
    agent = Agent()
    async with serve({"agent": agent}, guardrails=Guardrails(Judge())) as served:
        assert await ask(served, [user("cats")]) == Outcome("1 read")
        outcome = await ask(served, [user("cars"), {"id": "m1", "role": "assistant", "content": "go on"}])
        assert outcome.error == (DENIED, "Let us not talk about cars.")
        assert len(agent.given) == 1


@both_contracts
async def test_a_denied_message_behind_others_does_not_reach_the_agent(ask: Ask) -> None:
    agent = Agent()
    async with serve({"agent": agent}, guardrails=Guardrails(Judge())) as served:
        messages = [user("cars"), user("an outage", "u2"), user("cats", "u3"), user("dogs", "u4")]
        assert await ask(served, messages) == Outcome("2 read")
        assert agent.given == [["cats", "dogs"]]


async def test_of_a_conversation_that_nobody_knows_the_newest_part_is_judged() -> None:
    agent, judge = Agent(), Judge()
    async with serve({"agent": agent}, guardrails=Guardrails(judge)) as served:
        messages = [user(str(n), f"u{n}") for n in range(60)]
        assert await asked_by_agui(served, messages) == Outcome("51 read")
        assert len(judge.asked) == 51


@both_contracts
async def test_without_a_verdict_nothing_is_let_through_and_no_cause_told(ask: Ask) -> None:
    agent = Agent()
    async with serve({"agent": agent}, guardrails=Guardrails(Judge()), development=True) as served:
        assert await ask(served, [user("an outage")]) == Outcome(error=UNAVAILABLE)
        assert agent.given == []
        assert await ask(served, [user("cats", "u2")]) == Outcome("1 read")


@both_contracts
async def test_the_outage_policy_may_let_everything_through(ask: Ask) -> None:
    async with serve({"agent": Agent()}, guardrails=Guardrails(Judge(), on_outage="allow")) as served:
        assert await ask(served, [user("an outage")]) == Outcome("1 read")


@both_contracts
async def test_no_output_comes_before_the_verdict(ask: Ask) -> None:
    agent, judge = Agent(), Judge()
    judge.may_answer.clear()
    async with (
        serve({"agent": agent}, guardrails=Guardrails(judge)) as served,
        anyio.create_task_group() as group,
    ):

        async def denied() -> None:
            assert await ask(served, [user("cars")]) == Outcome(error=(DENIED, "Let us not talk about cars."))

        group.start_soon(denied)
        with anyio.fail_after(10):
            await judge.was_asked.wait()
        await anyio.wait_all_tasks_blocked()
        assert agent.given == []
        judge.may_answer.set()
    assert agent.given == []


async def test_a_run_is_stopped_while_its_message_is_judged() -> None:
    agent, judge = Agent(), Judge()
    judge.may_answer.clear()
    async with serve({"agent": agent}, guardrails=Guardrails(judge)) as served:
        async with served.run(messages=[user("cats")]) as run:
            with anyio.fail_after(10):
                await judge.was_asked.wait()
            assert (await served.json(served.stop()))[1]["stopped"] is True
            assert [event["type"] for event in await run.all_events()] == ["RUN_STARTED", "RUN_FINISHED"]
        assert (judge.cancelled, agent.given) == (1, [])
        judge.may_answer.set()
        # It was not judged, so it is not kept as if it were.
        assert await asked_by_agui(served, [user("cats")]) == Outcome("1 read")
        assert judge.texts == ["cats", "cats"]


async def test_a_page_that_leaves_ends_the_judging() -> None:
    agent, judge = Agent(), Judge()
    judge.may_answer.clear()
    async with serve({"agent": agent}, guardrails=Guardrails(judge)) as served:
        async with graphql(served, [user("cats")]):
            with anyio.fail_after(10):
                await judge.was_asked.wait()
        assert served.runtime.active_run("t1", RequestContext()) is None
        await served.runtime.drain(10)
        assert (judge.cancelled, agent.given) == (1, [])


@both_contracts
async def test_fifty_at_once_get_their_own_verdict(ask: Ask) -> None:
    agent, judge = Agent(), Judge()
    judge.may_answer.clear()
    outcomes: dict[int, Outcome] = {}
    async with (
        serve({"agent": agent}, guardrails=Guardrails(judge)) as served,
        anyio.create_task_group() as group,
    ):

        async def one(n: int) -> None:
            outcomes[n] = await ask(served, [user("cars" if n % 2 else "cats")], thread=f"t{n}")

        for n in range(50):
            group.start_soon(one, n)
        with anyio.fail_after(30):
            while len(judge.asked) < 50:
                await anyio.lowlevel.checkpoint()
        judge.may_answer.set()
    denied = Outcome(error=(DENIED, "Let us not talk about cars."))
    assert outcomes == {n: denied if n % 2 else Outcome("1 read") for n in range(50)}
    assert len(agent.given) == 25


async def test_the_texts_of_a_message_of_many_parts_are_judged() -> None:
    agent, judge = Agent(), Judge()
    image = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
    parts = [{"type": "text", "text": "look:"}, image, {"type": "text", "text": "a cat"}]
    async with serve({"agent": agent}, guardrails=Guardrails(judge)) as served:
        assert await asked_by_agui(served, [{**user(""), "content": parts}]) == Outcome("1 read")
        assert await asked_by_agui(served, [{**user("", "u2"), "content": [image]}]) == Outcome("1 read")
    assert judge.texts == ["look:\na cat"]


async def test_a_text_before_a_picture_is_what_the_user_says_now() -> None:
    image = {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}}
    async with serve({"agent": Agent()}, guardrails=Guardrails(Judge())) as served:
        outcome = await asked_by_agui(served, [user("cars"), {**user("", "u2"), "content": [image]}])
    assert outcome.error == (DENIED, "Let us not talk about cars.")


@pytest.mark.parametrize(
    "answer",
    [
        {"resume": [{"interruptId": "i1", "status": "resolved", "payload": {"say": ["about", "cars"]}}]},
        {"forwardedProps": {"command": {"resume": "cars"}}},
    ],
)
async def test_the_answer_to_an_interrupt_is_judged(answer: Event) -> None:
    agent = Agent()
    async with serve({"agent": agent}, guardrails=Guardrails(Judge())) as served:
        outcome = await asked_by_agui(served, [], **answer)
    assert outcome.error == (DENIED, "Let us not talk about cars.")
    assert agent.given == []


async def test_suggestions_are_judged() -> None:
    agent = Agent()
    async with serve({"agent": agent}, guardrails=Guardrails(Judge())) as served:
        body = run_body(messages=[user("cars")])
        assert told(await served.events(served.agent("suggest", "agent", body))).error is not None
        assert agent.given == []
        body = run_body(messages=[user("cars"), user("suggest cats", "u2")])
        assert told(await served.events(served.agent("suggest", "agent", body))) == Outcome("1 read")
        assert agent.given == [["suggest cats"]]


async def test_a_thread_shows_the_denied_message_and_no_answer() -> None:
    async with serve({"agent": Agent()}, guardrails=Guardrails(Judge())) as served:
        await asked_by_agui(served, [user("cars")])
        shown = await served.events(served.connect())
    assert [event["type"] for event in shown] == ["RUN_STARTED", "RUN_FINISHED"]
    assert shown[0]["input"]["messages"] == [user("cars")]


NARROW = Guardrails(RuleValidator(), allow=["cats", "dogs"], deny=["wolves"])
SAYS = "This topic is not allowed here."


@pytest.mark.parametrize(
    ("text", "rules", "allowed"),
    [
        ("cats", None, True),
        ("cats", {}, True),
        ("cats", {"denyList": ["cats"]}, False),
        ("cats", {"allowList": ["dogs"]}, False),
        ("cats and dogs", {"allowList": ["dogs"]}, True),
        ("horses", {"allowList": ["horses"]}, False),
        ("dogs and wolves", {"allowList": ["wolves"], "denyList": []}, False),
        ("horses", {"allowList": [], "denyList": []}, False),
    ],
)
async def test_a_frontend_can_narrow_what_may_be_said_and_never_widen_it(
    text: str, rules: Any, allowed: bool
) -> None:
    agent = Agent()
    async with serve({"agent": agent}, guardrails=NARROW) as served:
        outcome = await asked_by_graphql(served, [user(text)], rules=rules)
    assert outcome == (Outcome("1 read") if allowed else Outcome(error=(DENIED, SAYS)))
    assert bool(agent.given) is allowed


@pytest.mark.parametrize("rules", [{}, {"allowList": ["cats"]}])
async def test_a_frontend_that_asks_for_what_nobody_can_judge_is_refused(rules: Any) -> None:
    agent = Agent()
    async with serve({"agent": agent}) as served:
        outcome = await asked_by_graphql(served, [user("cats")], rules=rules)
        no_validator = "This runtime has no validator for the guardrails asked for."
        assert outcome == Outcome(error=(DENIED, no_validator))
        assert agent.given == []


async def test_a_frontend_that_asks_for_too_many_rules_is_refused() -> None:
    agent = Agent()
    async with serve({"agent": agent}, guardrails=NARROW) as served:
        async with graphql(served, [user("cats")], rules={"denyList": ["x"] * 101}) as exchange:
            [error] = (await exchange.json())["errors"]
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert await asked_by_graphql(served, [user("cats")]) == Outcome("1 read")


async def test_the_cloud_key_of_a_frontend_reaches_no_agent_validator_or_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    agent, judge = Agent(), Judge()
    async with serve({"agent": agent}, guardrails=Guardrails(judge)) as served:
        assert await asked_by_graphql(served, [user("cats")], rules={}) == Outcome("1 read")
        assert await asked_by_graphql(served, [user("outage", "u2")], rules={}) == Outcome(error=UNAVAILABLE)
    assert KEY not in repr([agent.given, judge.asked, caplog.text])
