"""Backend actions: what models are told of a function, and what a call of it results in."""

from __future__ import annotations

import asyncio
import datetime
import enum
import json
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import ActionError, ThreadNotFoundError
from copilotkit_runtime_py.tools.actions import Action, action_from, call_action

pytestmark = pytest.mark.anyio

CONTEXT = RequestContext(owner="ann")


async def call(function: Callable[..., Any] | Action, arguments: str = "", **options: Any) -> str:
    action = function if isinstance(function, Action) else action_from(function)
    return await call_action(
        action, arguments, CONTEXT, **{"call_id": "c1", "default_timeout": 5.0, **options}
    )


class Unit(enum.Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Place(BaseModel):
    city: str
    country: str = "FR"


def forecast(
    place: Place,
    days: Annotated[int, Field(ge=1, le=7)],
    unit: Unit = Unit.CELSIUS,
    detail: Annotated[Literal["short", "long"], Field(description="how much to tell")] = "short",
) -> str:
    """Tells the weather.

    Only for cities.

    Args:
        place: where
        days: how many days
        detail: not this, for the field says it
    """
    return f"{place.city}, {place.country}: {days} {unit.value} {detail}"


async def test_the_schema_comes_from_the_signature_and_the_docstring() -> None:
    action = action_from(forecast)
    assert action.name == "forecast"
    assert action.description == "Tells the weather.\n\nOnly for cities."
    assert action.parameters == {
        "type": "object",
        "properties": {
            "place": {"$ref": "#/$defs/Place", "description": "where"},
            "days": {"type": "integer", "minimum": 1, "maximum": 7, "description": "how many days"},
            "unit": {"$ref": "#/$defs/Unit", "default": "celsius"},
            "detail": {
                "type": "string",
                "enum": ["short", "long"],
                "description": "how much to tell",
                "default": "short",
            },
        },
        "required": ["place", "days"],
        "$defs": {
            "Place": {
                "type": "object",
                "title": "Place",
                "properties": {"city": {"type": "string"}, "country": {"type": "string", "default": "FR"}},
                "required": ["city"],
            },
            "Unit": {"type": "string", "title": "Unit", "enum": ["celsius", "fahrenheit"]},
        },
    }


async def test_arguments_reach_the_function_as_what_it_is_typed_for() -> None:
    assert await call(forecast, '{"place": {"city": "Nice"}, "days": 2}') == "Nice, FR: 2 celsius short"
    arguments = '{"place": {"city": "Bonn", "country": "DE"}, "days": 1, "unit": "fahrenheit"}'
    assert await call(forecast, arguments) == "Bonn, DE: 1 fahrenheit short"


async def test_names_that_pydantic_has_for_itself_are_names_like_others() -> None:
    def query(schema: str, model_config: int, copy: bool = False, _from: str = "x") -> list[Any]:
        return [schema, model_config, copy, _from]

    assert set(action_from(query).parameters["properties"]) == {"schema", "model_config", "copy", "_from"}
    assert await call(query, '{"schema": "s", "model_config": 1}') == '["s",1,false,"x"]'


async def test_the_context_is_given_and_no_part_of_the_schema() -> None:
    def whose(context: RequestContext, thing: str) -> str:
        return f"{context.owner}'s {thing}"

    assert action_from(whose).parameters["properties"] == {"thing": {"type": "string"}}
    assert await call(whose, '{"thing": "hat", "context": {"owner": "bob"}}') == "ann's hat"


async def test_an_object_that_can_be_called_is_a_function() -> None:
    class Add:
        """Adds."""

        async def __call__(self, a: int, b: int) -> int:
            return a + b

    action = action_from(Add(), name="add")
    assert (action.name, action.description, action.parameters["required"]) == ("add", "Adds.", ["a", "b"])
    assert await call(action, '{"a": 2, "b": 40}') == "42"


def with_arguments(*args: int) -> None: ...
def with_keywords(**kwargs: int) -> None: ...
def by_position(a: int, /) -> None: ...
def of_no_schema(lock: Callable[[], None]) -> None: ...


@pytest.mark.parametrize("function", [with_arguments, with_keywords, by_position, of_no_schema])
async def test_a_function_that_no_schema_can_tell_is_refused(function: Callable[..., None]) -> None:
    with pytest.raises(TypeError):
        action_from(function)


@dataclass
class Point:
    x: int
    at: datetime.date


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        (0, "0"),
        (42, "42"),
        (2**64, "18446744073709551616"),
        ("half \ud83d", "half \ufffd"),
        (True, "true"),
        ([1, "a"], '[1,"a"]'),
        ({"a": None}, '{"a":null}'),
        (Place(city="Nice"), '{"city":"Nice","country":"FR"}'),
        (Point(1, datetime.date(2026, 1, 2)), '{"x":1,"at":"2026-01-02"}'),
    ],
)
async def test_results_are_told_as_json_and_texts_as_they_are(value: Any, told: str) -> None:
    assert await call(lambda: value) == told


