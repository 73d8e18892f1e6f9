"""Files that the newest page uploads, in a real browser and from another origin."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI
from playwright.sync_api import Browser, expect

from copilotkit_runtime_py import CopilotRuntime, Limits, create_router
from tests.browser.newest_chat import V2Chat
from tests.serving import serving

# The first test also installs and builds the pages.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def png(width: int, height: int) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x30\x90\xd0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Viewer:
    """A scripted multimodal model: it says what it sees of each file of the conversation."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def run(self, input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
        parts = [
            part.model_dump(by_alias=True, exclude_none=True)
            for message in input.messages
            if message.role == "user" and isinstance(message.content, list)
            for part in message.content
        ]
        self.seen = [part["source"] for part in parts if "source" in part]
        text = ", ".join(f"{source['mimeType']} as {source['type']}" for source in self.seen)
        message_id = f"answer-of-{input.run_id}"
        yield {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}
        yield {
            "type": "TEXT_MESSAGE_CONTENT",
            "messageId": message_id,
            "delta": f"I see {text or 'nothing'}.",
        }
        yield {"type": "TEXT_MESSAGE_END", "messageId": message_id}


@contextmanager
def runtime(agent: Viewer, store: str) -> Iterator[str]:
    runtime = CopilotRuntime({"viewer": agent}, state_store=store, limits=Limits(attachment_bytes=64 * 1024))
    app = FastAPI()
    app.include_router(create_router(runtime, path="/api/copilotkit"))
    with serving(app) as url:
        yield f"{url}/api/copilotkit"


def loaded(chat: V2Chat) -> bool:
    """Whether the picture of the user's message is shown."""
    picture = chat.user_messages.last.locator("img")
    expect(picture).to_be_visible()
    shown: bool = picture.evaluate("each => each.decode().then(() => each.naturalWidth === 40, () => false)")
    return shown


def test_an_uploaded_picture_reaches_the_agent_and_is_there_after_a_reload(
    browser: Browser, newest_site: str, tmp_path: Path
) -> None:
    agent, picture = Viewer(), png(40, 30)
    with runtime(agent, f"sqlite:///{tmp_path}/threads.db") as url:
        chat = V2Chat(browser.new_context().new_page(), newest_site, url, "viewer")
        with chat.tab.expect_response("**/attachments") as answer:
            chat.tab.locator("input[type=file]").set_input_files(
                {"name": "plan.png", "mimeType": "image/png", "buffer": picture}
            )
        assert answer.value.status == 201
        expect(chat.tab.get_by_test_id("copilot-attachment-queue").locator("img")).to_be_visible()
        with chat.tab.expect_request("**/run") as sent:
            chat.send("What is this?")
        assert len(sent.value.post_data or "") < 4_000
        chat.expect_last_answer("I see image/png as data.")
        assert loaded(chat)
        chat.picture("attachment")
        (source,) = agent.seen
        assert base64.b64decode(source["value"]) == picture
        link = chat.user_messages.last.locator("img").get_attribute("src") or ""
        assert link.startswith(f"{url}/attachments/")

        chat.reload()
        chat.expect_last_answer("I see image/png as data.")
        assert loaded(chat)
        chat.send("And now?")
        chat.expect_last_answer("I see image/png as data.")

        # Another browser, which has no cookies and no headers of the page, needs the whole link.
        stranger = browser.new_context().request
        assert stranger.get(link).body() == picture
        for altered in (
            link.partition("?")[0],
            link[:-1],
            link[:-4] + "AAAA",
            link.replace("expires=", "expires=1"),
        ):
            assert stranger.get(altered).status == 404
        thread = f"{url}/threads/{chat.thread_id}"
        assert stranger.delete(thread).status == 200
        assert stranger.get(link).status == 404
        chat.expect_no_trouble()


def test_the_page_shows_why_a_file_is_refused(browser: Browser, newest_site: str) -> None:
    with runtime(Viewer(), "memory") as url:
        chat = V2Chat(browser.new_context().new_page(), newest_site, url, "viewer")
        files = chat.tab.locator("input[type=file]")
        files.set_input_files(
            {"name": "a.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + bytes(200_000)}
        )
        expect(chat.tab.locator(chat.BANNER).last).to_contain_text(
            "The file exceeds 64 KiB. The server's --limit"
        )
        files.set_input_files(
            {"name": "a.png", "mimeType": "image/png", "buffer": b"<script>alert(1)</script>"}
        )
        expect(chat.tab.locator(chat.BANNER).last).to_have_text("The file's content is not image/png.")


def test_the_page_of_the_documentation_is_the_page_under_test() -> None:
    root = Path(__file__).parents[2]
    documented = (root / "docs/attachments.md").read_text(encoding="utf-8").partition("```tsx\n")[2]
    tested = (root / "tests/browser/page-1.74/src/v2/upload.ts").read_text(encoding="utf-8")
    function = documented[: documented.index("\n}\n") + 3]
    assert function in tested.replace(", ...settings.headers }", " }").replace("export async", "async")
