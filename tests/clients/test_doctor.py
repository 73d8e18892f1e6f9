"""The command `doctor` before CopilotKit's own runtime 1.10."""

import json

import pytest
from click.testing import CliRunner

from copilotkit_runtime_py.cli import cli

pytestmark = pytest.mark.clients


def test_nothing_is_wrong_with_copilotkits_own_runtime_for_its_own_pages(reference: str) -> None:
    arguments = ["doctor", f"{reference}chat", "--client", "graphql", "--json"]

    told = json.loads(CliRunner().invoke(cli, arguments).output)

    assert told["ok"]
    assert [check["check"] for check in told["checks"] if check["status"] == "skipped"] == [
        "availableAgents",  # it lists none of its own
        "parts",
    ]
    assert told["checks"][2]["detail"] == "a runtime answers GraphQL"
