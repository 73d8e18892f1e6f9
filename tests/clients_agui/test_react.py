"""React pages: a chat under either generation's provider, and the hooks for threads and interrupts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients_agui.browser import Browser, Client, Page, PageError, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.steps import started, tool_call
from tests.clients_agui.test_interrupts import INTERRUPT, QUESTION, approve, ask_name
from tests.clients_agui.view import assistant, shown, user
from tests.scripted_agent import RUN_FINISHED, RUN_STARTED, Script, ScriptedAgent, Step, run, text

pytestmark = pytest.mark.clients

PROVIDERS = tuple(
    Client("react", provider, transport)
    for provider in ("v1", "v2")
    for transport in ("auto", "rest", "single")
)
react = only(*PROVIDERS)
hooks = only(Client("react", "v2", "auto"), Client("react", "v2", "single"))


@react
def test_a_chat_is_answered_and_shown_again_after_a_reload(mount: Mount, visit: Visit) -> None:
    url = mount({"default": run(*text("m1", "Hello"))})
    page = visit(url, thread="t1")
    expected = shown(user("hi"), assistant("Hello"))
    assert page.send("hi") == expected
    page.close()
    assert visit(url, thread="t1").view() == expected


@react
def test_a_chat_that_is_loaded_again_in_the_middle_of_a_run_shows_the_rest(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    end: Step = {"event": {"type": "TEXT_MESSAGE_END", "messageId": "m1"}}
    script: Script = [
        RUN_STARTED,
        *started("m1", "one "),
        {"gate": "go"},
        *started("m1", "two")[1:],
        end,
        RUN_FINISHED,
    ]
    url = mount({"default": script})
    page = visit(url, thread="t1")
    page.sending("hi")
    page.shows("one ")
    page.close()
    reloaded = visit(url, thread="t1", settle=False)
    assert reloaded.shows("one ")["messages"] == [user("hi"), assistant("one ")]
    agent.open_gate("go")
    assert reloaded.shows("two")["messages"] == [user("hi"), assistant("one two")]
    assert len(agent.calls) == 1


@hooks
def test_an_interrupt_is_answered_in_the_page(mount: Mount, visit: Visit, agent: ScriptedAgent) -> None:
    url = mount({"default": approve})
    page = visit(url, thread="t1")
    page.send("send")
    assert page.do("asked")["interrupts"] == [INTERRUPT]
    page.do("resolve", payload={"ok": True})
    answer = assistant("resolved: {'ok': True}", "m2")
    page.shows("resolved")
    asked, resumed = agent.calls
    assert (resumed.input["runId"], len(resumed.input["resume"])) == (asked.input["runId"], 1)
    page.close()
    reloaded = visit(url, thread="t1")
    assert reloaded.view() == shown(user("send"), assistant("May I?"), answer)


@hooks
def test_an_interrupt_of_an_older_agent_is_answered_in_the_page(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    url = mount({"default": ask_name})
    page = visit(url, thread="t1")
    page.send("hi")
    assert page.do("asked")["event"] == QUESTION
    page.do("resolve", payload="Ada")
    page.shows("Hello Ada")
    command = agent.calls[1].input["forwardedProps"]["command"]
    assert command == {"resume": "Ada", "interruptEvent": QUESTION["value"]}


def decorate(run_input: dict[str, Any]) -> list[Step]:
    """Calls a tool of the server, one of the page and one that asks the user, and says what came of them."""
    results = [message["content"] for message in run_input["messages"] if message["role"] == "tool"]
    if results:
        return run(*text("m1", ", ".join(sorted(results))))
    names = ("price", "setTheme", "approve")
    return run(*(step for name in names for step in tool_call(name, name, "{}", parent="m0")))


@hooks
def test_tools_of_the_server_of_the_page_and_of_the_user_answer_one_turn(
    mount: Mount, visit: Visit, agent: ScriptedAgent
) -> None:
    def price() -> str:
        return "12 €"

    url = mount({"default": decorate}, actions=[price])
    page = visit(url, thread="t1", tools=[{"name": "setTheme", "result": "dark"}], approves="approve")
    sending = page.sending("Decorate")
    page.do("respond", result="yes")
    view = sending.result(20)
    assert (view["messages"][-1], view["errors"]) == (assistant("12 €, dark, yes"), [])
    assert len(agent.calls) == 2
    page.close()
    shown_again = visit(url, thread="t1").view()["messages"]
    assert {m["toolCallId"]: m["content"] for m in shown_again if m["role"] == "tool"} == {
        "price": "12 €",
        "setTheme": "dark",
        "approve": "yes",
    }


THREADS = {f"t{number}": f"m{number}" for number in range(1, 4)}


def answer_by_thread(run_input: dict[str, Any]) -> list[Step]:
    return run(*text(THREADS[run_input["threadId"]], "ok"))


def listed(page: Page, *ids: str) -> dict[str, Any]:
    threads = page.do("listed", ids=ids)["threads"]
    return {thread["id"]: (thread["name"], thread["archived"]) for thread in threads}


@pytest.fixture
def three_threads(mount: Mount, browser: Browser) -> str:
    """The URL of a runtime with three threads."""
    url = mount({"default": answer_by_thread, "other": run()})
    page = browser.open(Client("core", "1.75.0", "rest"), url)
    for thread in THREADS:
        page.send("hi", thread=thread)
    page.close()
    return url


@hooks
def test_threads_are_listed_by_agent(three_threads: str, visit: Visit) -> None:
    view = visit(three_threads).do("listed", ids=list(THREADS))
    assert [thread["id"] for thread in view["threads"]] == ["t3", "t2", "t1"]
    rows = [{name: thread[name] for name in ("agentId", "name", "archived")} for thread in view["threads"]]
    assert rows == [{"agentId": "default", "name": "hi", "archived": False}] * 3
    times = [thread["lastRunAt"] for thread in view["threads"]]
    assert times == sorted(times, reverse=True)
    assert visit(three_threads, agent="other").do("listed", ids=[])["threads"] == []


@hooks
def test_threads_are_listed_page_by_page(three_threads: str, visit: Visit) -> None:
    page = visit(three_threads, limit=2)
    assert page.do("listed", ids=["t3", "t2"])["hasMoreThreads"] is True
    page.do("more")
    assert page.do("listed", ids=list(THREADS))["hasMoreThreads"] is False


@hooks
def test_a_thread_is_renamed(three_threads: str, visit: Visit) -> None:
    page = visit(three_threads)
    listed(page, *THREADS)
    page.do("manage", action="renameThread", thread="t2", name="Holidays")
    page.do("refetch")
    renamed = {"t1": ("hi", False), "t2": ("Holidays", False), "t3": ("hi", False)}
    assert listed(page, *THREADS) == renamed
    again = visit(three_threads)
    assert listed(again, *THREADS) == renamed
    assert [thread["id"] for thread in again.do("listed", ids=list(THREADS))["threads"]] == ["t3", "t2", "t1"]


@hooks
def test_a_thread_is_archived_and_comes_back(three_threads: str, visit: Visit) -> None:
    page = visit(three_threads)
    listed(page, *THREADS)
    page.do("manage", action="archiveThread", thread="t2")
    page.do("refetch")
    assert listed(page, "t1", "t3") == {"t1": ("hi", False), "t3": ("hi", False)}
    everything = visit(three_threads, includeArchived=True)
    assert listed(everything, *THREADS)["t2"] == ("hi", True)
    everything.do("manage", action="unarchiveThread", thread="t2")
    assert listed(visit(three_threads), *THREADS)["t2"] == ("hi", False)


@hooks
def test_a_thread_is_deleted(three_threads: str, visit: Visit) -> None:
    page = visit(three_threads)
    listed(page, *THREADS)
    page.do("manage", action="deleteThread", thread="t2")
    page.do("refetch")
    assert set(listed(page, "t1", "t3")) == {"t1", "t3"}
    assert visit(three_threads, thread="t2").view() == shown()
    with pytest.raises(PageError, match="404"):
        page.do("manage", action="deleteThread", thread="t2")
