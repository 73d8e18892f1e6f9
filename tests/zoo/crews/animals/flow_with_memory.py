"""A synchronous flow that remembers and recalls facts of its chat."""

import tempfile
from pathlib import Path
from typing import Any

from crewai.flow.flow import Flow, start
from crewai.memory.unified_memory import Memory

from copilotkit_runtime_py.providers.crewai import CopilotKitState

from ...animal import say
from ..models import embedded, model, silent

FOLDER = tempfile.TemporaryDirectory()


class Notes(Flow[CopilotKitState]):
    @start()
    def note(self) -> str:
        known = len(self.recall("facts", depth="shallow"))
        self.remember(f"FACT {known}", scope="/", categories=["x"], importance=0.5)
        return str(model(f"I know {known} facts.").call(self.state.messages))


def agent() -> Any:
    storage = str(Path(tempfile.mkdtemp(dir=FOLDER.name)) / "memory")
    return Notes(memory=Memory(storage=storage, embedder=embedded, llm=silent({})))


chat = [say("One", shows="I know 0 facts."), say("Two", shows="I know 1 facts.")]
hidden = ["FACT"]
