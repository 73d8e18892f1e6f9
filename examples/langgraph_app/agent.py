"""A graph that asks before it books.

Serve it with `copilotkit-runtime-py serve --config examples/langgraph_app/langgraph.json`.
"""

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


class State(MessagesState):
    booked: list[str]


def book(state: State) -> dict[str, object]:
    wish = state["messages"][-1].text
    if interrupt(f"Book '{wish}'?") != "yes":
        return {"messages": [AIMessage("Then I book nothing.")]}
    return {"messages": [AIMessage(f"Booked: {wish}.")], "booked": [*state.get("booked", []), wish]}


builder = StateGraph(State).add_node(book).add_edge(START, "book")
graph = builder.compile(checkpointer=InMemorySaver())
