"""The frozen contract, the packages that it was taken from, and what our server serves."""

from __future__ import annotations

import httpx
import pytest
from graphql import (
    build_client_schema,
    build_schema,
    get_introspection_query,
    lexicographic_sort_schema,
    print_schema,
)

from tests.clients.conftest import Serve
from tests.clients.contract import CONTRACT, PINNED, changes, take


@pytest.mark.clients
@pytest.mark.usefixtures("node_environment")
def test_the_snapshot_is_what_the_npm_packages_serve_and_send() -> None:
    assert changes(take(PINNED)) == ""


def test_a_change_of_the_contract_is_shown_as_a_diff() -> None:
    difference = changes({"operations.graphql": "query hello {\n  hello\n}\n"})
    assert difference.startswith("--- snapshot/operations.graphql\n+++ npm/operations.graphql\n")
    assert "+  hello\n" in difference


def test_our_server_serves_the_schema_of_the_snapshot(serve: Serve) -> None:
    query = get_introspection_query(input_value_deprecation=True, specified_by_url=True)
    answer = httpx.post(serve({}), json={"query": query}).json()
    served = print_schema(lexicographic_sort_schema(build_client_schema(answer["data"])))
    snapshot = (CONTRACT / "schema.graphql").read_text(encoding="utf-8")
    assert served == print_schema(lexicographic_sort_schema(build_schema(snapshot)))
