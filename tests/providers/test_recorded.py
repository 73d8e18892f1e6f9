"""A recorded thread is played again: the same events for the same page, and a clear word for any other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ag_ui.core import RunAgentInput
from fastapi import FastAPI
from starlette.testclient import TestClient

from copilotkit_runtime_py import CopilotRuntime, RecordedAgent, create_router
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.demo.agent import agent as demo
from copilotkit_runtime_py.recording import RecordingError, ThreadRecording
from tests.test_cli import run as command

Event = dict[str, Any]
PAINT = {"name": "setBackground", "description": "", "parameters": {"type": "object", "properties": {}}}


@contextmanager
def serving(agent: Any, store: str = "memory") -> Iterator[TestClient]:
    runtime = CopilotRuntime(agents={"demo": agent}, state_store=store)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await runtime.aclose()

    app = FastAPI(lifespan=lifespan)
    app.include_router(create_router(runtime, path="/ck"))
    with TestClient(app) as client:
        yield client


class Page:
    """What a page does on one thread: it keeps the conversation, and sends all of it each time."""

    def __init__(self, client: TestClient, thread_id: str) -> None:
        self._client = client
        self.thread_id = thread_id
        self.messages: list[Event] = []
        self._runs = 0

    def run(self, **members: Any) -> list[Event]:
        self._runs += 1
        body = {
            "threadId": self.thread_id,
            "runId": f"{self.thread_id}-r{self._runs}",
            "messages": self.messages,
            "tools": [PAINT],
            "protocolVersion": "1.0",
            **members,
        }
        answer = self._client.post("/ck/agent/demo/run", json=body)
        told = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        for event in told:
            if event["type"] == "MESSAGES_SNAPSHOT":
                self.messages = event["messages"]
            elif event["type"] == "TEXT_MESSAGE_START":
                self.messages.append({"id": event["messageId"], "role": "assistant", "content": ""})
            elif event["type"] == "TEXT_MESSAGE_CONTENT":
                self.messages[-1]["content"] += event["delta"]
        return told

    def say(self, text: str) -> list[Event]:
        id = f"{self.thread_id}-u{len(self.messages)}"
        self.messages.append({"id": id, "role": "user", "content": text})
        return self.run()

    def answer(self, payload: Any, interrupts: list[Event]) -> list[Event]:
        return self.run(
            resume=[
                {"interruptId": each["id"], "status": "resolved", "payload": payload} for each in interrupts
            ]
        )

    def result(self, call_id: str, content: str) -> list[Event]:
        id = f"{self.thread_id}-t{len(self.messages)}"
        self.messages.append({"id": id, "role": "tool", "toolCallId": call_id, "content": content})
        return self.run()


def text_of(told: list[Event]) -> str:
    return "".join(event["delta"] for event in told if event["type"] == "TEXT_MESSAGE_CONTENT")


def essence(told: list[Event]) -> list[Event]:
    """Events without what belongs to a thread or a run: their ids, and the input."""
    kept = []
    for event in told:
        if event["type"] == "MESSAGES_SNAPSHOT":
            messages = [{k: v for k, v in message.items() if k != "id"} for message in event["messages"]]
            kept.append({"type": event["type"], "messages": messages})
        else:
            kept.append({k: v for k, v in event.items() if k not in ("threadId", "runId", "input")})
    return kept


def interrupts_of(told: list[Event]) -> list[Event]:
    interrupts: list[Event] = told[-1]["outcome"]["interrupts"]
    return interrupts


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[Event]]]:
    """A recording of a conversation with the demo agent, and what each of its runs told the page."""
    folder = tmp_path_factory.mktemp("recorded")
    store = f"sqlite:///{folder / 'threads.db'}"
    told = []
    with serving(demo, store) as client:
        page = Page(client, "order")
        told.append(page.say("Book a table for three"))
        told.append(page.answer("yes", interrupts_of(told[-1])))
        told.append(page.say("Please make the page green"))
        call = next(event for event in told[-1] if event["type"] == "TOOL_CALL_START")
        told.append(page.result(call["toolCallId"], "painted"))
        told.append(page.say("What is the weather in Paris?"))
    path = folder / "order.jsonl"
    written = command("threads", "export", "order", "--store", store, "--output", str(path))
    assert written.exit_code == 0, written.output
    return path, told


def played_by(page: Page) -> list[list[Event]]:
    told = [page.say("Book a table  for three")]
    told.append(page.answer("yes", interrupts_of(told[-1])))
    told.append(page.say("Please make the page green"))
    call = next(event for event in told[-1] if event["type"] == "TOOL_CALL_START")
    told.append(page.result(call["toolCallId"], "painted"))
    told.append(page.say("What is the weather in Paris?"))
    return told


def test_a_page_that_does_the_same_gets_the_same_events_on_any_number_of_threads(
    recorded: tuple[Path, list[list[Event]]],
) -> None:
    path, told = recorded
    with serving(RecordedAgent(path, speed=0)) as client:
        for thread_id in ("one", "two"):
            played = played_by(Page(client, thread_id))
            for before, after in zip(told, played, strict=True):
                assert text_of(after) == text_of(before)
                if "outcome" not in before[-1]:
                    assert essence(after)[-1:] == essence(before)[-1:]
            # The last run is recorded event by event.
            assert essence(played[-1]) == essence(told[-1])


def test_every_delta_comes_again_as_it_came(recorded: tuple[Path, list[list[Event]]]) -> None:
    path, told = recorded
    with serving(RecordedAgent(path, speed=0)) as client:
        played = played_by(Page(client, "one"))

    for before, after in zip(told, played, strict=True):
        assert [e for e in essence(after) if "delta" in e] == [e for e in essence(before) if "delta" in e]


def test_another_message_is_an_error_that_says_what_the_recording_has_and_the_thread_goes_on(
    recorded: tuple[Path, list[list[Event]]],
) -> None:
    path, told = recorded
    with serving(RecordedAgent(path, speed=0)) as client:
        page = Page(client, "one")
        departed = page.say("Hello?")
        gone_on = page.say("Book a table for three")

    reason = (
        "The recording continues with the message “Book a table for three”; "
        "the page sent the message “Hello?”."
    )
    assert departed[1:] == [
        events.text_start("departure-one-r1"),
        events.text_content("departure-one-r1", reason),
        events.text_end("departure-one-r1"),
        events.run_error(reason, "RECORDING_DEPARTED"),
    ]
    assert interrupts_of(gone_on) == interrupts_of(told[0])


def test_a_message_in_place_of_an_answer_is_an_error(recorded: tuple[Path, list[list[Event]]]) -> None:
    with serving(RecordedAgent(recorded[0], speed=0)) as client:
        page = Page(client, "one")
        page.say("Book a table for three")
        departed = page.say("Please make the page green")

    assert departed[-1] == events.run_error(
        "The recording continues with the answer “yes” to an interrupt; "
        "the page sent the message “Please make the page green”.",
        "RECORDING_DEPARTED",
    )


def test_another_answer_is_named_and_the_recording_continues(
    recorded: tuple[Path, list[list[Event]]],
) -> None:
    path, told = recorded
    with serving(RecordedAgent(path, speed=0)) as client:
        page = Page(client, "one")
        asked = page.say("Book a table for three")
        played = page.answer("no", interrupts_of(asked))
        page.say("Please make the page green")
        call = next(m for m in page.messages if m.get("toolCalls") and "setBackground" in json.dumps(m))
        after = page.result(call["toolCalls"][0]["id"], "refused")

    said = (
        "The recording has the answer “yes” to an interrupt, "
        "and the page gave the answer “no” to an interrupt."
    )
    assert text_of(played) == said + text_of(told[1])
    assert text_of(after) == (
        "The recording has the tool result “painted”, and the page gave the tool result “refused”."
        + text_of(told[3])
    )


def test_after_its_last_run_a_recording_is_over(recorded: tuple[Path, list[list[Event]]]) -> None:
    with serving(RecordedAgent(recorded[0], speed=0)) as client:
        page = Page(client, "one")
        played_by(page)
        again = page.say("And tomorrow?")

    assert again[-1] == events.run_error(
        "The recording is over; the page sent the message “And tomorrow?”.", "RECORDING_DEPARTED"
    )


def test_the_last_answer_can_be_asked_for_again(recorded: tuple[Path, list[list[Event]]]) -> None:
    path, told = recorded
    with serving(RecordedAgent(path, speed=0)) as client:
        page = Page(client, "one")
        played_by(page)
        while page.messages[-1]["role"] != "user":
            page.messages.pop()
        again = page.run()

    assert text_of(again) == text_of(told[-1])


def test_the_progress_is_in_the_conversation_and_not_in_the_process(
    recorded: tuple[Path, list[list[Event]]],
) -> None:
    path, told = recorded
    with serving(RecordedAgent(path, speed=0)) as client:
        page = Page(client, "one")
        asked = page.say("Book a table for three")
    with serving(RecordedAgent(path, speed=0)) as client:
        page._client = client
        assert text_of(page.answer("yes", interrupts_of(asked))) == text_of(told[1])


def test_a_failed_run_fails_again(tmp_path: Path) -> None:
    async def failing(input: RunAgentInput) -> AsyncIterator[Event]:
        yield events.text_start("m")
        yield events.text_content("m", "I")
        yield events.run_error("The kitchen is closed.", "CLOSED")

    store = f"sqlite:///{tmp_path / 'threads.db'}"
    with serving(failing, store) as client:
        page = Page(client, "order")
        told = page.say("Soup")
        page.say("Soup, please")
    path = tmp_path / "order.jsonl"
    command("threads", "export", "order", "--store", store, "--output", str(path))

    with serving(RecordedAgent(path, speed=0)) as client:
        page = Page(client, "one")
        assert essence(page.say("Soup")) == essence(told)
        assert essence(page.say("Soup, please")) == essence(told)
    assert told[-1] == events.run_error("The kitchen is closed.", "CLOSED")


def lines(path: Path, *values: Event) -> Path:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")
    return path


def test_a_patch_of_the_state_finds_the_state_that_it_was_made_for(tmp_path: Path) -> None:
    patch = [{"op": "add", "path": "/items/-", "value": "milk"}]
    started = {**events.run_started("t", "r"), "input": {"messages": [], "state": {"items": ["bread"]}}}
    path = lines(tmp_path / "a.jsonl", started, events.state_delta(patch), events.run_finished("t", "r"))

    with serving(RecordedAgent(path, speed=0)) as client:
        on_its_own = Page(client, "one").run()
        with_state = Page(client, "two").run(state={"items": ["bread"]})

    assert on_its_own[1:-1] == [events.state_snapshot({"items": ["bread"]}), events.state_delta(patch)]
    assert with_state[1:-1] == [events.state_delta(patch)]


@pytest.mark.anyio
async def test_events_come_at_the_times_that_they_carry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {**events.run_started("t", "r"), "timestamp": 1_000},
        {**events.text_start("m"), "timestamp": 1_500},
        {**events.text_content("m", "a"), "timestamp": 1_600},
        events.text_content("m", "b"),
        {**events.text_end("m"), "timestamp": 2_600},
        {**events.run_finished("t", "r"), "timestamp": 2_500},
    )
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(round(seconds, 3))

    monkeypatch.setattr("copilotkit_runtime_py.providers.recorded.provider.asyncio.sleep", sleep)
    input = RunAgentInput.model_validate(
        {"threadId": "t", "runId": "r", "messages": [], "tools": [], "context": [], "forwardedProps": {}}
        | {"state": None}
    )

    async def played(speed: float) -> list[float]:
        pauses.clear()
        told = [event async for event in RecordedAgent(path, speed=speed).run(input, None)]  # type: ignore[arg-type]
        assert not any("timestamp" in event for event in told)
        return list(pauses)

    assert await played(1) == [0.5, 0.1, 0.02, 1.0]
    assert await played(2) == [0.25, 0.05, 0.01, 0.5]
    assert await played(0) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file holds no run."),
        ("nonsense\n", "line 1: Expecting value"),
        (
            '{"type":"RECORDING","version":2,"thread":{}}\n',
            "line 1: this release reads version 1 of recordings.",
        ),
        ('{"type":"TEXT_MESSAGE_START","messageId":"m","role":"assistant"}\n', "line 1: a run begins with"),
        ("[1]\n", "line 1: malformed"),
        ("[" * 100_000, "line 1: malformed"),
        ('{"type":"RECORDING","version":1,"thread":null}\n', "line 1: malformed"),
        ('{"type":"RECORDING","version":1,"thread":{"id":5}}\n', "line 1: id must be a string."),
        ('{"type":"RUN","startedAt":7}\n', "line 1: startedAt must be a string."),
        ('{"type":"RUN","startedAt":"soon"}\n', "line 1: Invalid isoformat string"),
        (
            '{"type":"RUN_STARTED","threadId":"t","runId":"r"}\n{"type":"TEXT_MESSAGE_END","messageId":"m"}\n',
            "line 2: Cannot send 'TEXT_MESSAGE_END' event",
        ),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)

    with pytest.raises(RecordingError) as raised:
        ThreadRecording.load(path)
    assert raised.value.message.startswith(str(path))
    assert reason in raised.value.message


def test_a_recording_that_another_program_wrote_is_read(tmp_path: Path) -> None:
    told = [
        {"type": "RUN", "id": "r", "startedAt": "2026-01-02T03:04:05"},
        events.run_started("t", "r"),
        events.text_start("m"),
        events.text_content("m", "one\u2028two\u0085three"),
        events.text_end("m"),
        events.run_finished("t", "r"),
    ]
    text = "\r\n".join(json.dumps(event, ensure_ascii=False) for event in told)
    path = tmp_path / "a.jsonl"
    path.write_bytes(f"\ufeff{text}".encode())

    (run,) = ThreadRecording.load(path).runs
    assert run.events[2]["delta"] == "one\u2028two\u0085three"
    assert run.started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_runs_without_an_input_answer_whatever_the_page_sends(tmp_path: Path) -> None:
    said = [
        [events.run_started("t", f"r{number}"), events.text_start(text), events.text_content(text, text)]
        for number, text in enumerate(("one", "two"))
    ]
    path = lines(tmp_path / "a.jsonl", *said[0], *said[1])

    with serving(RecordedAgent(path, speed=0)) as client:
        page = Page(client, "one")
        assert [text_of(page.say("Hello?")), text_of(page.say("And?"))] == ["one", "two"]
        assert page.say("More!")[-1]["code"] == "RECORDING_DEPARTED"
