"""Changes of a shared state."""

from __future__ import annotations

from typing import Any, Final

import jsonpatch

from ..logs.records import get_logger
from .events import encode

logger = get_logger(__name__)

MAX_STATE_BYTES: Final = 16 * 1024 * 1024
"""The largest state that patches may make, as JSON."""

# What one patch may copy, as JSON. Copying what was copied would double it every time.
_MAX_COPIED_BYTES: Final = 1024 * 1024


class _TooLargeError(Exception):
    """The state would exceed the bound."""


def patched(state: Any, patch: list[dict[str, Any]]) -> tuple[Any, bool]:
    """Returns a state with a JSON Patch applied, and whether it could be; if not, the state as it was."""
    try:
        changed = _applied(state, patch)
        if len(encode(changed)) <= MAX_STATE_BYTES:
            return changed, True
    except (
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
        KeyError,  # a copy from nowhere
        TypeError,  # what is no JSON: the place behind the end of a list
        RecursionError,
        _TooLargeError,
    ):
        pass
    logger.warning("skipped a state patch that does not apply, or makes the state too large")
    return state, False


def _applied(state: Any, patch: list[dict[str, Any]]) -> Any:
    if not any(operation["op"] == "copy" for operation in patch):
        return jsonpatch.apply_patch(state, patch)
    changed = jsonpatch.apply_patch(state, [])
    copied = 0
    for operation in patch:
        if operation["op"] == "copy":
            source = jsonpatch.JsonPointer(operation["from"]).resolve(changed)
            copied += len(encode(source))
            if copied > _MAX_COPIED_BYTES:
                raise _TooLargeError
        changed = jsonpatch.apply_patch(changed, [operation], in_place=True)
    return changed
