"""Documents that would cost more than they are long."""

from __future__ import annotations

import sys
from types import FrameType

import pytest
from graphql import get_introspection_query

from copilotkit_runtime_py import Limits
from copilotkit_runtime_py.protocols.graphql.executor import document
from copilotkit_runtime_py.protocols.graphql.executor.document import DocumentCache, GraphQLRequestError
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA


def refusals(text: str, limits: Limits | None = None, *, introspection: bool = True) -> list[str]:
    """Why a document is refused; nothing if it is not."""
    try:
        DocumentCache(SCHEMA, limits=limits, introspection=introspection).document(text)
    except GraphQLRequestError as error:
        return [problem.message for problem in error.errors]
    return []


def calls_of(text: str) -> int:
    """How many Python functions are called to check a document."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        refusals(text)
    finally:
        sys.setprofile(None)
    return count


def nested(levels: int) -> str:
    return '{ __type(name: "Query") {' + "ofType{" * levels + "name" + "}" * levels + "} }"


def doubling(levels: int) -> str:
    """Few fragments that stand for 2^levels fields."""
    fragments = "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(levels))
    return f"{{ ...f0 }} {fragments} fragment f{levels} on Query {{ a: hello }}"


@pytest.mark.attack(1)
@pytest.mark.parametrize("levels", [50, 1_000, 100_000])
def test_a_deep_document_is_refused_before_it_is_validated(
    levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(document, "validate")

    [why] = refusals(nested(levels))

    assert "deep" in why or "Parsing aborted" in why


@pytest.mark.attack(1)
def test_depth_counts_through_fragments() -> None:
    spread = "{ ...a } fragment a on Query { ...b } fragment b on Query { hello }"

    assert refusals(spread, Limits(query_depth=3)) == []
    assert refusals(spread, Limits(query_depth=2)) == ["The document is nested deeper than 2 levels."]
    backwards = "fragment b on Query { hello } fragment a on Query { ...b } query { ...a }"
    assert refusals(backwards, Limits(query_depth=2)) == ["The document is nested deeper than 2 levels."]


@pytest.mark.attack(2)
def test_aliases_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def aliased(count: int) -> str:
        return "{" + "".join(f"a{n}: hello " for n in range(count)) + "}"

    assert refusals(aliased(50)) == []
    monkeypatch.delattr(document, "validate")
    assert refusals(aliased(51)) == ["The document has more than 50 aliases, fragments included."]
    assert len(refusals(aliased(10_000))) == 1


@pytest.mark.attack(3)
def test_what_fragments_multiply_is_counted_where_they_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(document, "validate")

    assert refusals(doubling(6)) == ["The document has more than 50 aliases, fragments included."]
    assert refusals(doubling(24)) == ["The document has more than 500 fields, fragments included."]


@pytest.mark.attack(3)
def test_what_multiplies_is_counted_without_being_multiplied() -> None:
    assert calls_of(doubling(24)) < 4 * calls_of(doubling(12))


@pytest.mark.attack(4)
def test_fragments_that_spread_each_other_are_refused() -> None:
    assert refusals("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }") == [
        'Cannot spread fragment "a" within itself via "b".'
    ]
    assert refusals("{ ...a } fragment a on Query { ...a hello }") == [
        'Cannot spread fragment "a" within itself.'
    ]


@pytest.mark.attack(5)
@pytest.mark.parametrize(
    "filling", ["a ", ",", "#\n", " ", "\n", "[", '"x" ', "{a", "\ufeff", "a: hello @skip(if: true) "]
)
def test_a_megabyte_of_tokens_or_of_nothing_is_not_read_to_its_end(filling: str) -> None:
    text = "{ hello " + filling * (1_000_000 // len(filling)) + "}"

    assert len(refusals(text)) == 1
    assert calls_of(text) < 1_000


@pytest.mark.attack(6)
def test_directives_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(document, "validate")

    assert refusals("{ hello" + " @x" * 201 + "}") == [
        "The document has more than 200 directives, fragments included."
    ]
    assert len(refusals("{ hello" + " @skip(if: false)" * 10_000 + "}")) == 1
    for place in ("query ($v: Int @x)", "query @x"):
        assert refusals(place + "{ hello }", Limits(query_directives=0)) == [
            "The document has more than 0 directives, fragments included."
        ]


@pytest.mark.attack(7)
@pytest.mark.parametrize(
    "text",
    [
        "{" + "hello " * 400 + "}",
        "{" + "availableAgents { agents { name } } " * 140 + "}",
        "{"
        + "".join(f"...f{n} " for n in range(80))
        + "}"
        + "".join(f"fragment f{n} on Query {{ hello }} " for n in range(80)),
        "{" + "".join(f"b{n} " for n in range(450)) + "}",
        "{ loadAgentState(data: {" + "".join(f"x{n}: 1 " for n in range(300)) + "}) { state } }",
    ],
    ids=["same fields", "same fields with fields", "fragments", "unknown fields", "unknown input"],
)
def test_the_costliest_documents_that_are_let_in_cost_a_bounded_number_of_steps(text: str) -> None:
    assert calls_of(text) < 1_000_000


@pytest.mark.attack(7)
def test_ten_thousand_identical_fields_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(document, "validate")

    assert refusals("{" + "hello " * 501 + "}") == [
        "The document has more than 500 fields, fragments included."
    ]
    assert len(refusals("{" + "hello " * 10_000 + "}")) == 1


@pytest.mark.attack(9)
@pytest.mark.parametrize("text", ["{ __schema { types { name } } }", '{ __type(name: "Query") { name } }'])
def test_the_schema_is_told_only_where_it_may_be(text: str) -> None:
    assert refusals(text) == []
    refused = refusals(text, introspection=False)
    assert refused
    assert all("introspection has been disabled" in why for why in refused)


@pytest.mark.attack(9)
def test_names_are_suggested_only_where_the_schema_may_be_told() -> None:
    assert refusals("{ helo }") == ['Cannot query field "helo" on type "Query". Did you mean "hello"?']
    assert refusals("{ helo }", introspection=False) == ['Cannot query field "helo" on type "Query".']
    assert refusals("{ __typename hello }", introspection=False) == []


@pytest.mark.attack(9)
def test_names_are_not_suggested_for_variables_either() -> None:
    cache = DocumentCache(SCHEMA, introspection=False)
    text = "query ($data: LoadAgentStateInput!) { loadAgentState(data: $data) { state } }"

    with pytest.raises(GraphQLRequestError) as refused:
        cache.document(text).operation(None, {"data": {"threadID": "t", "agentName": "a"}})

    assert [error.message.partition(";")[2] for error in refused.value.errors] == [
        ' Field "threadId" of required type "String!" was not provided.',
        ' Field "threadID" is not defined by type "LoadAgentStateInput".',
    ]


def test_the_queries_of_schema_explorers_are_far_from_every_limit() -> None:
    half = Limits(query_tokens=500, query_depth=20, query_fields=250, query_aliases=0, query_directives=100)

    assert refusals(get_introspection_query(), half) == []


@pytest.mark.attack(14)
@pytest.mark.parametrize(
    "text",
    [
        "{ availableAgents { agents @stream(initialCount: 99999999999999999999) { name } } }",
        "{ hello @stream }",
        "{ hello @defer }",
        "mutation { ... @defer { __typename } }",
        "subscription @defer { hello }",
        "query ($n: Int = -1, $l: String) { availableAgents { agents @stream(initialCount: $n, label: $l)"
        " { name } } }",
    ],
)
def test_incremental_directives_out_of_place_are_refused(text: str) -> None:
    assert refusals(text) != []
