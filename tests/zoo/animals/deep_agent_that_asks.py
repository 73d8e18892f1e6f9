"""A deep agent whose file tools need an approval."""

from typing import Any

from deepagents import create_deep_agent
from langgraph.checkpoint.memory import InMemorySaver

from ..animal import answer, say
from ..models import calling, react


def agent() -> Any:
    model = react(calling("write_file", file_path="/a.txt", content="x"), then="It is written.")
    return create_deep_agent(model=model, interrupt_on={"write_file": True}, checkpointer=InMemorySaver())


chat = [
    say("Write a file", shows="write_file"),
    answer({"decisions": [{"type": "approve"}]}, shows="It is written."),
]
