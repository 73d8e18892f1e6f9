"""A crew of two agents, the second of which reads what the first found."""

from typing import Any

from crewai import Crew

from ...animal import say
from ..models import model, task, worker


def agent() -> Any:
    researcher = worker("Researcher", model("The sky is blue."))
    writer = worker("Writer", model("A poem about it."))
    return Crew(agents=[researcher, writer], tasks=[task(researcher), task(writer, "Write a poem.")])


chat = [say("Write", shows="A poem about it."), say("Once more", shows="A poem about it.")]
