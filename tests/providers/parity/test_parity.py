"""What a frontend gets from LangGraph and from CrewAI, over both contracts: the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.providers.parity.conftest import Open
from tests.providers.parity.contracts import Answer
from tests.providers.parity.script import Call, Framework

pytestmark = [
    pytest.mark.anyio,
    # CrewAI reads fields that it has deprecated itself.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

PAINT = {
    "name": "paint",
    "description": "Paints the page",
    "parameters": {"type": "object", "properties": {"color": {"type": "string"}}},
}
PAINT_GREEN = Call("c1", "paint", ('{"color":', '"green"}'))


async def test_text_is_told(framework: Framework, open_chat: Open) -> None:
    chat = open_chat(framework.chat(lambda texts: ["Hel", "lo"]))

    answer = await chat.say("hi")

    assert (answer.texts, answer.steps, answer.failure) == (["Hello"], ["answer"], None)


async def test_a_token_is_there_before_the_next_one_is_written(framework: Framework, open_chat: Open) -> None:
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    chat = open_chat(framework.chat(lambda texts: ["first", wait, "second"]))

    body = b""
    async with chat.exchange() as exchange:
        async for chunk in exchange.chunks():
            body += chunk
            if b"first" in body:
                assert b"second" not in body or go_on.is_set()
                go_on.set()

    assert b"second" in body


async def test_a_tool_of_the_frontend_is_called_and_its_result_goes_on(
    framework: Framework, open_chat: Open
) -> None:
    agent = framework.chat(lambda texts: [PAINT_GREEN] if len(texts) == 1 else [f"I heard: {texts[-1]}"])
    chat = open_chat(agent, tools=[PAINT])

    asked = await chat.say("green, please")
    (call,) = asked.calls
    chat.add_result(call, "painted")
    answer = await chat.run()

    assert (call, asked.texts) == (("c1", "paint", {"color": "green"}), [])
    assert (answer.texts, answer.calls) == (["I heard: painted"], [])


async def test_a_tool_of_the_server_tells_its_call_and_its_result(
    framework: Framework, open_chat: Open
) -> None:
    call = Call("c1", "get_weather", ('{"city": ', '"Rome"}'))
    chat = open_chat(framework.weather(lambda texts: [call] if len(texts) == 1 else [f"It is {texts[-1]}."]))

    answer = await chat.say("Rome?")

    assert answer.calls == [("c1", "get_weather", {"city": "Rome"})]
    assert answer.results == [("c1", "sunny in Rome")]
    assert answer.texts == ["It is sunny in Rome."]


async def test_the_page_and_the_agent_share_their_state(framework: Framework, open_chat: Open) -> None:
    chat = open_chat(framework.shopping())
    chat.state = {"items": ["bread"]}

    answer = await chat.say("milk")

    assert answer == Answer(texts=["2 items"], steps=["add", "count"], state={"items": ["bread", "milk"]})


async def test_a_page_that_is_loaded_again_gets_conversation_and_state(
    framework: Framework, open_chat: Open
) -> None:
    chat = open_chat(framework.shopping())
    await chat.say("milk")
    await chat.say("bread")

    messages, state = await chat.loaded()

    assert messages == [
        ("user", "milk"),
        ("assistant", "1 items"),
        ("user", "bread"),
        ("assistant", "2 items"),
    ]
    assert {name: state[name] for name in state if name not in ("messages", "copilotkit")} == {
        "items": ["milk", "bread"]
    }


async def test_every_run_of_a_thread_knows_what_was_said_before(
    framework: Framework, open_chat: Open
) -> None:
    chat = open_chat(framework.chat(lambda texts: [" | ".join(texts)]))

    answers = [(await chat.say(text)).texts for text in ("a", "b", "c")]

    assert answers == [["a"], ["a | a | b"], ["a | a | b | a | a | b | c"]]


async def test_two_agents_on_a_thread_keep_their_states_apart(framework: Framework, open_chat: Open) -> None:
    agents = {"one": framework.shopping(), "other": framework.shopping()}
    one, other = open_chat(agents, "one"), open_chat(agents, "other")
    await one.say("milk")
    await other.say("bread")

    states = [(await chat.loaded())[1]["items"] for chat in (one, other)]

    assert states == [["milk"], ["bread"]]


async def test_two_threads_of_an_agent_share_nothing(framework: Framework, open_chat: Open) -> None:
    agent = framework.shopping()
    one, other = open_chat(agent), open_chat(agent, thread="t2")

    answers = [await chat.say(item) for chat, item in ((one, "milk"), (other, "bread"), (one, "eggs"))]

    assert [answer.state for answer in answers] == [
        {"items": ["milk"]},
        {"items": ["bread"]},
        {"items": ["milk", "eggs"]},
    ]


async def test_a_question_is_answered_and_the_agent_goes_on(framework: Framework, open_chat: Open) -> None:
    chat = open_chat(framework.booking())

    asked = await chat.say("a table, please")
    answer = await chat.run(answer="yes")

    assert (asked.question, asked.texts) == ("Book it?", [])
    assert (answer.question, answer.texts) == (None, ["You said yes"])


async def test_a_question_may_be_answered_after_others_were(framework: Framework, open_chat: Open) -> None:
    agent = framework.booking()
    one, other = open_chat(agent), open_chat(agent, thread="t2")
    await one.say("a table, please")
    await other.say("another table, please")

    answers = [await chat.run(answer=text) for chat, text in ((other, "no"), (one, "yes"))]

    assert [answer.texts for answer in answers] == [["You said no"], ["You said yes"]]


async def test_words_instead_of_an_answer_are_no_answer(framework: Framework, open_chat: Open) -> None:
    chat = open_chat(framework.booking())
    await chat.say("a table, please")

    answer = await chat.say("wait")

    assert (answer.question, answer.texts) == ("Book it?", [])


async def test_an_answer_to_no_question_is_refused(framework: Framework, open_chat: Open) -> None:
    chat = open_chat(framework.booking())
    await chat.say("a table, please")
    await chat.run(answer="yes")

    answer = await chat.run(answer="yes")

    assert answer == Answer(failure="There is no open question on this thread to answer.")


@pytest.mark.parametrize("open_chat", ["agui"], indirect=True)
@pytest.mark.parametrize(
    ("entry", "answer"), [({"status": "resolved", "payload": "yes"}, "yes"), ({"status": "cancelled"}, None)]
)
async def test_an_interrupt_is_announced_again_and_answered_by_its_id(
    framework: Framework, open_chat: Open, entry: dict[str, Any], answer: str | None
) -> None:
    served = open_chat(framework.booking()).served
    newest: dict[str, Any] = {"protocolVersion": "1.0"}

    asked = await served.events(served.run(run="r1", **newest))
    announced = await served.events(served.connect(**newest))
    (interrupt,) = asked[-1]["outcome"]["interrupts"]
    resume = [{"interruptId": interrupt["id"], **entry}]
    answered = await served.events(served.run(run="r2", messages=[], resume=resume, **newest))

    assert interrupt["message"] == "Book it?"
    assert announced[-1] == asked[-1]
    said = "".join(event["delta"] for event in answered if event["type"] == "TEXT_MESSAGE_CONTENT")
    assert said.startswith("You said")
    assert answer is None or said == f"You said {answer}"
    assert answered[-1]["type"] == "RUN_FINISHED"


async def test_what_the_page_says_of_itself_reaches_the_agent(framework: Framework, open_chat: Open) -> None:
    chat = open_chat(framework.reading())
    chat.context = [{"description": "the user's name", "value": "Ada"}]
    chat.properties = {"plan": "pro"}

    answer = await chat.say("what do you see?")

    assert answer.texts == ["['Ada'] pro"]


async def test_a_failure_is_told_without_its_detail(framework: Framework, open_chat: Open) -> None:
    async def fail() -> None:
        raise ValueError("swordfish")

    chat = open_chat(framework.chat(lambda texts: ["Once ", fail] if len(texts) == 1 else ["Fine."]))

    answer = await chat.say("hi")

    assert answer.texts == ["Once "]
    assert answer.failure is not None
    assert "swordfish" not in answer.failure
    assert (await chat.say("again")).texts == ["Fine."]


async def test_a_stop_cancels_the_model_and_the_thread_goes_on(framework: Framework, open_chat: Open) -> None:
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    agent = framework.chat(lambda texts: ["Once ", hang] if texts == ["a story"] else [" | ".join(texts)])
    chat = open_chat(agent)
    before = asyncio.all_tasks()

    await chat.say_until("a story", "Once ")
    await asyncio.wait_for(cancelled.wait(), 10)
    answer = await chat.say("enough")

    assert answer.texts in (["a story | enough"], ["a story | Once  | enough"])
    assert (await chat.loaded())[0][-2:] == [("user", "enough"), ("assistant", answer.texts[0])]
    assert asyncio.all_tasks() == before


async def test_every_agent_is_offered(framework: Framework, open_chat: Open) -> None:
    chat = open_chat({"one": framework.shopping(), "other": framework.booking()}, "one")

    offered = (await chat.query("availableAgents"))["agents"]
    status, info = await chat.served.json(chat.served.request("GET", "/info"))

    assert [agent["name"] for agent in offered] == ["one", "other"]
    assert (status, list(info["agents"])) == (200, ["one", "other"])
