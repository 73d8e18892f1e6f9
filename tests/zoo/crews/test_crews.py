"""Every animal of CrewAI on every contract."""

from __future__ import annotations

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from tests.providers.crewai.scripted import MARKS

from ..animal import Animal, all_animals
from ..judge import Judge
from ..visit import visit
from . import animals

pytestmark = [*MARKS, pytest.mark.clients]

ANIMALS = [pytest.param(animal, id=animal.name, marks=animal.marks) for animal in all_animals(animals)]


@pytest.mark.parametrize("contract", ["agui-1.0", "graphql"])
@pytest.mark.parametrize("animal", ANIMALS)
async def test_an_animal_of_crewai_obeys_the_laws(animal: Animal, contract: str, judge: Judge) -> None:
    await visit(animal, contract, judge)
