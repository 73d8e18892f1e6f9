"""`SummarizationMiddleware`: the summary is for the model alone, and what it replaces stays on the page."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import say
from ..models import model, words


def agent() -> Any:
    summary = SummarizationMiddleware(
        model(words("Secret summary.")), trigger=("messages", 4), keep=("messages", 2)
    )
    answers = model(words("I see."))
    return create_agent(answers, middleware=[summary], checkpointer=InMemorySaver())


hidden = ["Secret summary", "summary of the conversation"]
chat = [say("One"), say("Two"), say("Three", shows="One"), say("Four", shows="Two")]
