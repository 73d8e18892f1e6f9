"""The real clients before graphs on a LangGraph server, and beside the Node runtime on the same server."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk import get_sync_client

from copilotkit_runtime_py.providers.langgraph_platform.provider import LangGraphPlatform
from copilotkit_runtime_py.tools.actions import action_from
from tests.clients.conftest import Serve
from tests.clients_agui.browser import NEWEST, Browser, Client, View, only
from tests.clients_agui.conftest import Visit
from tests.clients_agui.node import HERE
from tests.langgraph_server import LangGraphDev
from tests.providers.langgraph_platform.conftest import NAMES, server

__all__ = ["server"]

pytestmark = [pytest.mark.clients, pytest.mark.processes]

PLUMBING = ("messages", "tools", "copilotkit", "ag-ui")
TOOL = {"name": "paint", "parameters": {"type": "object", "properties": {}}, "result": "is painted"}
newest = only(Client("core", NEWEST, "rest"), Client("core", NEWEST, "single"))


@pytest.fixture(scope="module")
def reference(node_environment: dict[str, str], server: LangGraphDev) -> Iterator[str]:
    """The URL of a Node runtime whose agents are the server's graphs."""
    command = ["node", str(HERE / "langgraph_reference.mjs"), server.url, *NAMES]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=node_environment, text=True)
    assert process.stdout
    yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
    process.terminate()
    process.wait(10)
    process.stdout.close()


def thread() -> str:
    return str(uuid.uuid4())


def conversation(view: View) -> list[tuple[Any, ...]]:
    """What the messages of a view say: nothing that is generated."""
    return [
        (
            message["role"],
            message.get("content") or "",
            [(c["function"]["name"], c["function"]["arguments"]) for c in message.get("toolCalls") or ()],
        )
        for message in view["messages"]
    ]


def merged(view: View) -> dict[str, Any]:
    """What a client has made of a run, without what is generated and what is no state of the graph."""
    state = {name: value for name, value in view["state"].items() if name not in PLUMBING}
    return {"conversation": conversation(view), "state": state, "errors": view["errors"]}


@pytest.mark.parametrize("transport", ["rest", "single"])
@pytest.mark.parametrize("graph", ["chat", "tools", "page_tools", "emits", "subgraphs", "reasons"])
def test_a_client_has_the_same_in_the_end_as_through_the_node_runtime(
    graph: str, transport: Any, server: LangGraphDev, serve: Serve, browser: Browser, reference: str
) -> None:
    ours = serve({graph: LangGraphPlatform(server.url, graph=graph)})
    client, found = Client("core", NEWEST, transport), []
    for url in (ours, reference + transport):
        page = browser.open(client, url, tools=[TOOL])
        where: dict[str, Any] = {"agent": graph, "thread": thread()}
        found.append([merged(page.send(text, id=f"u{text}", **where)) for text in ("one", "two")])
        page.close()

    assert found[0] == found[1]


@only(Client("agui", "1.0.0", "rest"))
def test_an_interrupt_is_answered_after_a_reload(server: LangGraphDev, serve: Serve, visit: Visit) -> None:
    url, id = serve({"default": LangGraphPlatform(server.url, graph="questions")}), thread()

    (asked,) = visit(url).send("hi", thread=id)["interrupts"]
    page = visit(url)
    (announced,) = page.connect(thread=id)["interrupts"]
    assert announced == asked
    for answer in ("Bob", 42):
        (open_,) = page.view()["interrupts"]
        resume = [{"interruptId": open_["id"], "status": "resolved", "payload": answer}]
        view = page.send(None, thread=id, resume=resume)

    assert conversation(view)[-1] == ("assistant", "Bob is 42", [])
    assert (view["interrupts"], view["errors"]) == ([], [])


@newest
def test_an_interrupt_is_answered_by_older_pages(server: LangGraphDev, serve: Serve, visit: Visit) -> None:
    page = visit(serve({"default": LangGraphPlatform(server.url, graph="questions")}))
    where: dict[str, Any] = {"thread": thread()}

    page.send("hi", **where)
    page.send(None, forwardedProps={"command": {"resume": "Bob"}}, **where)
    view = page.send(None, forwardedProps={"command": {"resume": "42"}}, **where)

    assert conversation(view)[-1] == ("assistant", "Bob is 42", [])
    assert view["errors"] == []
    asked = [custom["value"] for custom in page.log()["customs"] if custom["name"] == "on_interrupt"]
    assert asked == ['{"message":"Name?","kind":"name"}', "Age?"]


@newest
def test_a_stop_cancels_the_run_on_the_server(server: LangGraphDev, serve: Serve, visit: Visit) -> None:
    url, id = serve({"default": LangGraphPlatform(server.url, graph="counts")}), thread()
    page = visit(url)

    sending = page.sending("1000", thread=id)
    page.shows("0 1 2 3")
    page.stop()
    stopped = sending.result(1)

    assert stopped["errors"] == []
    assert "0 1 2 3" in stopped["messages"][-1]["content"]
    client = get_sync_client(url=server.url)
    (run,) = client.runs.list(id)
    client.runs.join(id, run["run_id"])
    assert client.runs.get(id, run["run_id"])["status"] == "interrupted"
    client.http.client.close()
    after = page.send("3", id="u2", thread=id)
    assert conversation(after)[-1] == ("assistant", "0 1 2 ", [])


@newest
def test_a_new_process_shows_the_history_of_the_server(
    server: LangGraphDev, serve: Serve, visit: Visit
) -> None:
    id = thread()
    first = serve({"default": LangGraphPlatform(server.url, graph="chat")})
    before = visit(first).send("hi", thread=id)

    second = serve({"default": LangGraphPlatform(server.url, graph="chat")})
    page = visit(second)
    after = page.connect(thread=id)

    assert after == before
    assert conversation(page.send("more", id="u2", thread=id))[-1] == ("assistant", "Reply 2 to more", [])


@newest
def test_a_failing_graph_is_an_error_without_its_text(
    server: LangGraphDev, serve: Serve, visit: Visit
) -> None:
    page = visit(serve({"default": LangGraphPlatform(server.url, graph="fails")}))

    view = page.send("hi", thread=thread())

    assert len(view["errors"]) == 1
    assert "An internal error occurred (error id" in view["errors"][0]["message"]
    assert "secret detail" not in str(page.log())


@only(Client("agui", "1.0.0", "rest"), Client("core", NEWEST, "single"))
@pytest.mark.parametrize("approved", [True, False], ids=["granted", "denied"])
def test_a_tool_of_this_server_waits_for_the_users_approval(
    server: LangGraphDev, serve: Serve, visit: Visit, approved: bool
) -> None:
    painted: list[str] = []

    def paint() -> str:
        painted.append("painted")
        return "is painted"

    action = action_from(paint, approval=True, message="Paint it?")
    url = serve({"default": LangGraphPlatform(server.url, graph="page_tools")}, actions=[action])
    id = thread()
    visit(url).send("hi", thread=id)
    page = visit(url)
    (asked,) = page.connect(thread=id)["interrupts"]
    assert (asked["message"], painted) == ("Paint it?", [])
    resume = [{"interruptId": asked["id"], "status": "resolved", "payload": {"approved": approved}}]
    view = page.send(None, thread=id, resume=resume)
    assert (len(painted), view["interrupts"], view["errors"]) == (int(approved), [], [])
    assert [message["role"] for message in view["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert conversation(visit(url).connect(thread=id)) == conversation(view)
