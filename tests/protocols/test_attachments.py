"""Files that pages upload: stored once, shown by signed links, and given to agents as content."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI, Header
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py import CopilotRuntime, Limits, create_router, open_state_store
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.attachments import links
from copilotkit_runtime_py.errors import StoreUnavailableError
from copilotkit_runtime_py.state_store.attachments import PART_BYTES
from tests.protocols.agui.served import run_body

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3
ZIP = b"PK\x03\x04\x14\x00"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ADA, EVE = {"x-user": "ada"}, {"x-user": "eve"}


def user(x_user: Annotated[str, Header()]) -> str:
    return x_user


class Viewer:
    """A multimodal agent: it says how many bytes it sees, and shows the conversation as it has it."""

    def __init__(self, *, snapshots: bool = False) -> None:
        self.seen: list[RunAgentInput] = []
        self.snapshots = snapshots

    async def run(self, input: RunAgentInput) -> AsyncIterator[events.Event]:
        self.seen.append(input)
        message = {"id": f"a{len(self.seen)}", "role": "assistant", "content": "seen"}
        if self.snapshots:
            said = [each.model_dump(by_alias=True, exclude_none=True) for each in input.messages]
            yield events.messages_snapshot([*said, message])
        else:
            for event in (
                events.text_start(message["id"]),
                events.text_content(message["id"], "seen"),
                events.text_end(message["id"]),
            ):
                yield event

    def parts(self, run: int = -1, message: int = -1) -> list[dict[str, Any]]:
        """The parts of a message, as the agent got them."""
        said = [each for each in self.seen[run].messages if each.role == "user"][message]
        assert isinstance(said.content, list)
        return [part.model_dump(by_alias=True, exclude_none=True) for part in said.content]


class Page:
    """Requests of one user."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client = client
        self.headers = headers

    async def upload(
        self,
        data: bytes = PNG,
        name: str = "a.png",
        media_type: str = "image/png",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        form = {"file": (name, data, media_type)}
        return await self.client.post("attachments", files=form, headers=self.headers | (headers or {}))

    async def uploaded(self, data: bytes = PNG, **options: Any) -> dict[str, Any]:
        """The source of a message's part, with the URL that a page makes of the link."""
        response = await self.upload(data, **options)
        assert response.status_code == 201, response.text
        source: dict[str, Any] = response.json()
        return {**source, "value": str(response.url.join(source["value"]))}

    async def send(
        self, *parts: dict[str, Any], thread: str = "t1", run: str = "r1", before: Any = ()
    ) -> str:
        message = {"id": f"{run}-u", "role": "user", "content": list(parts)}
        body = run_body(thread=thread, run=run, messages=[*before, message])
        response = await self.client.post("agent/viewer/run", json=body, headers=self.headers)
        assert response.status_code == 200
        return response.text

    async def connect(self, thread: str = "t1") -> str:
        body = run_body(thread=thread, messages=[])
        response = await self.client.post("agent/viewer/connect", json=body, headers=self.headers)
        return response.text

    async def get(self, url: str, **headers: str) -> httpx.Response:
        """What an `<img>` gets, which sends no headers of the page."""
        return await self.client.get(url, headers=headers)


def image(source: dict[str, Any]) -> dict[str, Any]:
    return {"type": "image", "source": source, "metadata": {"filename": "a.png"}}


def data_part(data: bytes = PNG) -> dict[str, Any]:
    source = {"type": "data", "value": base64.b64encode(data).decode(), "mimeType": "image/png"}
    return image(source)


def app_of(runtime: CopilotRuntime, path: str = "/copilotkit") -> FastAPI:
    app = FastAPI()
    app.include_router(create_router(runtime, path=path, identify=user))
    return app


async def never() -> Any:
    raise AssertionError("nothing of the request is awaited")


@asynccontextmanager
async def serving(
    agent: Any, *, path: str = "/copilotkit", mount: str = "", **options: Any
) -> AsyncIterator[tuple[Page, Page, CopilotRuntime]]:
    runtime = CopilotRuntime({"viewer": agent}, **options)
    app = app_of(runtime, path)
    if mount:
        outer = FastAPI()
        outer.mount(mount, app)
        app = outer
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{mount}{path}") as client:
        yield Page(client, ADA), Page(client, EVE), runtime
    await runtime.aclose()


async def test_a_page_gets_a_source_and_the_agent_gets_the_bytes() -> None:
    agent = Viewer()
    async with serving(agent) as (ada, _, _):
        response = await ada.upload()
        assert response.status_code == 201
        assert response.json().keys() == {"type", "value", "mimeType"}
        source = await ada.uploaded()
        assert (source["type"], source["mimeType"]) == ("url", "image/png")
        stream = await ada.send({"type": "text", "text": "What is this?"}, image(source))
        assert agent.parts() == [{"type": "text", "text": "What is this?"}, data_part()]
        assert '"RUN_FINISHED"' in stream
        encoded = base64.b64encode(PNG).decode()
        for shown in (stream, await ada.connect()):
            assert encoded[:40] not in shown
            assert source["value"] in shown


async def test_a_file_is_served_as_it_was_uploaded_and_as_nothing_that_runs() -> None:
    async with serving(Viewer()) as (ada, _, _):
        source = await ada.uploaded(name="Plan 🌍.png")
        response = await ada.get(source["value"])
        assert (response.status_code, response.content) == (200, PNG)
        assert {name: value for name, value in response.headers.items() if name != "date"} == {
            "content-type": "image/png",
            "content-length": str(len(PNG)),
            "content-disposition": "inline; filename*=UTF-8''Plan%20%F0%9F%8C%8D.png",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "cross-origin",
            "accept-ranges": "bytes",
            "cache-control": "private, max-age=3600, immutable",
            "vary": "Origin",
        }
        head = await ada.client.head(source["value"])
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PNG)))


