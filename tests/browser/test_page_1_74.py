"""React pages on CopilotKit 1.74 in a real browser, against the demo agent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from copilotkit_runtime_py.demo.model import STORY
from tests.browser.newest_chat import V1Chat, V2Chat
from tests.browser.server import Server, running

# The first test also installs and builds the pages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GREEN = "rgb(0, 128, 0)"
WHITE = "rgb(255, 255, 255)"

Open = Callable[..., V1Chat]


@pytest.fixture(params=[V1Chat, V2Chat], ids=["v1", "v2"])
def open_page(request: pytest.FixtureRequest, browser: Browser, newest_site: str) -> Iterator[Open]:
    """Opens one of the pages in tabs of a browser window, each on a thread of its own."""
    context = browser.new_context(viewport={"width": 1100, "height": 700})

    def open_page(url: str, agent: str, **settings: str) -> V1Chat:
        chat: V1Chat = request.param(context.new_page(), newest_site, url, agent, **settings)
        return chat

    yield open_page
    context.close()


@pytest.fixture
def chat(open_page: Open, demo: str) -> V1Chat:
    """A chat with the demo agent."""
    return open_page(demo, "demo")


@pytest.fixture(scope="module")
def others() -> Iterator[tuple[Server, str]]:
    """A server with other agents."""
    files = {"asking": "agents", "faulty": "agents", "echo": "agents", "ticker": "ticker"}
    agents = [f"--agent={name}=tests/browser/{file}.py:{name}" for name, file in files.items()]
    with running("serve", *agents) as served:
        yield served


def test_the_second_message_gets_its_own_answer(chat: V1Chat) -> None:
    chat.send("What is the weather in Paris?")
    chat.expect_last_answer("Paris")
    chat.send("What is the weather in Rome?")
    chat.expect_last_answer("Rome")
    assert [text for text in chat.conversation if text] == [
        "What is the weather in Paris?",
        "It is 21 °C and sunny in Paris.",
        "What is the weather in Rome?",
        "It is 21 °C and sunny in Rome.",
    ]
    chat.picture("two-messages")
    chat.expect_no_trouble()


def test_a_frontend_tool_changes_the_page_and_the_agent_goes_on(chat: V1Chat) -> None:
    chat.expect_background(WHITE)
    chat.send("Please make the page green")
    chat.expect_background(GREEN)
    chat.expect_last_answer("The background is now green.")
    chat.picture("frontend-tool")
    chat.expect_no_trouble()


def test_a_tool_waits_for_the_user_who_may_refuse(open_page: Open, demo: str) -> None:
    chat = open_page(demo, "demo", asksFirst="yes")
    chat.send("Please make the page red")
    expect(chat.question).to_contain_text("Paint the page red?")
    chat.picture("human-in-the-loop")
    chat.answer("No")
    chat.expect_last_answer("The user keeps the background as it is.")
    chat.expect_background(WHITE)
    chat.send("Please make the page green")
    expect(chat.question.last).to_contain_text("Paint the page green?")
    chat.answer("Yes")
    chat.expect_background(GREEN)
    chat.expect_last_answer("The background is now green.")
    chat.expect_no_trouble()


def test_page_and_agent_share_their_state(chat: V1Chat) -> None:
    expect(chat.items).to_have_count(0)
    chat.tab.get_by_role("button", name="Add bread").click()
    chat.send("Add milk to my list")
    expect(chat.items).to_have_text(["bread", "milk"])
    chat.expect_last_answer("It has 2 items now.")
    expect(chat.items).to_have_text(["bread", "milk"])
    chat.picture("shared-state")
    chat.expect_no_trouble()


def test_the_answer_to_an_interrupt_resumes_the_agent(chat: V1Chat) -> None:
    chat.send("Book a table")
    expect(chat.question).to_contain_text("Shall I book a table for 2?")
    chat.picture("interrupt")
    chat.answer("No")
    chat.expect_last_answer("not booked anything")
    expect(chat.question).to_have_count(0)
    chat.send("Book a table for three")
    expect(chat.question).to_contain_text("Shall I book a table for 3?")
    chat.answer("Yes")
    chat.expect_last_answer("The table for 3 is booked.")
    chat.expect_no_trouble()


# The v1 hook hands on the AG-UI interrupt in place of the text that the page shows.
@pytest.mark.parametrize("open_page", [V2Chat], indirect=True, ids=["v2"])
def test_the_answer_to_an_interrupt_of_the_standard_kind_names_it(
    open_page: Open, others: tuple[Server, str]
) -> None:
    chat = open_page(others[1], "asking")
    for button, words in (("No", "not booked anything"), ("Yes", "is booked")):
        chat.send("Book a table")
        expect(chat.question).to_contain_text("Shall I book a table for 2?")
        with chat.tab.expect_request("**/run") as sent:
            chat.answer(button)
        (entry,) = json.loads(sent.value.post_data or "")["resume"]
        assert (entry["status"], entry["payload"]) == ("resolved", button.lower())
        chat.expect_last_answer(words)
        expect(chat.question).to_have_count(0)
    chat.expect_no_trouble()


# The v1 chat takes no message while it asks.
@pytest.mark.parametrize("open_page", [V2Chat], indirect=True, ids=["v2"])
def test_a_message_that_does_not_answer_the_interrupt_is_no_answer_to_it(chat: V1Chat) -> None:
    chat.send("Book a table")
    expect(chat.question).to_be_visible()
    chat.send("Add milk to my list")
    chat.expect_last_answer("It has 1 item now.")
    expect(chat.question).to_have_count(0)
    chat.expect_no_trouble()


def test_a_question_waits_in_its_own_thread_and_is_asked_again_after_a_reload(chat: V1Chat) -> None:
    chat.send("Book a table")
    expect(chat.question).to_be_visible()
    chat.reload()
    expect(chat.question).to_contain_text("Shall I book a table for 2?")
    chat.answer("No")
    chat.expect_last_answer("not booked anything")
    chat.switch(str(uuid4()))
    chat.send("Book a table for three")
    expect(chat.question).to_contain_text("Shall I book a table for 3?")
    asked = chat.tab.get_by_test_id("page").get_attribute("data-thread")
    chat.switch(chat.thread_id)
    expect(chat.question).to_have_count(0)
    chat.switch(str(asked))
    chat.answer("Yes")
    chat.expect_last_answer("The table for 3 is booked.")
    chat.expect_no_trouble()


def test_an_error_is_shown_and_the_next_message_is_answered(
    open_page: Open, others: tuple[Server, str]
) -> None:
    server, url = others
    chat = open_page(url, "faulty")
    chat.send("Fail")
    expect(chat.banner).to_contain_text("error id")
    expect(chat.tab.get_by_text("what only the operator may see")).to_have_count(0)
    server.wait_for("what only the operator may see")
    chat.picture("error")
    chat.send("Try again")
    chat.expect_last_answer("It is done.")
    before = chat.conversation
    assert before == ["Fail", "I am on it.", "Try again", "I am on it. It is done."]
    chat.reload()
    expect(chat.answers).to_have_count(2)
    assert chat.conversation == before
    expect(chat.banner).to_have_count(0)


def test_headers_and_properties_of_the_page_reach_the_agent(
    open_page: Open, others: tuple[Server, str]
) -> None:
    chat = open_page(others[1], "echo")
    chat.send("What do you know?")
    chat.expect_last_answer("authorization is Bearer page-token, x-tenant is acme, plan is gold")
    chat.expect_no_trouble()


def test_threads_keep_their_conversations_and_states_when_the_page_switches(chat: V1Chat) -> None:
    chat.send("Add milk to my list")
    chat.expect_last_answer("milk")
    first = chat.conversation
    chat.switch(str(uuid4()))
    expect(chat.user_messages).to_have_count(0)
    expect(chat.items).to_have_count(0)
    chat.send("Add eggs to my list")
    chat.expect_last_answer("It has 1 item now.")
    expect(chat.items).to_have_text(["eggs"])
    chat.switch(chat.thread_id)
    expect(chat.items).to_have_text(["milk"])
    expect(chat.user_messages).to_have_text(["Add milk to my list"])
    assert chat.conversation == first
    chat.expect_no_trouble()


def test_a_page_reloaded_in_the_middle_of_an_answer_shows_it_to_its_end(chat: V1Chat) -> None:
    chat.send("Tell me a long story")
    chat.wait_until_written(5)
    chat.reload()
    expect(chat.busy).to_be_visible()
    chat.picture("reloaded-mid-stream")
    chat.expect_last_answer("when to stop.")
    assert chat.conversation == ["Tell me a long story", STORY]
    chat.expect_no_trouble()


def test_a_reload_brings_the_conversation_and_the_state_back_and_repeats_no_tool(chat: V1Chat) -> None:
    chat.send("Please make the page green")
    chat.expect_last_answer("green")
    chat.send("Add milk to my list")
    chat.expect_last_answer("milk")
    before = chat.conversation
    chat.reload()
    expect(chat.items).to_have_text(["milk"])
    chat.expect_last_answer("milk")
    assert chat.conversation == before
    chat.picture("reloaded")
    chat.send("Add eggs to my list")
    chat.expect_last_answer("It has 2 items now.")
    assert chat.conversation[: len(before)] == before
    chat.expect_background(WHITE)
    chat.expect_no_trouble()


def test_an_answer_grows_until_it_is_stopped_and_the_thread_takes_the_next_message(chat: V1Chat) -> None:
    chat.send("Tell me a long story")
    chat.wait_until_written(20)
    chat.stop()
    chat.wait_until_idle()
    shown, stopped = chat.shown_texts, chat.conversation
    assert len(shown) >= 5
    assert all(later.startswith(earlier.rstrip()) for earlier, later in pairwise(shown))
    question, answer = stopped
    assert question == "Tell me a long story"
    assert answer.startswith(shown[-1].strip())
    assert STORY.startswith(answer)
    chat.picture("stopped")
    chat.send("What is the weather in Rome?")
    chat.expect_last_answer("sunny in Rome.")
    assert chat.conversation[:2] == stopped
    after = chat.conversation
    chat.reload()
    chat.expect_last_answer("sunny in Rome.")
    assert chat.conversation == after
    chat.expect_no_trouble()


def test_stop_cancels_the_agent_of_this_tab_and_no_other(open_page: Open, others: tuple[Server, str]) -> None:
    server, url = others
    stopped, running = open_page(url, "ticker"), open_page(url, "ticker")
    for chat in (stopped, running):
        chat.send("Tick")
        chat.wait_until_written(5)
    stopped.stop()
    server.wait_for(f"cancelled: {stopped.thread_id}")
    stopped.wait_until_idle()
    running.wait_until_written(5 + len(running.conversation[1].split()))
    assert f"cancelled: {running.thread_id}" not in server.output
    running.stop()
    server.wait_for(f"cancelled: {running.thread_id}")
    for chat in (stopped, running):
        chat.wait_until_idle()
        chat.expect_no_trouble()


def test_everything_passes_over_a_single_endpoint(open_page: Open, demo: str) -> None:
    chat = open_page(demo, "demo", transport="single")
    urls: set[str] = set()
    chat.tab.on("request", lambda request: urls.add(request.url))
    chat.send("Please make the page green")
    chat.expect_background(GREEN)
    chat.expect_last_answer("The background is now green.")
    chat.send("Book a table")
    chat.answer("Yes")
    chat.expect_last_answer("is booked")
    chat.send("Tell me a long story")
    expect(chat.answers.last).to_contain_text("small server")
    chat.reload()
    expect(chat.answers.last).to_contain_text("great care")
    chat.stop()
    chat.wait_until_idle()
    expect(chat.user_messages).to_have_count(3)
    assert {url for url in urls if url.startswith(demo)} == {demo}
    chat.expect_no_trouble()
