"""The documentation's code runs, and its commands exist."""

import importlib
import inspect
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import docstring_parser
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import copilotkit_runtime_py
from copilotkit_runtime_py import Limits, Retention
from copilotkit_runtime_py.agui.event_checks import KNOWN
from copilotkit_runtime_py.app.setting import SETTINGS
from copilotkit_runtime_py.cli import cli
from copilotkit_runtime_py.protocols.agui import routes
from copilotkit_runtime_py.protocols.agui.info import CONTRACT_VERSION
from copilotkit_runtime_py.protocols.agui.single_route import read_envelope
from copilotkit_runtime_py.state_store.memory import MEMORY_RETENTION
from docs_site.error_codes import agent_codes
from docs_site.error_codes import classes as error_classes
from docs_site.pages import linked, outside_docs
from docs_site.reference import pages as reference_pages

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUN = {"threadId": "t1", "runId": "r1", "messages": [{"id": "u1", "role": "user", "content": "good morning"}]}
GRAPHQL = {"query": "{ hello availableAgents { agents { name } } }"}


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    source = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", source, re.MULTILINE | re.DOTALL):
        yield Block(page, source.count("\n", 0, match.start()) + 1, match[1], match[2])


def commands() -> Iterator[Any]:
    for page in PAGES:
        for block in blocks(page):
            if block.language == "bash":
                for offset, line in enumerate(block.text.splitlines(), 1):
                    words = shlex.split(line, comments=True)
                    if words:
                        yield pytest.param(words, id=f"{page.name}:{block.line + offset}")


def modules(page: Path) -> dict[str, str]:
    """The page's Python blocks by module name. Each block names its file in its first line."""
    found = {}
    for block in blocks(page):
        if block.language == "python":
            name = re.match(r"# (\w+)\.py\n", block.text)
            assert name, f"{page.name}:{block.line}: the first line names no file"
            found[name[1]] = block.text
    return found


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize(
    # CrewAI changes the process that imports it, so its page is tested with its provider.
    "page",
    [page for page in PAGES if modules(page) and page.name != "crewai.md"],
    ids=lambda page: str(page.name),
)
def test_every_python_block_runs_and_every_app_answers(page: Path, on_path: Path) -> None:
    run_blocks(page, on_path)


def run_blocks(page: Path, on_path: Path) -> None:
    sources = modules(page)
    for name, source in sources.items():
        (on_path / f"{name}.py").write_text(source, encoding="utf-8")

    for name in sources:
        module = importlib.import_module(name)
        app = getattr(module, "app", None)
        if isinstance(app, FastAPI):
            check_app(app, getattr(module, "TOKEN", ""), mounted=hasattr(module, "ai"))


def check_app(app: FastAPI, token: str, *, mounted: bool) -> None:
    url = "/ai/copilotkit" if mounted else "/api/copilotkit"
    with TestClient(app) as client:
        if token:
            assert client.post(url, json=GRAPHQL).status_code == 401
            client.headers["authorization"] = f"Bearer {token}"
        answer = client.post(url, json=GRAPHQL).json()["data"]
        assert answer["hello"] == "Hello World"
        assert len(answer["availableAgents"]["agents"]) == 1
        agent = client.get(f"{url}/info").json()["agents"]["default"]
        if agent["className"] not in ("RemoteProvider", "FactoryProvider"):  # whose agents are elsewhere
            for number in (1, 2):  # who answers once must answer again
                body = {**RUN, "runId": f"r{number}"}
                run = client.post(f"{url}/agent/default/run", json=body).text
                assert run.rstrip().rpartition("data: ")[2].startswith('{"type":"RUN_FINISHED"')