async def test_a_link_is_valid_as_it_was_made_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Viewer()) as (ada, eve, _):
        url = (await ada.uploaded())["value"]
        bare, _, query = url.partition("?")
        expires, signature = (pair.partition("=")[2] for pair in query.split("&"))
        id = bare.rpartition("/")[2]
        theirs = (await eve.uploaded())["value"]
        forged = [
            bare,
            f"{bare}?expires={expires}",
            f"{bare}?signature={signature}",
            f"{bare}?expires={int(expires) + 1}&signature={signature}",
            f"{bare}?expires={expires}&signature={signature[:-1]}",
            f"{bare}?expires={expires}&signature={'A' * 43}",
            f"{bare}?expires={expires}&signature={theirs.rpartition('=')[2]}",
            url.replace(id, theirs.partition("?")[0].rpartition("/")[2]),
            url.replace(id, "A" * 32),
            url.replace(id, id[:-1]),
        ]
        for attempt in forged:
            response = await ada.get(attempt)
            assert response.status_code == 404, attempt
            assert PNG[8:] not in response.content
        assert (await ada.get(url)).status_code == 200
        later = datetime.now(UTC) + timedelta(days=2)
        monkeypatch.setattr("time.time", later.timestamp)
        assert (await ada.get(url)).status_code == 404


async def test_another_users_file_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Viewer()
    missing = {"type": "text", "text": '[The attached file "a.png" is not available any more.]'}
    async with serving(agent) as (ada, eve, _):
        source = await ada.uploaded()
        await eve.send(image(source), thread="t2")
        assert agent.parts() == [missing]
        # It has not become a file of Eve's thread.
        assert (await eve.client.delete("threads/t2", headers=EVE)).status_code == 200
        assert (await ada.get(source["value"])).status_code == 200
        forged = {**source, "value": source["value"][:-4] + "AAAA"}
        await ada.send(image(forged))
        assert agent.parts() == [missing]


