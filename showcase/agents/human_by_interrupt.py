"""Human in the loop by an interrupt: the graph stops in the middle of a tool and waits for the user.

The runtime keeps the graph's checkpoint: the question is still there after a reload or a restart.
"""

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.types import interrupt

from ..scripted import Call, Turn, call, scripted

TRAINS = [
    {"id": "ICE 1001", "departs": "08:04", "arrives": "12:01", "price": 79},
    {"id": "ICE 1105", "departs": "10:29", "arrives": "14:35", "price": 54},
    {"id": "IC 2213", "departs": "12:10", "arrives": "18:22", "price": 29},
]


@tool
def book_train(destination: str) -> str:
    """Book a train; the user chooses which."""
    chosen = interrupt({"question": f"Which train to {destination}?", "options": TRAINS})
    if chosen == "none":
        return "The user wants none of them."
    return f"Booked {chosen} to {destination}."


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if not turn.results:
        return call("book_train", destination=turn.find(r"\bto (\w+)", "Munich"))
    result = turn.results[-1].text
    return f"{result} The ticket is in your mail." if result.startswith("Booked") else "Maybe another day."


agent = create_agent(scripted(answer), [book_train])
