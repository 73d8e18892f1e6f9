"""Predictive state: the page shows the document while the model still writes the call that changes it."""

from typing import Any

from langchain.agents import AgentState, create_agent
from langchain.tools import ToolRuntime, tool
from langchain_core.messages import ToolMessage
from langgraph.types import Command

from ..scripted import Call, Turn, call, scripted


class State(AgentState[Any]):
    document: str


@tool
def write_document(document: str, runtime: ToolRuntime[None, State]) -> Command[Any]:
    """Replace the user's document."""
    result = ToolMessage("The document is written.", tool_call_id=runtime.tool_call_id)
    return Command(update={"document": document, "messages": [result]})


FIRST = """\
The lighthouse at Cape Orr had been dark for forty years when Maren bought it for the price of a used car.

She brought paint, a ladder and a box of bulbs. The village brought advice.

On the third evening the lamp turned again, and far out a ship that had no business there sounded its horn."""

SECOND = f"""\
{FIRST}

Nobody in the village spoke of it. But the next night every window that faced the sea was dark."""


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if turn.results:
        return "It is in the document."
    return call("write_document", document=SECOND if "continue" in turn.asked.lower() else FIRST)


PREDICTED = [{"state_key": "document", "tool": "write_document", "tool_argument": "document"}]

agent = create_agent(scripted(answer, delay=0.06), [write_document], state_schema=State).with_config(
    metadata={"predict_state": PREDICTED}
)
