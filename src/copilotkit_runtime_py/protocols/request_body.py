"""The body of a request, and the JSON in it."""

from __future__ import annotations

from typing import Any, Self

from ..agui.json_input import RequestJSON
from ..errors import InvalidRequestError
from ..limits import Limits


class RequestBody:
    """A body that was received completely.

    Attributes:
        data: the bytes; empty for the body that an envelope holds.
    """

    __slots__ = ("_error", "_value", "data")

    def __init__(self, data: bytes | bytearray = b"") -> None:
        self.data = data
        self._value: Any = None
        self._error: ValueError | InvalidRequestError | None = None

    @classmethod
    async def parse(cls, data: bytes | bytearray, limits: Limits) -> Self:
        """Returns a body whose bytes are parsed as JSON. `json` raises their errors."""
        body = cls(data)
        try:
            body._value = await RequestJSON(limits).read(data)
        except (ValueError, InvalidRequestError) as error:
            body._error = error
        return body

    @classmethod
    def of(cls, value: Any) -> Self:
        """Returns the body in an envelope."""
        body = cls()
        body._value = value
        return body

    @property
    def is_empty(self) -> bool:
        """Whether the body is empty."""
        return not self.data and self._value is None

    def json(self) -> Any:
        """Returns the JSON value.

        Raises:
            InvalidRequestError: the body exceeds the limits of JSON.
            ValueError: the body is not JSON.
        """
        if self._error is not None:
            raise self._error
        return self._value
