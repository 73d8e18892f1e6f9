"""Predictive state: the arguments of a call are a part of the state before the call is done."""

from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

from ..animal import say
from ..models import calling, react


class State(MessagesState):
    document: str


async def write(state: State, config: RunnableConfig) -> Command[Any]:
    predicted = [{"state_key": "document", "tool": "write_document", "tool_argument": "document"}]
    config["metadata"] = {**config.get("metadata", {}), "predict_state": predicted}
    model = react(calling("write_document", document="Once upon a time"), then="Written.")
    response = await model.ainvoke(state["messages"], config)
    if not response.tool_calls:
        return Command(goto=END, update={"messages": [response]})
    call = response.tool_calls[0]
    result = ToolMessage("Document written.", tool_call_id=call["id"])
    update = {"messages": [response, result], "document": call["args"]["document"]}
    return Command(goto="write", update=update)


def agent() -> Any:
    return StateGraph(State).add_node(write, destinations=("write", END)).add_edge(START, "write").compile()


chat = [say("Write", shows="Written."), say("Again", shows="Document written.")]
