"""The bounds that `Limits` accepts."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

from copilotkit_runtime_py.limits import Limits

IN_SECONDS = [field.name for field in dataclasses.fields(Limits) if "float" in str(field.type)]
OPTIONAL = [field.name for field in dataclasses.fields(Limits) if "None" in str(field.type)]


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_every_bound_is_finite_not_negative_and_of_its_type(name: str) -> None:
    def made(value: Any) -> Limits:
        return Limits(**{name: value})

    assert getattr(made(0), name) == 0
    for value in (-1, 2**64):
        with pytest.raises(ValueError, match=f"The limit '{name}' must be between 0 and"):
            made(value)
    for wrong in ("5", True):
        with pytest.raises(TypeError, match=f"The limit '{name}' must be a"):
            made(wrong)
    for fraction in (math.inf, math.nan):
        with pytest.raises(ValueError if name in IN_SECONDS else TypeError, match=name):
            made(fraction)
    if name in OPTIONAL:
        assert getattr(made(None), name) is None
    else:
        with pytest.raises(TypeError, match=re.escape("not None")):
            made(None)