async def test_an_upload_needs_the_identity_that_the_application_asks_for() -> None:
    async with serving(Viewer()) as (ada, _, _):
        response = await ada.client.post("attachments", files={"file": ("a.png", PNG, "image/png")})
        assert response.status_code == 422


async def test_other_urls_stay_as_they_are() -> None:
    agent = Viewer()
    async with serving(agent) as (ada, _, _):
        urls = [
            "https://example.com/a.png",
            "https://example.com/attachments/a?expires=1&signature=b",
            "http://169.254.169.254/latest/meta-data",
        ]
        parts = [{"type": "image", "source": {"type": "url", "value": url}} for url in urls]
        await ada.send(*parts)
        assert agent.parts() == parts


async def test_a_later_run_gets_the_files_of_the_whole_conversation() -> None:
    agent = Viewer()
    async with serving(agent) as (ada, _, _):
        part = image(await ada.uploaded())
        first = {"id": "r1-u", "role": "user", "content": [part]}
        await ada.send(part)
        said = [first, {"id": "a1", "role": "assistant", "content": "seen"}]
        await ada.send({"type": "text", "text": "And now?"}, run="r2", before=said)
        assert agent.parts(message=0) == [data_part()]


async def test_an_expired_link_is_renewed_when_the_thread_is_read_and_goes_on_for_the_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Viewer()
    async with serving(agent) as (ada, _, _):
        source = await ada.uploaded()
        await ada.send(image(source))
        later = datetime.now(UTC) + timedelta(days=30)
        monkeypatch.setattr("time.time", later.timestamp)
        assert (await ada.get(source["value"])).status_code == 404
        messages = (await ada.client.get("threads/t1/messages", headers=ADA)).json()["messages"]
        replayed = (await ada.client.get("threads/t1/events", headers=ADA)).json()["events"]
        shown = [
            messages[0]["content"][0]["source"]["value"],
            replayed[0]["input"]["messages"][0]["content"][0]["source"]["value"],
            json.loads((await ada.connect()).partition("data: ")[2].partition("\n")[0])["input"]["messages"][
                0
            ]["content"][0]["source"]["value"],
        ]
        assert len(set(shown)) == 1
        assert shown[0] != source["value"]
        assert (await ada.get(shown[0])).content == PNG
        # A page that is open for so long still has the old link.
        await ada.send(image(source), run="r2")
        assert agent.parts() == [data_part()]


async def test_an_agent_that_shows_the_conversation_shows_the_links() -> None:
    agent = Viewer(snapshots=True)
    async with serving(agent) as (ada, _, _):
        source = await ada.uploaded()
        stream = await ada.send(image(source))
        assert agent.parts() == [data_part()]
        messages = (await ada.client.get("threads/t1/messages", headers=ADA)).json()["messages"]
        encoded = base64.b64encode(PNG).decode()[:40]
        for shown in (stream, json.dumps(messages), await ada.connect()):
            assert encoded not in shown
            assert source["value"] in shown


@pytest.mark.parametrize("kind", ["image", "document"])
async def test_a_graph_with_a_memory_gets_the_bytes_and_shows_the_link(kind: str) -> None:
    seen: list[Any] = []

    def look(state: MessagesState) -> dict[str, Any]:
        seen.append(state["messages"][0].content)
        return {"messages": [AIMessage("seen", id=f"a{len(seen)}")]}

    builder = StateGraph(MessagesState)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    graph = builder.compile(checkpointer=InMemorySaver())
    data = PNG if kind == "image" else b"%PDF-1.7 " + PNG
    encoded = base64.b64encode(data).decode()
    async with serving(graph) as (ada, _, _):
        media_type = "image/png" if kind == "image" else "application/pdf"
        source = await ada.uploaded(data, media_type=media_type)
        part = {"type": kind, "source": source, "metadata": {"filename": "a"}}
        parts: list[dict[str, Any]] = [{"type": "text", "text": "What is this?"}, part]
        question = {"id": "r1-u", "role": "user", "content": parts}
        first = await ada.send(*parts)
        said = [question, {"id": "a1", "role": "assistant", "content": "seen"}]
        second = await ada.send({"type": "text", "text": "And now?"}, run="r2", before=said)
        messages = (await ada.client.get("threads/t1/messages", headers=ADA)).json()["messages"]
        connected = await ada.connect()
    assert [encoded in json.dumps(content) for content in seen] == [True, True]
    for shown in (first, second, json.dumps(messages), connected):
        assert encoded[:40] not in shown
        assert source["value"] in shown


