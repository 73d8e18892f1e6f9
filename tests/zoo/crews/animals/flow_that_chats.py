"""A flow with `@persist` that keeps the conversation."""

import tempfile
from pathlib import Path
from typing import Any

from crewai.flow.flow import Flow, start
from crewai.flow.persistence import SQLiteFlowPersistence, persist

from copilotkit_runtime_py.providers.crewai import CopilotKitState

from ...animal import say
from ...models import words
from ..models import model

FOLDER = tempfile.TemporaryDirectory()
llm = model(lambda messages: words(f"Message {len(messages)} of ours."))


def agent() -> Any:
    @persist(SQLiteFlowPersistence(str(Path(tempfile.mkdtemp(dir=FOLDER.name)) / "flows.db")))
    class Chat(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            said = await llm.acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": said})

    return Chat


chat = [say("Hi", shows="Message 1 of ours."), say("Again", shows="Message 3 of ours.")]
