"""The custom scalars of the GraphQL contract, as type-graphql and graphql-scalars define them."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, Undefined
from graphql.pyutils import inspect
from strawberry.types.scalar import ScalarDefinition

JSON = NewType("JSON", object)
"""Any JSON value."""

JSONObject = NewType("JSONObject", dict[str, Any])
"""A JSON object."""

ECMA_404 = "http://www.ecma-international.org/publications/files/ECMA-ST/ECMA-404.pdf"

_RFC_3339 = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T"
    r"((?:[01]\d|2[0-3]):[0-5]\d:)([0-5]\d|60)(?:\.(\d+))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)


def format_date_time(value: object) -> str:
    """Formats an instant as JavaScript's `toISOString` does: UTC, milliseconds, `Z`.

    A naive datetime is taken for UTC. A string is read as RFC 3339 first.

    Raises:
        GraphQLError: the value is not a date and time.
    """
    if isinstance(value, str):
        value = parse_date_time(value)
    if not isinstance(value, datetime):
        raise GraphQLError(f"DateTime cannot be serialized from {inspect(value)}")
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    value = value.astimezone(UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def parse_date_time(value: object) -> datetime:
    """Reads a complete RFC 3339 date-time; fractions are cut to microseconds, a leap second is the next one.

    Raises:
        GraphQLError: the value is anything else, a date or a number for instance.
    """
    if not isinstance(value, str):
        raise GraphQLError(f"DateTime cannot represent non string or Date type {inspect(value)}")
    match = _RFC_3339.fullmatch(value.upper())
    if match is None:
        raise GraphQLError(f"DateTime cannot represent an invalid date-time-string {value}.")
    day, minute, second, fraction, zone = match.groups()
    try:
        date.fromisoformat(day)
        instant = datetime.fromisoformat(f"{day}T{minute}00{zone}").astimezone(UTC)
        return instant + timedelta(seconds=int(second), microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    except (OverflowError, ValueError):
        raise GraphQLError(f"DateTime cannot represent an invalid date-time-string {value}.") from None


def _parse_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GraphQLError(f"JSONObject cannot represent non-object value: {value}")
    return value


def _parse_json(value: object) -> object:
    """Returns a JSON value; numbers without a JSON form are refused."""
    if isinstance(value, float) and not math.isfinite(value):
        return Undefined
    return value


def _json_description(name: str) -> str:
    return f"The `{name}` scalar type represents JSON values as specified by [ECMA-404]({ECMA_404})."


SCALAR_MAP: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTimeISO",
        description=(
            "A date-time string at UTC, such as 2007-12-03T10:15:30Z, compliant with the `date-time` format "
            "outlined in section 5.6 of the RFC 3339 profile of the ISO 8601 standard for representation of "
            "dates and times using the Gregorian calendar."
            "This scalar is serialized to a string in ISO 8601 format and parsed from a string in ISO 8601 "
            "format."
        ),
        serialize=format_date_time,
        parse_value=parse_date_time,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description=_json_description("JSON"),
        specified_by_url=ECMA_404,
        serialize=lambda value: value,
        parse_value=_parse_json,
    ),
    JSONObject: strawberry.scalar(
        name="JSONObject",
        description=_json_description("JSONObject").replace("JSON values", "JSON objects"),
        specified_by_url=ECMA_404,
        serialize=_parse_object,
        parse_value=_parse_object,
    ),
}
"""How Strawberry names, reads and writes them, by the Python type that stands for each."""
