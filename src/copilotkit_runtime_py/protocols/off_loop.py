"""Work on long conversations, outside of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

# A message takes some tens of microseconds to coerce, validate and translate.
_LONG: Final = 200


async def off_loop_if_long(messages: int, function: Callable[..., T], *arguments: Any) -> T:
    """Calls a function whose cost grows with the messages, in a thread if there are many.

    Args:
        messages: the number of messages.
        function: the function. It must not touch what the event loop owns.
        arguments: its arguments.
    """
    if messages < _LONG:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
