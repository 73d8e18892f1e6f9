from ag_ui.core import AgentCapabilities
from langgraph.graph import START, MessagesState, StateGraph

from copilotkit_runtime_py.providers.langgraph.provider import LangGraphProvider


def test_a_graph_tells_its_capabilities_as_ag_ui_has_them() -> None:
    graph = StateGraph(MessagesState).add_node("idle", lambda state: {}).add_edge(START, "idle").compile()
    told = LangGraphProvider(graph).capabilities

    capabilities = AgentCapabilities.model_validate(told)

    assert capabilities.model_dump(by_alias=True, exclude_none=True) == told
    assert capabilities.human_in_the_loop is not None
    assert capabilities.human_in_the_loop.interrupts
