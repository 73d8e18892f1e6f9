"""JSON objects that arrive in pieces."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py.generative_ui.json_reader import JSONReader, MalformedJSONError, Piece

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=20,
)


def pieces(text: str, cuts: list[int], depth: int = 1) -> list[Piece]:
    reader = JSONReader(depth=depth)
    found: list[Piece] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += reader.feed(text[start:end])
    assert reader.complete
    return found


def cuts_of(text: str, seed: int) -> list[int]:
    return sorted(random.Random(seed).choices(range(len(text) + 1), k=random.Random(seed).randint(0, 12)))


@given(
    value=st.dictionaries(st.text(max_size=6), JSON, max_size=5),
    seed=st.integers(0, 2**32),
    ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_values_are_those_of_the_whole_text(
    value: dict[str, Any], seed: int, ascii: bool, indent: int | None
) -> None:
    try:
        text = json.dumps(value, ensure_ascii=ascii, indent=indent)
        text.encode()
    except UnicodeEncodeError:
        return

    found = pieces(text, cuts_of(text, seed))

    assert {piece.path[0]: piece.value for piece in found if piece.kind == "value"} == value
    for key, member in value.items():
        grown = [piece.value for piece in found if piece.kind == "text" and piece.path == (key,)]
        items = [piece.value for piece in found if piece.kind == "item" and piece.path == (key,)]
        assert "".join(grown) == (member if isinstance(member, str) else "")
        assert items == (member if isinstance(member, list) else [])


def test_strings_grow_and_items_complete_as_they_arrive() -> None:
    reader = JSONReader(depth=2)

    steps = [
        list(reader.feed(part))
        for part in ('{"html":"<p>', "Hi\\n", "\\u00", 'e9</p>"', ',"data":{"rows":[1', ',{"a":2}', "]}}")
    ]

    assert steps == [
        [Piece("text", ("html",), "<p>")],
        [Piece("text", ("html",), "Hi\n")],
        [],
        [Piece("text", ("html",), "é</p>"), Piece("value", ("html",), "<p>Hi\né</p>")],
        [Piece("open", ("data", "rows"), [])],
        [Piece("item", ("data", "rows"), 1), Piece("item", ("data", "rows"), {"a": 2})],
        [
            Piece("value", ("data", "rows"), [1, {"a": 2}]),
            Piece("value", ("data",), {"rows": [1, {"a": 2}]}),
        ],
    ]


def test_a_surrogate_pair_may_be_cut_anywhere() -> None:
    text = '{"a":"\\ud83d\\ude00!"}'

    for cut in range(len(text)):
        found = pieces(text, [cut])
        assert "".join(piece.value for piece in found if piece.kind == "text") == "😀!"
        assert found[-1] == Piece("value", ("a",), "😀!")


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    found = pieces('{"a":"x\\ud83d","b":"\\ude00y","c":["\\ud83dz"]}', [])

    assert [piece.value for piece in found if piece.kind == "text"] == ["x\ufffd", "\ufffdy"]
    assert found[-1] == Piece("value", ("c",), ["\ufffdz"])


@pytest.mark.parametrize(
    "text",
    [
        "[1]", '"a"', "1", "x", "{]", '{"a" 1}', '{"a":1]', '{"a":}', '{"a":,}', "{,}", '{"a":1 "b":2}',
        "{1:2}",
        '{"a":1}x', '{"a":nul}', '{"a":"\\uzzzz"}', '{"a":[1,,2]}', '{"a":"b""c"}', '{"a"}', '{"a":{}{}}',
    ],
)  # fmt: skip
def test_what_cannot_become_an_object_is_refused(text: str) -> None:
    reader = JSONReader()

    with pytest.raises(MalformedJSONError):
        list(reader.feed(text))


def test_deep_nesting_is_refused() -> None:
    reader = JSONReader(max_nesting=10)

    with pytest.raises(MalformedJSONError, match="nested too deeply"):
        list(reader.feed('{"a":' + "[" * 10))


def test_the_effort_grows_with_the_text_and_not_with_the_number_of_pieces() -> None:
    text = json.dumps({"html": "x" * 50_000, "rows": [{"n": n} for n in range(5_000)]})
    reader = JSONReader()
    found: list[Piece] = []

    for at in range(0, len(text), 3):
        found += reader.feed(text[at : at + 3])

    assert sum(piece.kind == "item" for piece in found) == 5_000
    assert sum(len(piece.value) for piece in found if piece.kind == "text") == 50_000