async def test_an_agent_with_server_tools_gets_the_bytes_in_every_round() -> None:
    agent = Viewer()

    class Caller(Viewer):
        async def run(self, input: RunAgentInput) -> AsyncIterator[events.Event]:
            if not self.seen:
                said = [each.model_dump(by_alias=True, exclude_none=True) for each in input.messages]
                yield events.messages_snapshot(said)
                yield events.tool_call_start("c1", "look")
                yield events.tool_call_args("c1", "{}")
                yield events.tool_call_end("c1")
                self.seen.append(input)
                return
            async for event in super().run(input):
                yield event

    agent = Caller()

    def look() -> str:
        """Looks."""
        return "a cat"

    async with serving(agent, actions=[look]) as (ada, _, _):
        source = await ada.uploaded()
        stream = await ada.send(image(source))
        assert [agent.parts(run=0), agent.parts(run=1)] == [[data_part()]] * 2
        assert base64.b64encode(PNG).decode()[:40] not in stream


async def test_the_files_of_a_deleted_thread_are_gone() -> None:
    async with serving(Viewer()) as (ada, _, _):
        sent, other = await ada.uploaded(), await ada.uploaded()
        await ada.send(image(sent))
        assert (await ada.client.delete("threads/t1", headers=ADA)).status_code == 200
        assert [(await ada.get(each["value"])).status_code for each in (sent, other)] == [404, 200]


async def test_a_file_that_is_never_sent_expires() -> None:
    async with serving(Viewer(), limits=Limits(attachment_seconds=0.0)) as (ada, _, runtime):
        first = links.Link.parse((await ada.uploaded())["value"])
        assert first is not None
        await asyncio.sleep(0.01)
        await ada.uploaded()
        assert await runtime.attachments.owned([first], "ada") == {}


@pytest.mark.parametrize(
    ("data", "media_type", "stored"),
    [
        (PNG, "", "image/png"),
        (PNG, "application/octet-stream", "image/png"),
        (PNG, "image/jpeg", "image/png"),
        (b"ID3\x03", "audio/mp3", "audio/mpeg"),
        (b"RIFF....WAVEfmt ", "audio/x-wav", "audio/wav"),
        (b"\x00\x00\x00 ftypisom", "video/mp4", "video/mp4"),
        (b"\x00\x00\x00 ftypisom", "audio/mp4", "audio/mp4"),
        (b"\x1aE\xdf\xa3", "audio/webm;codecs=opus", "audio/webm"),
        (b"%PDF-1.7", "application/pdf", "application/pdf"),
        ("Grüße, 世界".encode(), "text/plain;charset=utf-8", "text/plain"),
        (("é" * 400).encode(), "text/markdown", "text/markdown"),
        (b"a,b\n1,2\n", "", "text/plain"),
        (b'{"a": 1}', "application/json", "application/json"),
        (ZIP, DOCX, DOCX),
    ],
)
async def test_a_file_is_what_its_content_says(data: bytes, media_type: str, stored: str) -> None:
    async with serving(Viewer()) as (ada, _, _):
        source = await ada.uploaded(data, media_type=media_type)
        assert source["mimeType"] == stored
        served = (await ada.get(source["value"])).headers["content-type"]
        text = stored.startswith("text/") or stored == "application/json"
        assert served == ("text/plain; charset=utf-8" if text else stored)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"<script>alert(1)</script>", "image/png"),
        (b"<html>", "application/pdf"),
        (b"<html><script>alert(1)</script>", "text/html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
        (PNG, "text/plain"),
        (PNG, "application/pdf"),
        (b"MZ\x90\x00", ""),
        (b"MZ\x90\x00", "application/x-msdownload"),
        (ZIP, ""),
        (ZIP, "application/zip"),
        (ZIP, "application/pdf"),
        (ZIP, "application/json"),
        (ZIP, "image/png"),
        (b"a\x00b", "text/plain"),
        (b"\xff\xfe\xfa", "text/csv"),
        (b"x = 1", "text/javascript"),
        (b"x", "x" * 1_000),
    ],
)
async def test_a_file_that_lies_or_is_not_allowed_is_refused(data: bytes, media_type: str) -> None:
    async with serving(Viewer()) as (ada, _, _):
        response = await ada.upload(data, media_type=media_type)
        assert (response.status_code, response.json()["code"]) == (415, "ATTACHMENT_REFUSED")
        assert len(response.text) < 2000


