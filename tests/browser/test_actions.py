"""Backend actions and the chat of CopilotKit 1.10: who goes on after a result, and how often."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from copilotkit_runtime_py import BeforeRequest, CopilotRuntime, create_router
from copilotkit_runtime_py.agui import events
from tests.browser.chat import OpenChat
from tests.mcp_server import served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GREEN = "rgb(0, 128, 0)"


class Painter:
    """An agent that looks a color up, paints where it is asked to, and says what came of it."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        self.runs += 1
        turn = [message for message in input.messages if message.role != "system"]
        results = [str(message.content) for message in turn if message.role == "tool"]
        if results:
            yield events.text_start(f"m{len(turn)}")
            yield events.text_content(f"m{len(turn)}", f"It is {' and '.join(sorted(results))}.")
            return
        yield events.tool_call_start("c1", "lookUp", "m0")
        yield events.tool_call_end("c1")
        if turn[-1].content == "Paint":
            yield events.tool_call_start("c2", "setBackgroundColor", "m0")
            yield events.tool_call_args("c2", '{"color": "green"}')


@pytest.fixture
def painter() -> Painter:
    return Painter()


@pytest.fixture
def asked() -> list[BeforeRequest]:
    """The runs that the page asked for."""
    return []


@pytest.fixture
def url(painter: Painter, asked: list[BeforeRequest]) -> Iterator[str]:
    runtime = CopilotRuntime({"painter": painter}, on_before_request=asked.append)

    @runtime.action(name="lookUp")
    def look_up() -> str:
        return "a fine color"

    app = FastAPI()
    app.include_router(create_router(runtime, path="/copilotkit"))
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    with served(app) as port:
        yield f"http://127.0.0.1:{port}/copilotkit"


@pytest.mark.parametrize("agent", ["painter", ""])
def test_the_answer_comes_in_the_same_response_and_the_page_asks_no_more(
    agent: str, open_chat: OpenChat, url: str, painter: Painter, asked: list[BeforeRequest]
) -> None:
    chat = open_chat(url, agent)
    chat.send("Look it up")
    chat.expect_last_answer("It is a fine color.")
    assert (len(asked), painter.runs) == (1, 2)


def test_the_page_runs_its_own_action_and_then_goes_on_once(
    open_chat: OpenChat, url: str, painter: Painter, asked: list[BeforeRequest]
) -> None:
    chat = open_chat(url, "painter")
    chat.send("Paint")
    chat.expect_background(GREEN)
    chat.expect_last_answer("The background is now green. and a fine color")
    assert (len(asked), painter.runs) == (2, 2)
