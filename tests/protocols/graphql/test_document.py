from typing import Any

import pytest

from copilotkit_runtime_py.protocols.graphql.executor.document import DocumentCache, GraphQLRequestError
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA

from .one_response import DATA

MUTATION = (
    "mutation ($data: GenerateCopilotResponseInput!) { generateCopilotResponse(data: $data) { threadId } }"
)


def errors(
    text: str, variables: dict[str, Any] | None = None, operation_name: str | None = None
) -> list[dict[str, Any]]:
    with pytest.raises(GraphQLRequestError) as raised:
        DocumentCache(SCHEMA).document(text).operation(operation_name, variables)
    return [dict(error.formatted) for error in raised.value.errors]


def test_a_text_that_does_not_parse_is_refused_with_its_place() -> None:
    assert errors("query { hello ") == [
        {
            "message": "Syntax Error: Expected Name, found <EOF>.",
            "locations": [{"line": 1, "column": 15}],
            "extensions": {"code": "GRAPHQL_PARSE_FAILED"},
        }
    ]


def test_an_invalid_document_is_refused_in_the_words_of_graphql_js() -> None:
    assert errors("{nope}") == [
        {
            "message": 'Cannot query field "nope" on type "Query".',
            "locations": [{"line": 1, "column": 2}],
            "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
        }
    ]


@pytest.mark.parametrize(
    ("text", "name"), [("query q { hello }", "zzz"), ("query a { hello } query b { hello }", None)]
)
def test_an_operation_that_cannot_be_told_is_refused(text: str, name: str | None) -> None:
    assert errors(text, operation_name=name) == [
        {
            "message": "Could not determine what operation to execute.",
            "extensions": {"code": "OPERATION_RESOLUTION_FAILURE"},
        }
    ]


def test_the_operation_of_that_name_is_taken() -> None:
    document = DocumentCache(SCHEMA).document("query a { hello } query b { __typename }")

    node = document.operation("b", None).node

    assert node.name is not None
    assert node.name.value == "b"


def test_an_operation_that_the_schema_has_no_root_for_is_refused() -> None:
    messages = [error["message"] for error in errors("subscription { hello }")]

    assert messages
    assert all("subscription" in message for message in messages)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (..., 'Variable "$data" of required type "GenerateCopilotResponseInput!" was not provided.'),
        (None, 'Variable "$data" of non-null type "GenerateCopilotResponseInput!" must not be null.'),
        (
            5,
            'Variable "$data" got invalid value 5; '
            'Expected type "GenerateCopilotResponseInput" to be an object.',
        ),
        (
            {**DATA, "metadata": {"requestType": "Nope"}},
            'Variable "$data" got invalid value "Nope" at "data.metadata.requestType"; '
            'Value "Nope" does not exist in "CopilotRequestType" enum.',
        ),
        (
            {**DATA, "threadId": 5},
            'Variable "$data" got invalid value 5 at "data.threadId"; '
            "String cannot represent a non string value: 5",
        ),
        (
            {**DATA, "messages": [None]},
            'Variable "$data" got invalid value null at "data.messages[0]"; '
            'Expected non-nullable type "MessageInput!" not to be null.',
        ),
        (
            {**DATA, "frontend": {}},
            'Variable "$data" got invalid value {} at "data.frontend"; '
            'Field "actions" of required type "[ActionInput!]!" was not provided.',
        ),
        (
            {**DATA, "frontend": {"actions": [], "urll": [[[[1]]]]}},
            'Variable "$data" got invalid value { actions: [], urll: [[[Array]]] } at "data.frontend"; '
            'Field "urll" is not defined by type "FrontendInput". Did you mean "url"?',
        ),
        (
            {**DATA, "messages": [{"id": "1", "createdAt": "2024-01-01"}]},
            'Variable "$data" got invalid value "2024-01-01" at "data.messages[0].createdAt"; '
            "DateTime cannot represent an invalid date-time-string 2024-01-01.",
        ),
    ],
)
def test_a_wrong_variable_is_refused_in_the_words_of_graphql_js(data: object, message: str) -> None:
    variables = {} if data is ... else {"data": data}

    assert errors(MUTATION, variables) == [{"message": message, "locations": [{"line": 1, "column": 11}]}]