@pytest.mark.parametrize("media_type", ["application/zip", "application/epub+zip"])
async def test_an_archive_that_an_application_allows_is_what_the_browser_says(media_type: str) -> None:
    async with serving(Viewer(), attachment_types=[media_type]) as (ada, _, _):
        assert (await ada.uploaded(ZIP, media_type=media_type))["mimeType"] == media_type
        assert (await ada.upload(ZIP, media_type=DOCX)).status_code == 415


@pytest.mark.parametrize("name", ["image/", "image/a b", "image/\x01x", "image/x,text/html", "image/☃"])
async def test_a_type_that_no_header_can_hold_is_refused(name: str) -> None:
    async with serving(Viewer(), attachment_types=["image/*"]) as (ada, _, _):
        assert (await ada.upload(b"x", media_type=name)).status_code == 415


async def test_active_content_that_an_application_allows_is_only_downloaded() -> None:
    async with serving(Viewer(), attachment_types=["text/html", "image/*"]) as (ada, _, _):
        for data, media_type in ((b"<script>", "text/html"), (b"<svg onload=alert(1)/>", "image/svg+xml")):
            response = await ada.get((await ada.uploaded(data, media_type=media_type))["value"])
            assert response.headers["content-disposition"].startswith("attachment")
            assert "sandbox" in response.headers["content-security-policy"]
            assert response.headers["x-content-type-options"] == "nosniff"
        assert (await ada.upload(b"%PDF-1.7", media_type="application/pdf")).status_code == 415


async def test_a_file_has_a_largest_size() -> None:
    async with serving(Viewer(), limits=Limits(attachment_bytes=PART_BYTES + 1)) as (ada, _, _):
        largest = PNG + bytes(PART_BYTES + 1 - len(PNG))
        assert (await ada.get((await ada.uploaded(largest))["value"])).content == largest
        for size in (len(largest) + 1, 3 * len(largest)):
            response = await ada.upload(PNG + bytes(size - len(PNG)))
            assert response.status_code == 413
            assert response.json()["message"] == (
                "The file exceeds 393217 bytes. The server's --limit attachment_bytes=N "
                "(Limits.attachment_bytes) sets this."
            )
        assert (await ada.upload(b"")).status_code == 400


async def test_an_owner_has_a_quota_of_files_and_bytes() -> None:
    limits = Limits(attachments_per_owner=3, attachment_bytes_per_owner=2 * len(PNG))
    async with serving(Viewer(), limits=limits) as (ada, eve, _):
        await ada.send(image(await ada.uploaded()))
        await ada.uploaded()
        refused = await ada.upload()
        assert (refused.status_code, refused.json()["code"]) == (413, "ATTACHMENT_REFUSED")
        assert "attachment_bytes_per_owner" in refused.json()["message"]
        assert (await eve.upload()).status_code == 201
        await ada.client.delete("threads/t1", headers=ADA)
        assert (await ada.upload(PNG[:100])).status_code == 201
        assert (await ada.upload(PNG[:100])).status_code == 201
        assert (await ada.upload(PNG[:100])).status_code == 413


