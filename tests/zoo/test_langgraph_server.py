"""The animals on LangGraph's own server: their chats, two more messages, and a reload."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.providers.langgraph_platform import LangGraphPlatform
from tests.langgraph_server import LangGraphDev
from tests.protocols.agui.served import Served

from .animal import Animal, all_animals
from .judge import Judge
from .laws import Laws
from .names import ELSEWHERE, graph_name
from .page import AGENT, CONTRACTS, opened
from .visit import follow_up, take

pytestmark = [pytest.mark.anyio, pytest.mark.clients, pytest.mark.processes, pytest.mark.served_zoo]

SERVED = [animal for animal in all_animals() if animal.name not in ELSEWHERE]
ANIMALS = [pytest.param(animal, id=animal.name, marks=animal.marks) for animal in SERVED]


@pytest.fixture(scope="module")
def server() -> Iterator[LangGraphDev]:
    names = [graph_name(animal.name, contract) for animal in SERVED for contract in CONTRACTS]
    with LangGraphDev({name: f"tests.zoo.served_graphs:{name}" for name in names}) as running:
        yield running


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("animal", ANIMALS)
async def test_an_animal_obeys_the_laws_on_a_server(
    animal: Animal, contract: str, judge: Judge, server: LangGraphDev
) -> None:
    graph = graph_name(animal.name, contract)
    runtime = CopilotRuntime({AGENT: LangGraphPlatform(server.url, graph=graph, **animal.options)})
    served = Served(runtime)
    try:
        with opened(CONTRACTS[contract](judge, served, animal, str(uuid.uuid4()))) as page:
            laws = Laws(page)
            for turn in animal.chat_on_a_server:
                await take(page, laws, turn)
            await follow_up(page, laws)
            await laws.hold_after_reload()
    finally:
        await runtime.aclose()
