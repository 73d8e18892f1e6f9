"""The frozen contract against the packages that it was taken from."""

from __future__ import annotations

import pytest

from tests.clients.contract import PINNED, changes, take

pytestmark = pytest.mark.clients


def test_the_snapshot_is_what_the_npm_packages_serve_and_send(node_environment: dict[str, str]) -> None:
    assert changes(take(PINNED)) == ""


def test_a_change_of_the_contract_is_shown_as_a_diff() -> None:
    difference = changes({"operations.graphql": "query hello {\n  hello\n}\n"})
    assert difference.startswith("--- snapshot/operations.graphql\n+++ npm/operations.graphql\n")
    assert "+  hello\n" in difference