async def test_a_plain_function_runs_in_a_thread_and_an_async_one_in_the_loop() -> None:
    async def own() -> int:
        return threading.get_ident()

    assert await call(own) == str(threading.get_ident())
    assert await call(lambda: threading.get_ident()) != str(threading.get_ident())


def error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}, "result": ""}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('{"a":2', "Failed to parse action arguments"),
        ("[1]", "The arguments must be a JSON object"),
        ('{"a": "two"}', "a: Input should be a valid integer, unable to parse string as an integer"),
        ("{}", "a: Field required"),
    ],
)
async def test_wrong_arguments_never_reach_the_function(arguments: str, message: str) -> None:
    called = []

    def double(a: int) -> None:
        called.append(a)

    assert json.loads(await call(double, arguments)) == error("INVALID_ARGUMENTS", message)
    assert called == []


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ActionError("The shop is closed."), error("HANDLER_ERROR", "The shop is closed.")),
        (ActionError("No such order.", "NOT_FOUND"), error("NOT_FOUND", "No such order.")),
        (ThreadNotFoundError("t1"), error("HANDLER_ERROR", "Thread 't1' was not found.")),
    ],
)
async def test_an_error_that_is_meant_for_others_is_told(raised: Exception, told: dict[str, Any]) -> None:
    def fail() -> None:
        raise raised

    assert json.loads(await call(fail)) == told


@pytest.mark.parametrize("raised", [RuntimeError("the password is hunter2"), TimeoutError("hunter2")])
async def test_any_other_error_is_logged_and_told_by_an_id(
    raised: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise raised

    result = await call(fail)
    assert json.loads(result)["error"]["code"] == "HANDLER_ERROR"
    assert "hunter2" not in result
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is raised
    assert str(record.args[1] if isinstance(record.args, tuple) else "") in result

    assert "hunter2" in await call(fail, development=True)


async def test_a_number_of_any_size_arrives_as_the_model_wrote_it() -> None:
    def same(number: int) -> int:
        return number

    assert await call(same, '{"number":123456789012345678901}') == "123456789012345678901"


async def own_cancellation() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.cancel()
    await task


async def own_exit() -> None:
    sys.exit("hunter2")


@pytest.mark.parametrize("function", [own_cancellation, own_exit, lambda: sys.exit("hunter2")])
async def test_an_action_that_exits_or_is_cancelled_by_itself_ends_nothing_but_its_call(
    function: Callable[[], Any],
) -> None:
    result = await call(function)
    assert json.loads(result)["error"]["code"] == "HANDLER_ERROR"
    assert "hunter2" not in result


async def test_a_result_that_is_no_json_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    assert json.loads(await call(lambda: threading.Lock()))["error"]["code"] == "HANDLER_ERROR"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_call_that_takes_too_long_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    expected = error("TIMEOUT", "The action took more than 0.01 seconds.")
    assert json.loads(await call(wait, default_timeout=0.01)) == expected
    assert cancelled.is_set()
    assert json.loads(await call(action_from(wait, timeout=0.01))) == expected


async def test_a_function_in_a_thread_does_not_hold_up_a_timeout() -> None:
    released = threading.Event()
    result = await call(lambda: released.wait(10) and None, default_timeout=0.01)
    released.set()
    assert json.loads(result)["error"]["code"] == "TIMEOUT"
