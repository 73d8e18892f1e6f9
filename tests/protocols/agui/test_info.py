"""What the runtime says of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import Provider, Recording, RequestContext
from tests.protocols.agui.served import Event, serve

pytestmark = pytest.mark.anyio

ALL_BUT_REALTIME = {"list": True, "inspect": True, "mutations": True, "realtimeMetadata": False}


async def talk(input: RunAgentInput) -> AsyncIterator[Event]:
    yield {}


class Able(Provider):
    description = "Knows the weather."
    capabilities = {"state": {"snapshots": True}}  # noqa: RUF012 - never changed

    def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        return talk(input)


class Transcriber:
    async def transcribe(self, recording: Recording) -> str:
        return ""


async def info_of(agents: dict[str, Any], **options: Any) -> Any:
    """The same answer, by each of the ways in which a frontend asks."""
    async with serve(agents, **options) as served:
        answers = [
            await served.json(served.request("GET", "/info")),
            await served.json(served.request("POST", "/info")),
            await served.json(served.envelope("info")),
        ]
    assert answers == [answers[0]] * 3
    status, info = answers[0]
    assert status == 200
    return info


async def test_info_tells_what_the_newest_frontend_needs_in_every_mode() -> None:
    function = {"name": "talk", "description": "", "className": "FunctionProvider"}
    able = {"name": "able", "description": "Knows the weather.", "className": "Able"}
    assert await info_of({"talk": talk, "able": Able()}) == {
        "version": "1.75.0",
        "mode": "sse",
        "agents": {"talk": function, "able": able | {"capabilities": {"state": {"snapshots": True}}}},
        "audioFileTranscriptionEnabled": False,
        "threadEndpoints": ALL_BUT_REALTIME,
        "singleRoute": {"resourceOperations": True, "threadEndpoints": ALL_BUT_REALTIME},
        "suggestions": True,
        "a2uiEnabled": False,
        "openGenerativeUIEnabled": False,
        "telemetryDisabled": True,
    }


@pytest.mark.parametrize(
    ("agents", "default_agent", "names"),
    [
        (["a"], None, ["a", "default"]),
        (["a", "b"], None, ["a", "b"]),
        (["a", "b"], "b", ["a", "b", "default"]),
        (["default", "b"], None, ["default", "b"]),
        ([], None, []),
    ],
)
async def test_default_is_listed_where_an_agent_answers_to_it(
    agents: list[str], default_agent: str | None, names: list[str]
) -> None:
    info = await info_of(dict.fromkeys(agents, talk), default_agent=default_agent)
    assert list(info["agents"]) == names


async def test_a_microphone_button_appears_where_there_is_a_transcription_service() -> None:
    info = await info_of({"a": talk}, transcription_service=Transcriber())
    assert info["audioFileTranscriptionEnabled"] is True
