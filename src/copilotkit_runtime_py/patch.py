"""Changes of a shared state."""

from __future__ import annotations

import logging
from typing import Any

import jsonpatch

logger = logging.getLogger(__name__)


def patched(state: Any, patch: list[dict[str, Any]]) -> tuple[Any, bool]:
    """Returns a state with a JSON Patch applied, and whether it could be; if not, the state as it was."""
    try:
        return jsonpatch.apply_patch(state, patch), True
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        logger.warning("skipped a state patch that does not apply")
        return state, False