async def test_uploads_count_among_the_requests_of_a_minute() -> None:
    async with serving(Viewer(), limits=Limits(runs_per_minute_per_owner=2)) as (ada, eve, _):
        assert [(await ada.upload()).status_code for _ in range(3)] == [201, 201, 429]
        assert (await eve.upload()).status_code == 201


async def test_a_page_of_another_origin_cannot_upload_unasked() -> None:
    async with serving(Viewer()) as (ada, _, _):
        origin = {"origin": "https://evil.example"}
        for headers, status in (
            (origin, 403),
            ({**origin, "x-requested-with": "fetch"}, 201),
            ({**origin, "authorization": "Bearer x"}, 201),
            # A browser adds these by itself, to the form of any page.
            ({**origin, "authorization": "Basic eDp5"}, 403),
            ({**origin, "authorization": "Negotiate x"}, 403),
            ({**origin, "cookie": "session=x"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": "http://test.evil.example"}, 403),
            ({"origin": "http://test:8080"}, 403),
            ({"origin": "http://test"}, 201),
        ):
            assert (await ada.upload(headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (PNG, "image/png", 415),
        (b"nonsense", "multipart/form-data", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--\r\n', "", 415),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"nonsense", "application/x; a=multipart/form-data; boundary=x", 415),
        (b"nonsense", 'multipart/form-data; boundary="x; charset=punycode"', 400),
        (b"--x\r\n" + b"a: b\r\n" * 1_000, "multipart/form-data; boundary=x", 400),
    ],
)
async def test_a_malformed_form_is_refused(body: bytes, content_type: str, status: int) -> None:
    async with serving(Viewer()) as (ada, _, _):
        headers = {**ADA, "content-type": content_type}
        response = await ada.client.post("attachments", content=body, headers=headers)
        assert response.status_code == status
        assert response.json().keys() == {"error", "message"}


@pytest.mark.parametrize("charset", ["utf-8", "undefined", "punycode", "unicode_escape", "no such"])
async def test_the_names_in_a_form_are_utf8_whatever_its_header_says(charset: str) -> None:
    part = 'Content-Disposition: form-data; name="file"; filename="Grüße.png"\r\nContent-Type: image/png'
    body = b"--x\r\n%b\r\n\r\n%b\r\n--x--\r\n" % (part.encode(), PNG)
    async with serving(Viewer()) as (ada, _, _):
        headers = {**ADA, "content-type": f"Multipart/Form-Data; boundary=x; charset={charset}"}
        response = await ada.client.post("attachments", content=body, headers=headers)
        assert response.status_code == 201
        served = await ada.get(str(response.url.join(response.json()["value"])))
        assert served.headers["content-disposition"] == "inline; filename*=UTF-8''Gr%C3%BC%C3%9Fe.png"


async def test_a_part_of_a_file_is_served_as_players_ask_for_it() -> None:
    data = PNG + bytes(PART_BYTES) + b"the end"
    async with serving(Viewer()) as (ada, _, _):
        url = (await ada.uploaded(data))["value"]
        for asked, start, stop in (
            ("bytes=0-3", 0, 4),
            ("bytes=0-", 0, len(data)),
            ("bytes=-7", len(data) - 7, len(data)),
            (f"bytes={PART_BYTES - 2}-{PART_BYTES + 1}", PART_BYTES - 2, PART_BYTES + 2),
            (f"bytes=5-{10 * len(data)}", 5, len(data)),
        ):
            response = await ada.get(url, range=asked)
            assert (response.status_code, response.content) == (206, data[start:stop]), asked
            assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(data)}"
        beyond = await ada.get(url, range=f"bytes={len(data)}-")
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
        for nonsense in ("bytes=-", "bytes=0-1,3-4", "lines=1-2", "bytes=9-3x", "bytes=5-2"):
            assert (await ada.get(url, range=nonsense)).status_code == 200
        assert (await ada.get(url, range="bytes=-0")).status_code == 416
        head = await ada.client.head(url, headers={"range": "bytes=0-3"})
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(data)))


