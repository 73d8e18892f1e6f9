"""The animals as LangGraph's own server serves them: a graph for each contract, so no pages share a model."""

from __future__ import annotations

from .animal import all_animals
from .names import ELSEWHERE, graph_name
from .page import CONTRACTS

for animal in all_animals():
    if animal.name in ELSEWHERE:
        continue
    for contract in CONTRACTS:
        made = animal.graph()
        # The server has a checkpointer and a store of its own.
        graph = made.copy({"checkpointer": None, "store": None}) if hasattr(made, "checkpointer") else made
        globals()[graph_name(animal.name, contract)] = graph
