"""A LangGraph server behind a URL is recognised, and its graphs are named in the form to register."""

import pytest
from ag_ui.core import RunAgentInput
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError
from copilotkit_runtime_py.providers.langgraph_platform.address import graph_address, parse_graph_address
from copilotkit_runtime_py.providers.langgraph_platform.recognition import find_langgraph_server
from copilotkit_runtime_py.providers.remote import RemoteProvider
from tests.langgraph_server import LangGraphDev
from tests.serving import serving

from .conftest import NAMES

pytestmark = pytest.mark.anyio


@pytest.mark.processes
@pytest.mark.parametrize("path", ["", "/", "/agent", "/runs/stream?x=1"])
async def test_a_server_is_found_from_any_of_its_urls(server: LangGraphDev, path: str) -> None:
    found = await find_langgraph_server(server.url + path)

    assert found is not None
    assert found.targets == tuple(f"langgraph+{server.url}/{name}" for name in sorted(NAMES))
    assert found.advice.startswith(f"{server.url} is a LangGraph server: register its graphs as langgraph+")


@pytest.mark.processes
@pytest.mark.parametrize("path", ["", "/agent", "/runs/stream"])
async def test_a_server_that_is_registered_as_an_agui_agent_is_named_in_the_error(
    server: LangGraphDev, path: str
) -> None:
    provider = RemoteProvider(server.url + path)
    input = RunAgentInput.model_validate({"threadId": "t1", "runId": "r1", "messages": []})
    with pytest.raises(AgentError, match="register its graph as langgraph\\+https://host/graph"):
        await anext(aiter(provider.run(input, RequestContext())))
    await provider.aclose()


@pytest.mark.parametrize("body", [{}, [], "no", {"flags": 1}, {"agents": {}, "version": "1.75.0"}])
async def test_something_else_is_no_langgraph_server(body: object) -> None:
    async def info(request: object) -> JSONResponse:
        return JSONResponse(body)

    with serving(Starlette(routes=[Route("/info", info)])) as url:
        assert await find_langgraph_server(f"{url}/agent") is None
    assert await find_langgraph_server(url) is None  # nobody listens


async def test_a_server_that_hides_its_graphs_is_recognised() -> None:
    async def info(request: object) -> JSONResponse:
        return JSONResponse({"name": "Aegra", "flags": {"assistants": True}})

    with serving(Starlette(routes=[Route("/base/info", info)])) as url:
        found = await find_langgraph_server(f"{url}/base")

    assert found is not None
    assert found.targets == (f"langgraph+{url}/base/GRAPH",)


@pytest.mark.parametrize("graph", ["agent", "my graph", "a/b", "ü?#"])
def test_an_address_names_any_graph(graph: str) -> None:
    target = graph_address("https://host:2024/base/", graph)

    assert parse_graph_address(target) == ("https://host:2024/base", graph)
