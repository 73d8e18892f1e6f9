"""What CopilotRuntime 1.75 answered, asked of this server: `tests/golden/v2`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copilotkit_runtime_py import Recording, TranscriptionError, TranscriptionProblem
from copilotkit_runtime_py.providers.remote import RemoteProvider
from tests.protocols.agui.deviations import DEVIATIONS
from tests.protocols.agui.served import Served, serve
from tests.scripted_agent import Call, Script, ScriptedAgent

pytestmark = pytest.mark.anyio

CORPUS = Path(__file__).parents[2] / "golden" / "v2"
NAMES = sorted(path.stem for path in CORPUS.glob("*.json"))
TEXT = json.loads((CORPUS / "run-text.multi.json").read_text(encoding="utf-8"))["agents"]["text"]


class Transcriber:
    """The transcription service of the recordings."""

    async def transcribe(self, recording: Recording) -> str:
        if recording.data == b"abc":
            raise TranscriptionError(
                TranscriptionProblem.RATE_LIMITED, "Rate limited. Please try again later."
            )
        return f"heard {len(recording.data)} bytes of {recording.media_type}"


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedAgent]:
    with ScriptedAgent() as server:
        yield server


def script_of(steps: Any) -> Script:
    """The script of an agent; one that is resumed may have another."""
    if isinstance(steps, list):
        return steps

    def chosen(run_input: dict[str, Any]) -> list[dict[str, Any]]:
        command = (run_input.get("forwardedProps") or {}).get("command") or {}
        resumed = run_input.get("resume") or "resume" in command
        script: list[dict[str, Any]] = steps["resume" if resumed else "default"]
        return script

    return chosen


async def answer_of(served: Served, request: dict[str, Any]) -> dict[str, Any]:
    """Makes a recorded request, and returns the answer as it is recorded."""
    body = request.get("body", "").encode()
    async with served.request(request["method"], request["path"], body, request["headers"]) as exchange:
        told = ("content-type", "allow", "cache-control")
        answer: dict[str, Any] = {
            "status": exchange.status,
            "headers": {name: exchange.headers[name] for name in told if name in exchange.headers},
        }
        if exchange.headers.get("content-type") == "text/event-stream":
            answer["events"] = await exchange.all_events()
        elif body := await exchange.body():
            is_json = exchange.headers["content-type"] == "application/json"
            answer |= {"json": json.loads(body)} if is_json else {"text": body.decode()}
    return answer


def received(call: Call) -> dict[str, Any]:
    """What reached the agent, as it is recorded."""
    headers = {
        name: value
        for name, value in call.headers.items()
        if name == "authorization" or name.startswith("x-")
    }
    return {"path": call.agent, "headers": headers, "input": call.input}


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what is this server's own: how caches are told, and what it says of its agents."""
    headers = {name: value for name, value in answer["headers"].items() if name != "cache-control"}
    body = answer.get("json")
    if isinstance(body, dict) and "agents" in body:
        return {"status": answer["status"], "headers": headers, "version": body["version"]}
    return {**answer, "headers": headers}


@pytest.mark.parametrize("name", NAMES)
async def test_the_answers_are_the_recorded_ones_or_better(name: str, scripted: ScriptedAgent) -> None:
    recording = json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))
    deviation = DEVIATIONS.get(name.partition(".")[0])
    scripted.calls.clear()
    scripts = {"text": TEXT, **recording.get("agents", {})}
    agents = {
        agent: RemoteProvider(scripted.play(agent, script_of(steps))) for agent, steps in scripts.items()
    }
    server_headers = {"X-SERVER": "s1", "Authorization": "Bearer server"}
    agents["serverheaders"] = RemoteProvider(scripted.url("text"), headers=server_headers)
    agents["unreachable"] = RemoteProvider("http://127.0.0.1:9/")
    async with serve(agents, transcription_service=Transcriber()) as served:
        for exchange in recording["exchanges"]:
            answer = comparable(await answer_of(served, exchange["request"]))
            expected = comparable(exchange["answer"])
            if deviation is not None:
                answer, expected = deviation(exchange["label"], answer, expected)
            assert answer == expected, exchange["label"]
    assert [received(call) for call in scripted.calls] == [
        # Agents of AG-UI 0.1 in Python require a state.
        {**got, "input": {"state": {}} | got["input"]}
        for got in recording.get("agent_received", ())
    ]
