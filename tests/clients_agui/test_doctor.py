"""The command `doctor` before CopilotKit's own newest runtime."""

import json

import pytest
from click.testing import CliRunner

from copilotkit_runtime_py.cli import cli

pytestmark = pytest.mark.clients


@pytest.mark.parametrize(
    ("mode", "client", "agents"), [("rest", "rest", "/info"), ("single", "single-route", "info")]
)
def test_nothing_is_wrong_with_copilotkits_own_runtime_but_that_it_lets_no_other_origin_in(
    mode: str, client: str, agents: str, reference: str
) -> None:
    arguments = ["doctor", f"{reference}{mode}", "--client", client, "--json"]

    told = json.loads(CliRunner().invoke(cli, arguments).output)

    found = {check["check"]: check for check in told["checks"]}
    assert found["runtime"]["detail"] == "a runtime answers AG-UI"
    assert found[agents]["detail"].startswith("default (1.")
    assert {check["group"] for check in told["checks"] if check["status"] == "failed"} == {
        "Pages of another origin (CORS)"
    }