@pytest.mark.parametrize("outage", [False, True])
async def test_a_file_that_is_gone_while_it_is_sent_ends_the_answer_early_and_quietly(
    outage: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Viewer()) as (ada, _, runtime):
        link = (await ada.upload(PNG + bytes(2 * PART_BYTES))).json()["value"]
        store: Any = runtime.state_store
        read = store.read_attachment

        async def lost(id: str, place: int) -> bytes | None:
            if place == 0:
                return await read(id, place)  # type: ignore[no-any-return]
            if outage:
                raise StoreUnavailableError
            return None

        monkeypatch.setattr(store, "read_attachment", lost)
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        path, _, query = f"/copilotkit/{link}".partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [],
        }
        await app_of(runtime)(scope, never, send)
    assert [message.get("more_body") for message in sent] == [None, True]
    assert len(sent[1]["body"]) == PART_BYTES
    assert "stopped sending a file" in caplog.text


async def test_files_beyond_what_a_request_may_bring_are_left_out_the_oldest_first() -> None:
    agent = Viewer()
    limits = Limits(request_bytes=150_000)
    async with serving(agent, limits=limits) as (ada, _, _):
        files = [PNG + bytes([place]) * 50_000 for place in range(3)]
        parts = [image(await ada.uploaded(data)) for data in files]
        said = [{"id": f"u{n}", "role": "user", "content": [part]} for n, part in enumerate(parts[:2])]
        await ada.send(parts[2], before=said)
        text = '[The attached file "a.png" is left out, since later files fill the request.]'
        assert agent.parts(message=0) == [{"type": "text", "text": text}]
        assert [agent.parts(message=n) for n in (1, 2)] == [[data_part(files[1])], [data_part(files[2])]]


@pytest.mark.parametrize(("path", "mount"), [("/copilotkit", "/sub/app"), ("/", "/sub"), ("/", "")])
async def test_the_endpoint_may_be_anywhere(path: str, mount: str) -> None:
    agent = Viewer()
    async with serving(agent, path=path, mount=mount) as (ada, _, _):
        source = await ada.uploaded()
        assert (await ada.get(source["value"])).content == PNG
        await ada.send(image(source))
        assert agent.parts() == [data_part()]


async def test_workers_and_restarts_share_files_and_links(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'threads.db'}"
    async with serving(Viewer(), state_store=url) as (ada, _, _):
        source = await ada.uploaded()
        agent = Viewer()
        async with serving(agent, state_store=url) as (other, _, _):
            assert (await other.get(source["value"])).content == PNG
            await other.send(image(source))
            assert agent.parts() == [data_part()]
    async with serving(Viewer(), state_store=url) as (again, _, _):
        assert (await again.get(source["value"])).content == PNG


async def test_a_store_without_files_says_so() -> None:
    class Narrow:
        """A store of an application that stores no files."""

        def __init__(self) -> None:
            self._store = open_state_store("memory")

        def __getattr__(self, name: str) -> Callable[..., Any]:
            if "attachment" in name:
                raise AttributeError(name)
            method: Callable[..., Any] = getattr(self._store, name)
            return method

    agent = Viewer()
    async with serving(agent, state_store=Narrow()) as (ada, _, _):
        response = await ada.upload()
        assert (response.status_code, response.json()["code"]) == (501, "ATTACHMENT_REFUSED")
        assert (await ada.get(f"attachments/{'A' * 32}?expires=1&signature={'B' * 43}")).status_code == 404
