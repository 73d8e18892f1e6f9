"""Every animal on every contract."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from .animal import Animal, all_animals
from .judge import Judge
from .page import CONTRACTS
from .visit import visit

pytestmark = [pytest.mark.anyio, pytest.mark.clients]

ANIMALS = [pytest.param(animal, id=animal.name, marks=animal.marks) for animal in all_animals()]


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("animal", ANIMALS)
async def test_an_animal_obeys_the_laws(
    animal: Animal, contract: str, judge: Judge, request: pytest.FixtureRequest
) -> None:
    if animal.fixture is not None:
        value = request.getfixturevalue(animal.fixture)
        animal = replace(animal, agent=partial(animal.agent, value))
    await visit(animal, contract, judge)
