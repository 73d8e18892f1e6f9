"""Pages whose requests reach one worker or another, as it happens, and workers that lose their store."""

from __future__ import annotations

import pytest

from copilotkit_runtime_py.limits import Limits
from tests.clients_agui.browser import CORE_CLIENTS, OLDEST, Client, only
from tests.clients_agui.conftest import Mount, Visit
from tests.clients_agui.test_interrupts import ANSWERED, ASKED, INTERRUPT, RESUME, approve
from tests.clients_agui.test_threads import IN_TWO_PARTS, WHOLE
from tests.clients_agui.view import assistant, error, shown, user
from tests.faults.process import WorkerProcess, no_orphans
from tests.scripted_agent import ScriptedAgent, run, text
from tests.servers import Redis

pytestmark = pytest.mark.clients

NEWEST = CORE_CLIENTS[0]
newest_and_oldest = only(NEWEST, Client("core", OLDEST, "rest"), Client("agui", "1.0.0", "rest"))


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def store(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


HALF = shown(user("hi"), assistant("one two "))


@newest_and_oldest
def test_a_page_that_is_loaded_again_on_the_other_worker_shows_the_rest(
    mount: Mount, visit: Visit, agent: ScriptedAgent, store: str
) -> None:
    first, second = (mount({"default": IN_TWO_PARTS}, state_store=store) for _ in range(2))
    page = visit(first)
    page.sending("hi", thread="t1")
    page.shows("two ")
    page.close()
    reloaded = visit(second)
    reloaded.connecting(thread="t1")
    reloaded.shows("two ")
    again = visit(second)
    connecting = again.connecting(thread="t1")
    reloaded.close()
    assert again.shows("two ")["messages"] == HALF["messages"]
    agent.open_gate("go")
    assert connecting.result(10) == WHOLE
    assert [visit(url).connect(thread="t1") for url in (first, second)] == [WHOLE] * 2
    assert len(agent.calls) == 1


@newest_and_oldest
def test_a_run_is_stopped_on_the_other_worker_and_the_chat_goes_on_there(
    mount: Mount, visit: Visit, agent: ScriptedAgent, store: str
) -> None:
    first, second = (mount({"default": IN_TWO_PARTS}, state_store=store) for _ in range(2))
    page, other = visit(first), visit(second)
    sending = page.sending("hi", thread="t1")
    page.shows("two ")
    connecting = other.connecting(thread="t1")
    other.shows("two ")
    other.stop()
    assert [sending.result(10), connecting.result(10)] == [HALF] * 2
    assert agent.wait_for_call("default").played.result(10) is False
    agent.play("default", run(*text("m2", "here I am")))
    view = other.send("again", id="u2", thread="t1")
    assert view == shown(*HALF["messages"], user("again", "u2"), assistant("here I am", "m2"))
    assert visit(first).connect(thread="t1") == view


@only(NEWEST, Client("agui", "1.0.0", "rest"))
def test_an_interrupt_is_announced_and_answered_on_the_other_worker(
    mount: Mount, visit: Visit, store: str
) -> None:
    first, second = (mount({"default": approve}, state_store=store) for _ in range(2))
    visit(first).send("send", thread="t1")
    page = visit(second)
    assert page.connect(thread="t1") == shown(*ASKED, interrupts=[INTERRUPT])
    assert page.send(None, thread="t1", resume=RESUME) == shown(*ANSWERED)
    assert visit(first).connect(thread="t1") == shown(*ANSWERED)


@pytest.mark.faults
@only(NEWEST, Client("core", OLDEST, "rest"))
def test_a_page_is_told_of_a_worker_that_was_killed_and_goes_on_with_another(
    mount: Mount, visit: Visit, store: str
) -> None:
    with no_orphans() as processes:
        worker = WorkerProcess(store, 1.0)
        processes.append(worker)
        page = visit(worker.url)
        page.do("setState", state={"count": 100_000, "pause": 0}, agent="counter", thread="t1")
        sending = page.sending("hi", thread="t1", agent="counter")
        page.shows("20 ")
        worker.kill_at_once()
        seen = sending.result(10)["messages"]
        url = mount({"counter": run(*text("m2", "better"))}, state_store=store)
        reloaded = visit(url)
        view = reloaded.connect(thread="t1", agent="counter")
        assert view["messages"][1]["content"].startswith(seen[1]["content"])
        assert view["errors"] == [error("The server that ran this was lost before the end.")]
        told = reloaded.send("again", id="u2", thread="t1", agent="counter")["messages"]
        assert told == [*view["messages"], user("again", "u2"), assistant("better", "m2")]
        later = visit(url).connect(thread="t1", agent="counter")
        assert (later["messages"], later["errors"]) == (told, [])


@pytest.mark.faults
@pytest.mark.redis
def test_no_page_is_disturbed_by_a_store_that_is_away_at_the_end_of_a_run(
    mount: Mount, visit: Visit, agent: ScriptedAgent, own_redis: Redis
) -> None:
    url = mount({"default": IN_TWO_PARTS}, state_store=own_redis.url, limits=Limits(store_seconds=0.2))
    page = visit(url)
    sending = page.sending("hi", thread="t1")
    page.shows("two ")
    own_redis.stop()
    agent.open_gate("go")
    assert sending.result(10) == WHOLE
    assert {told["name"] for told in page.log()["customs"]} == {"unsaved"}
    own_redis.start()
    agent.play("default", run(*text("m2", "better")))
    view = page.send("again", id="u2", thread="t1")
    assert view == shown(*WHOLE["messages"], user("again", "u2"), assistant("better", "m2"))
    reloaded = visit(url)
    assert reloaded.connect(thread="t1") == view
    assert reloaded.log()["customs"] == []
