"""A hierarchical crew: its manager delegates to a coworker."""

from typing import Any

from crewai import Crew, Process

from ...animal import say
from ..models import model, react, task, worker


def agent() -> Any:
    delegated = {"task": "Find it", "context": "None", "coworker": "Researcher"}
    manager = react("delegate_work_to_coworker", **delegated, then="My team has found it.")
    researcher = worker("Researcher", model("It is under the sofa."))
    crew = {"process": Process.hierarchical, "manager_llm": manager}
    return Crew(agents=[researcher], tasks=[task(None)], **crew)


chat = [say("Where is it?", shows="My team has found it."), say("Sure?", shows="My team has found it.")]