@pytest.mark.parametrize("words", list(commands()))
def test_every_command_in_the_documentation_exists(words: list[str], tmp_path: Path) -> None:
    program, *arguments = words
    if program == "make":
        assert re.search(rf"^{arguments[0]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "copilotkit-runtime-py":
        check_cli([str(ROOT / "pyproject.toml") if word.endswith(".json") else word for word in arguments])
    elif program == "uvicorn":
        module, _, attribute = arguments[0].partition(":")
        assert attribute == "app"
        shown = any(module in modules(page) for page in PAGES)
        assert shown or (ROOT / "src" / f"{module.replace('.', '/')}.py").is_file()
    elif program == "pip":
        name, extras = re.fullmatch(r"([\w-]+)\[(.*)\]", arguments[1]).groups()  # type: ignore[union-attr]
        assert name == PROJECT["name"]
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    else:
        raise AssertionError(f"no check for the command {program}")


def check_cli(arguments: list[str]) -> None:
    parent = click.Context(cli, **cli.context_settings)
    name, command, rest = cli.resolve_command(parent, arguments)
    assert command is not None
    command.make_context(name, rest, parent=parent)


def test_every_json_example_is_json() -> None:
    for page in PAGES:
        for block in blocks(page):
            if block.language == "json":
                try:
                    json.loads(block.text)
                except json.JSONDecodeError:
                    for line in block.text.splitlines():
                        json.loads(line)


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table whose first heading this is, each cell without its backquotes."""
    source = (ROOT / "docs" / page).read_text(encoding="utf-8")
    _, _, after = source.partition(f"| {heading} |")
    rows = after.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def written(name: str, value: Any) -> str:
    if value is None:
        return "no bound"
    if "bytes" in name:
        return f"{value // 2**20} MiB"
    return f"{value:,g} s" if name.endswith("seconds") else f"{value:,}"


def test_the_table_of_limits_is_that_of_the_code() -> None:
    documented = {row[0].strip("`"): row[1] for row in table("limits.md", "`Limits`")}

    assert documented == {field.name: written(field.name, field.default) for field in fields(Limits)}


def test_the_table_of_the_stores_bounds_is_that_of_the_code() -> None:
    documented = {row[0].strip("`"): row[1] for row in table("limits.md", "`Retention`")}

    bounds = {field.name: getattr(MEMORY_RETENTION, field.name) for field in fields(Retention)}
    assert documented == {name: written(name, bound) for name, bound in bounds.items()}


def test_the_table_of_requests_is_that_of_the_code() -> None:
    rows = table("agui-contract.md", "request")

    assert len(rows) == 14
    for request, method, _ in rows:
        verb, path = request.strip("`").split()
        operation = routes.match(path.partition("?")[0], verb).operation
        assert method.strip("`") == ("resource/request" if operation.startswith("threads/") else operation)


def test_the_table_of_versions_is_that_of_the_package_and_its_tests() -> None:
    versions, graphql, agui, frontends = table("compatibility.md", "copilotkit-runtime-py")[0]

    assert PROJECT["version"].startswith(f"{versions}.")
    assert (graphql, agui) == ("`CopilotRuntime` 1.10.6", f"`CopilotRuntime` {CONTRACT_VERSION}")
    pages = ("browser/page-1.10", "browser/page-1.74", "browser/page-older")
    for folder in ("clients", "clients_agui", *pages):
        package = json.loads((ROOT / "tests" / folder / "package.json").read_text(encoding="utf-8"))
        for name, pinned in package["dependencies"].items():
            if name.startswith(("client-", "core-", "react-core-", "@copilotkit/react-core")):
                version = pinned if name.startswith("@") else name.rpartition("-")[2]
                assert version in frontends, name


def test_the_envelopes_are_understood() -> None:
    lines = [
        line
        for block in blocks(ROOT / "docs" / "agui-contract.md")
        if block.language == "json"
        for line in block.text.splitlines()
    ]

    read = [read_envelope(json.loads(line), "application/json") for line in lines]
    assert [envelope.operation for envelope in read] == ["agent/run", "agent/stop", "threads/list"]


def test_every_relative_link_leads_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(
            r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")
        ):
            linked = (page.parent / target).resolve() if target else page
            assert linked.is_file(), f"{page.name} links to {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {
                    re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
                }


def test_the_navigation_of_the_site_has_every_page() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    shown = re.findall(r"^ +- (?:.*: )?(\S+\.md)$", navigation, re.MULTILINE)
    made = {path for path, _ in (*outside_docs(), *reference_pages()) if not path.startswith("files/")}
    written = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}

    assert len(shown) == len(set(shown))
    assert set(shown) == made | written, "list each page of docs/ under `nav` in mkdocs.yml"


def test_the_reference_has_every_public_name_once() -> None:
    documented = [
        name.rpartition(".")[2]
        for path, text in reference_pages()
        for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)
        if path.startswith("reference/")
    ]

    assert len(documented) == len(set(documented))
    assert set(copilotkit_runtime_py.__all__) <= set(documented)


@pytest.mark.parametrize("name", sorted({*copilotkit_runtime_py.__all__} - {"events"}))
def test_every_argument_that_the_reference_lists_is_described(name: str) -> None:
    value = getattr(copilotkit_runtime_py, name)
    docstring = docstring_parser.parse(inspect.getdoc(value) or "")

    assert docstring.short_description
    described = {part.arg_name for part in docstring.params if part.description}
    assert arguments(value) <= described


def arguments(value: Any) -> set[str]:
    """The arguments with which something public is called."""
    makes_nothing = inspect.isclass(value) and (
        issubclass(value, Exception) or "__init__" not in vars(value) or hasattr(value, "_is_protocol")
    )
    return set() if makes_nothing else set(inspect.signature(value).parameters)


def test_every_error_has_a_code_and_a_meaning() -> None:
    assert all(inspect.getdoc(error) for error in error_classes())
    assert all(agent_codes().values())


def test_every_event_and_setting_is_in_the_reference() -> None:
    texts = dict(reference_pages())

    assert set(re.findall(r"^\| `([A-Z_]+)`", texts["reference/events.md"], re.MULTILINE)) == KNOWN
    for setting in SETTINGS:
        assert f"| `{setting.variable}` | `{setting.flag}`" in texts["reference/settings.md"]
    assert not re.search(r"\|\s*\|\n", texts["reference/command-line.md"]), "an option without a help text"


def test_links_of_the_site_lead_to_its_pages() -> None:
    assert (
        linked("[a](docs/cli.md#dev) ![b](docs/images/x.png)", "README.md")
        == "[a](cli.md#dev) ![b](images/x.png)"
    )
    assert linked("[a](../CONTRIBUTING.md)", "docs/agents.md") == "[a](contributing.md)"
    assert linked("[a](../examples/agno_agent.py)", "docs/agno.md") == "[a](files/examples/agno_agent.py.md)"
    assert linked("[a](../limits.md)", "docs/design/decisions.md") == "[a](../limits.md)"
    assert linked("[the workers](workers)", "examples/README.md") == "the workers"
    assert linked("[a](https://example.com) [b](#c)", "docs/cli.md") == "[a](https://example.com) [b](#c)"


def test_the_readmes_first_screen_has_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:12]

    assert [line.split("#")[0].strip() for line in first_screen if line.startswith("make ")] == [
        "make demo",
        "make test",
    ]


def test_every_station_of_the_tour_is_in_the_code() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for heading in ("The path of a request", "The path of an event"):
        way = text.partition(f"### {heading}\n")[2].partition("\n### ")[0]
        assert 10 <= len(re.findall(r"^\d+\. ", way, re.MULTILINE)) <= 12
    stations = re.findall(r"`([\w/]+)\.py`\s`([\w.]+)`", text)
    assert len(stations) > 24
    for path, name in stations:
        found: Any = importlib.import_module(f"copilotkit_runtime_py.{path.replace('/', '.')}")
        for part in name.split("."):
            found = getattr(found, part)
