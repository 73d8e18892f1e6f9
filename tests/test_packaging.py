"""The built wheel works in fresh environments, alone and beside CopilotKit's own Python SDK."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[1]
UV = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    run(UV, "build", "--quiet", "--out-dir", str(directory), str(ROOT))
    return directory


def run(*command: str, cwd: Path | None = None) -> str:
    """Runs a command outside the environment of the tests, and returns what it prints."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    done = subprocess.run(command, cwd=cwd, env=inherited, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment(directory: Path, *requirements: str) -> Path:
    """A fresh virtual environment; returns its `bin`."""
    run(UV, "venv", "--quiet", "--python", sys.executable, str(directory))
    python = str(directory / "bin" / "python")
    run(UV, "pip", "install", "--quiet", "--python", python, *requirements)
    return directory / "bin"


def _libraries() -> dict[str, Any]:
    """The npm packages of the playground."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages: dict[str, Any] = project["tool"]["hatch"]["build"]["hooks"]["custom"]["packages"]
    return packages


def _checkout(directory: Path) -> Path:
    """The files of this checkout that a clone of it would have."""
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and name.startswith(
            ("src/", "hatch_build", "pyproject", "README", "LICENSE")
        ):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
    return directory


@contextmanager
def served(bin: Path, app: str, directory: Path) -> Iterator[httpx.Client]:
    """Runs `uvicorn APP` in a directory, and yields a client of it."""
    process = subprocess.Popen(
        [str(bin / "uvicorn"), app, "--port", "0"],
        cwd=directory,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert process.stderr is not None
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "Uvicorn running on " in line:
                break
        else:
            raise AssertionError("".join(lines))
        with httpx.Client(base_url=line.partition("running on ")[2].split()[0]) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)


def agents(client: httpx.Client) -> list[str]:
    answer = client.post("/api/copilotkit", json={"query": "{ availableAgents { agents { name } } }"})
    return [agent["name"] for agent in answer.json()["data"]["availableAgents"]["agents"]]


def test_the_wheel_holds_the_packages_and_their_data(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "copilotkit",
        "copilotkit_runtime_py",
    }
    assert "copilotkit/__init__.py" not in names
    assert {
        "copilotkit/runtime_py/app/main.py",
        "copilotkit_runtime_py/py.typed",
        *(
            f"copilotkit_runtime_py/app/playground/static/{file.name}"
            for file in (ROOT / "src/copilotkit_runtime_py/app/playground/static").glob("*.*")
        ),
        *(
            f"copilotkit_runtime_py/app/playground/static/vendor/{name}"
            for package in _libraries().values()
            for name in package["files"]
        ),
        "copilotkit_runtime_py/app/playground/static/vendor/LICENSES.txt",
        "copilotkit_runtime_py/cli/templates/app/.gitignore.in",
        "copilotkit_runtime_py/cli/templates/page-newest/web/src/App.tsx.in",
        "copilotkit_runtime_py/state_store/sql/migrations/0001.sql",
    } <= names


@pytest.mark.skipif(sys.platform == "win32", reason="the npm of the test is a shell script")
def test_a_library_that_is_missing_makes_the_build_ask_npm_again(tmp_path: Path) -> None:
    source = _checkout(tmp_path / "source")
    vendor = source / "src/copilotkit_runtime_py/app/playground/static/vendor"
    vendor.mkdir()
    (vendor / "packages.json").write_text(json.dumps(_libraries()), encoding="utf-8")
    fake = tmp_path / "bin" / "npm"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\ntouch '{tmp_path}/asked'\nexit 1\n", encoding="utf-8")
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}

    command = [UV, "build", "--wheel", "--out-dir", str(tmp_path), str(source)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)

    assert (tmp_path / "asked").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the npm of the test is a shell script")
@pytest.mark.parametrize(
    ("npm", "built"),
    [
        ("#!/bin/sh\necho 'no network' >&2\nexit 1", True),
        (
            "#!/bin/sh\nfor each in marked-18.2.1 graphiql-4.1.2; do echo other > $each.tgz; done",
            False,
        ),
    ],
    ids=["npm cannot be asked", "a package is another"],
)
def test_the_wheel_is_built_without_the_libraries_but_never_with_others(
    npm: str, built: bool, tmp_path: Path
) -> None:
    source = _checkout(tmp_path / "source")
    stale = source / "src/copilotkit_runtime_py/app/playground/static/vendor/packages.json"
    stale.parent.mkdir()
    stale.write_text('{"marked@1.0.0": {}}', encoding="utf-8")
    fake = tmp_path / "bin" / "npm"
    fake.parent.mkdir()
    fake.write_text(npm + "\n", encoding="utf-8")
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}

    command = [UV, "build", "--wheel", "--out-dir", str(tmp_path), str(source)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    assert (done.returncode == 0) == built, done.stderr
    if built:
        [wheel] = tmp_path.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        assert "copilotkit_runtime_py/app/playground/static/index.html" in names
        assert not any("/vendor/" in name for name in names)
    else:
        assert "which is not the one in pyproject.toml" in done.stderr


def test_the_source_distribution_brings_no_dependencies_of_the_tests(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = archive.getnames()

    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]
    assert any(name.endswith("/tests/test_packaging.py") for name in names)


def test_the_core_alone_serves_a_demo_that_answers_and_a_playground(dist: Path, tmp_path: Path) -> None:
    bin = environment(tmp_path / "venv", str(next(dist.glob("*.whl"))))
    installed = json.loads(run(UV, "pip", "list", "--format", "json", "--python", str(bin / "python")))
    heavy = {"langgraph", "langchain-core", "crewai", "psycopg", "redis", "opentelemetry-sdk"}

    with served(bin, "copilotkit.runtime_py.app.main:app", tmp_path) as client:
        page = client.get("/api/copilotkit", headers={"accept": "text/html"})
        names = agents(client)
        message = {"id": "u1", "role": "user", "content": "Hello"}
        input = {
            "threadId": "t1",
            "runId": "r1",
            "messages": [message],
            "tools": [],
            "context": [],
            "state": {},
        }
        answer = client.post("/api/copilotkit/agent/demo/run", json=input)

    assert names == ["demo"]
    assert '"TEXT_MESSAGE_CONTENT"' in answer.text
    assert '"RUN_FINISHED"' in answer.text.splitlines()[-2]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Playground" in page.text
    assert heavy.isdisjoint(package["name"] for package in installed)


def test_with_langgraph_the_start_path_serves_the_demo_agent(dist: Path, tmp_path: Path) -> None:
    bin = environment(tmp_path / "venv", f"{next(dist.glob('*.whl'))}[langgraph]")

    with served(bin, "copilotkit.runtime_py.app.main:app", tmp_path) as client:
        assert agents(client) == ["demo"]


@pytest.mark.parametrize("order", ["sdk first", "sdk last"])
def test_the_start_path_works_beside_the_upstream_sdk(order: str, dist: Path, tmp_path: Path) -> None:
    wheel = f"{next(dist.glob('*.whl'))}[langgraph]"
    bin = environment(tmp_path / "venv", "copilotkit" if order == "sdk first" else wheel)
    python = str(bin / "python")
    run(UV, "pip", "install", "--quiet", "--python", python, wheel if order == "sdk first" else "copilotkit")

    sdk = run(python, "-c", "import copilotkit; print(copilotkit.__file__)", cwd=tmp_path).strip()
    assert sdk.endswith("site-packages/copilotkit/__init__.py")
    with served(bin, "copilotkit.runtime_py.app.main:app", tmp_path) as client:
        assert agents(client) == ["demo"]


@pytest.mark.parametrize(
    ("extra", "use"),
    [
        ("chat", "from copilotkit_runtime_py.providers.chat import ChatProvider"),
        ("crewai", "from copilotkit_runtime_py.providers.crewai import CopilotKitState, frontend_tools"),
        ("langgraph", "from copilotkit_runtime_py.providers.langgraph import LangGraphProvider"),
        ("mcp", "from copilotkit_runtime_py.tools.mcp.servers import MCPServer; import mcp.client.session"),
        ("otel", "import opentelemetry.trace; import copilotkit_runtime_py"),
        ("postgres", "import copilotkit_runtime_py as c; c.open_state_store('postgresql://localhost/x')"),
        ("redis", "import copilotkit_runtime_py as c; c.open_state_store('redis://localhost')"),
    ],
    ids=lambda value: value if value.isalpha() else "",
)
def test_an_extra_alone_brings_what_it_is_for(extra: str, use: str, dist: Path, tmp_path: Path) -> None:
    bin = environment(tmp_path / "venv", f"{next(dist.glob('*.whl'))}[{extra}]")

    run(str(bin / "python"), "-W", "ignore", "-c", use, cwd=tmp_path)


def test_a_program_that_uses_the_wheel_is_checked_against_its_types(dist: Path, tmp_path: Path) -> None:
    bin = environment(tmp_path / "venv", str(next(dist.glob("*.whl"))))
    program = tmp_path / "program.py"
    program.write_text(
        "from copilotkit_runtime_py import CopilotRuntime, RequestContext, create_router\n"
        "runtime = CopilotRuntime(agents={'a': 'https://agents.example.com'}, on_busy_thread='enqueue')\n"
        "create_router(runtime)\n"
        "context: int = RequestContext().owner\n"
        "CopilotRuntime(agents={}, on_busy_thread='never')\n",
        encoding="utf-8",
    )

    options = ["--strict", "--python-executable", str(bin / "python"), "--cache-dir", str(tmp_path / "cache")]
    mypy = [sys.executable, "-m", "mypy", *options, str(program)]
    done = subprocess.run(mypy, cwd=tmp_path, capture_output=True, text=True, timeout=200)

    errors = [line.partition(": error: ")[0] for line in done.stdout.splitlines() if ": error: " in line]
    assert errors == ["program.py:4", "program.py:5"], done.stdout
