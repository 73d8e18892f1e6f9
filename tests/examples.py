"""How many random examples a test tries: `make fuzz` tries more than `make test`."""

from __future__ import annotations

import os
from typing import Final

FACTOR: Final = int(os.environ.get("COPILOTKIT_FUZZ", "1"))


def examples(usual: int = 100) -> int:
    """Returns the number of examples for a test that usually tries so many."""
    return usual * FACTOR
