"""JSON of clients: bounded before it is parsed, and without lone surrogates afterwards."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py import Limits
from copilotkit_runtime_py.agui import json_input
from copilotkit_runtime_py.agui.json_input import RequestJSON, parse_json
from copilotkit_runtime_py.errors import InvalidRequestError

CHARACTERS = st.sampled_from('a"\\/{}[],:\n\té😀\ufffd\ud83d\ude00\udc00u')
STRINGS = st.text(CHARACTERS, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | STRINGS,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(STRINGS, values, max_size=4),
    max_leaves=20,
)


def read(data: bytes, **limits: Any) -> Any:
    return asyncio.run(RequestJSON(Limits(**limits)).read(data))


def count(value: Any) -> int:
    """How many values a JSON value consists of."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, children))


def empty(value: Any) -> int:
    """How many empty containers a JSON value has."""
    if not isinstance(value, dict | list):
        return 0
    return (not value) + sum(map(empty, value.values() if isinstance(value, dict) else value))


def depth(value: Any) -> int:
    """How deep a JSON value is nested."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


def as_browsers_see_it(data: bytes) -> Any:
    """The value of a document after a browser's encoder has replaced the lone surrogates."""
    text = json.dumps(json.loads(data.decode("utf-8", "replace")), ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


@pytest.fixture(params=[json_input._PIECE, 5], ids=["whole", "in pieces"], autouse=True)
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_input, "_PIECE", request.param)


@pytest.mark.parametrize("size", [json_input._PIECE, 1, 2, 3, 5, 13])
@given(value=VALUES, escaped=st.booleans())
def test_a_document_is_read_as_browsers_see_it(size: int, value: Any, escaped: bool) -> None:
    data = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(json_input, "_PIECE", size)
        assert read(data) == parse_json(data) == as_browsers_see_it(data)


@pytest.mark.parametrize("size", [json_input._PIECE, 1, 4, 9])
@given(value=VALUES)
def test_a_document_is_refused_if_it_has_too_many_values_or_is_too_deep(size: int, value: Any) -> None:
    data = json.dumps(value).encode()
    exact, most = count(value), count(value) + empty(value)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(json_input, "_PIECE", size)
        read(data, json_values=most, json_depth=depth(value))
        with pytest.raises(InvalidRequestError, match="JSON values at most"):
            read(data, json_values=exact - 1)
        if depth(value):
            with pytest.raises(InvalidRequestError, match="levels of nesting at most"):
                read(data, json_depth=depth(value) - 1)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\uD83D\uDE00"', "😀"),
        (rb'"\ud83d\ud83d\ude00\ude00"', "\ufffd😀\ufffd"),
        (rb'"\\ud83d"', "\\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'"\ud83d\\ude00"', "\ufffd\\ude00"),
        (rb'{"\ud83d": ["\udc00x"]}', {"\ufffd": ["\ufffdx"]}),
        (b'"\xed\xa0\xbd \xff"', "\ufffd\ufffd\ufffd \ufffd"),
    ],
)
def test_half_a_character_becomes_the_replacement_character(data: bytes, value: Any) -> None:
    assert read(data) == parse_json(data) == value


@pytest.mark.parametrize("data", [b"", b"{", b"nope", b'"\x00\x00"', b'"\xed\xa0\xbd', b"[1,]", b"NaN"])
def test_what_is_not_json_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read(data)
    with pytest.raises(ValueError, match="line 1"):
        parse_json(data)


def test_the_values_of_all_documents_of_a_request_count_together() -> None:
    async def read_twice(values: int) -> None:
        reader = RequestJSON(Limits(json_values=values))
        for data in (b"[1,2]", b'{"a":"1,2,[,{"}'):
            await reader.read(data)

    asyncio.run(read_twice(5))
    with pytest.raises(InvalidRequestError, match="Expected 4 JSON values at most"):
        asyncio.run(read_twice(4))


DEEP = b"[" * 95 + b"]" * 95
BOMBS = {
    "nested lists": b'{"state":[' + b",".join([DEEP] * 20_000) + b"]}",
    "empty lists": b"[" + b"[]," * 200_000 + b"1]",
    "objects": b"[" + b'{"a":1},' * 100_000 + b"1]",
    "numbers": b"[" + b"1," * 200_000 + b"1]",
    "opening brackets": b"[" * 1_000_000,
    "commas": b"," * 1_000_000,
    "quotes": b'"' * 2_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_document_of_too_many_values_is_never_parsed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_input, "_PIECE", 32 * 1024)
    parsed: list[bytes] = []
    monkeypatch.setattr("orjson.loads", parsed.append)

    with pytest.raises(InvalidRequestError, match="at most"):
        read(BOMBS[name])

    assert parsed == []


@pytest.mark.parametrize("data", [b'"' + b"x" * 200_000 + b'"', b'"' + rb"\ud83d" * 30_000 + b'"'])
def test_the_event_loop_goes_on_between_the_pieces_of_a_document(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_input, "_PIECE", 32 * 1024)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        counting = asyncio.create_task(count_turns())
        await RequestJSON(Limits()).read(data)
        counting.cancel()

    asyncio.run(main())
    assert turns >= len(data) // (32 * 1024)