def test_errors_about_variables_are_counted() -> None:
    found = errors(MUTATION, {"data": {**DATA, "messages": [None] * 60}})

    assert len(found) == 51
    assert found[-1] == {
        "message": "Too many errors processing variables, error limit reached. Execution aborted."
    }


@pytest.mark.parametrize(
    ("selection", "incremental"),
    [
        ("messages { id }", False),
        ("messages @stream { id }", True),
        ("messages @stream(if: $no) { id }", False),
        ("messages @stream(if: $yes) { id }", True),
        ("messages @stream @include(if: $no) { id }", False),
        ("... @defer { threadId }", True),
        ("... @defer(if: $no) { threadId }", False),
        ("... @defer(if: $no) { messages @stream { id } }", True),
        ("... @skip(if: $yes) { messages @stream { id } }", False),
        ("...Deep", True),
        ("...Deep @skip(if: $yes)", False),
        ("...Plain ...Plain", False),
    ],
)
def test_a_document_is_incremental_if_a_directive_in_it_is_active(selection: str, incremental: bool) -> None:
    fragments = {
        "Deep": "fragment Deep on CopilotResponse { ... { messages { ... @defer { id } } } }",
        "Plain": "fragment Plain on CopilotResponse { messages { id } }",
    }
    used = [text for name, text in fragments.items() if f"...{name}" in selection]
    text = f"""
        mutation ($data: GenerateCopilotResponseInput!, $yes: Boolean = true, $no: Boolean = false) {{
            generateCopilotResponse(data: $data) {{ {selection} }}
            __typename @include(if: $yes) @skip(if: $no)
        }}
    """
    document = DocumentCache(SCHEMA).document("\n".join([text, *used]))

    assert document.operation(None, {"data": DATA}).is_incremental is incremental


def test_documents_are_parsed_once() -> None:
    cache = DocumentCache(SCHEMA)

    assert cache.document("{ hello }") is cache.document("{ hello }")


def test_the_documents_used_last_are_kept() -> None:
    cache = DocumentCache(SCHEMA, max_documents=2)
    first = cache.document("{ a: hello }")
    second = cache.document("{ b: hello }")
    assert cache.document("{ a: hello }") is first

    cache.document("{ c: hello }")

    assert cache.document("{ a: hello }") is first
    assert cache.document("{ b: hello }") is not second


def test_a_long_document_is_not_kept_and_takes_no_place() -> None:
    cache = DocumentCache(SCHEMA, max_characters=320)
    short = cache.document("{ hello }")
    long = "{ hello }" + " " * 20

    assert cache.document(long) is not cache.document(long)
    assert cache.document("{ hello }") is short


def test_the_texts_that_are_kept_are_bounded_together() -> None:
    cache = DocumentCache(SCHEMA, max_characters=16 * 14)
    texts = [f"{{ x{number:02}:hello }}" for number in range(20)]
    documents = [cache.document(text) for text in texts]

    assert cache.document(texts[-1]) is documents[-1]
    assert cache.document(texts[0]) is not documents[0]


def test_plans_are_shared_by_requests_that_differ_in_other_variables_only() -> None:
    document = DocumentCache(SCHEMA).document(
        "query ($data: LoadAgentStateInput!, $no: Boolean!)"
        "{ loadAgentState(data: $data) { state @skip(if: $no) threadId } }"
    )

    def selected(agent: str, no: bool) -> object:
        variables = {"data": {"agentName": agent, "threadId": "t"}, "no": no}
        return document.operation(None, variables).root_selection()

    assert selected("a", False) is selected("b", False)
    assert selected("a", False) is not selected("a", True)
