"""The recipes for agent frameworks, each in a fresh environment with the newest packages."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port
from tests.test_examples import EXAMPLES, say, spoken, text, told
from tests.test_packaging import ROOT, environment, run

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(600)]

# What each example installs, as its docstring says.
INSTALLED = {
    "pydantic_ai_agent.py": "pydantic-ai-slim[ag-ui]",
    "agno_agent.py": "agno",
    "adk_agent.py": "ag-ui-adk",
    "strands_agent.py": "ag-ui-strands",
    "llama_index_agent.py": "llama-index-protocols-ag-ui",
}


@contextmanager
def process(*command: str, ready: str) -> Iterator[str]:
    """Runs a server, and yields its line that contains `ready`."""
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": "/usr/bin"},
    )
    assert running.stdout is not None
    said = []
    try:
        for line in running.stdout:
            said.append(line)
            if ready in line:
                break
        else:
            raise AssertionError("".join(said))
        yield line
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)


@contextmanager
def served(bin: Path, target: str) -> Iterator[httpx.Client]:
    """Serves an agent, and yields a client of it."""
    command = [str(bin / "copilotkit-runtime-py"), "serve", "--store", "memory", "--port", "0"]
    with process(*command, "--agent", f"default={target}", ready="CopilotKit runtime: ") as line:
        url = line.split()[-1].removesuffix("/api/copilotkit")
        with httpx.Client(base_url=url, timeout=60) as client:
            yield client


def target_of(example: str) -> str:
    """The target that the command of an example serves."""
    target = re.search(r"--agent \w+=(examples/\S+)", (EXAMPLES / example).read_text(encoding="utf-8"))
    assert target is not None
    return target[1]


@pytest.fixture(scope="module", params=list(INSTALLED))
def framework(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The name of an example, and an environment for it."""
    example: str = request.param
    requirement = INSTALLED[example]
    assert f"--with {requirement}" in (EXAMPLES / example).read_text(encoding="utf-8").replace("'", "")
    return example, environment(tmp_path_factory.mktemp("venv") / "venv", str(ROOT), requirement)


EXPECTED = {
    "pydantic_ai_agent.py": ("It is 21 °C and sunny in Rome. ", "It is 21 °C and sunny in Oslo. "),
    "agno_agent.py": ("You have noted: weather in Rome", "You have noted: weather in Oslo"),
}


def test_the_recipe_answers_on_both_contracts(framework: tuple[str, Path]) -> None:
    example, bin = framework
    with served(bin, target_of(example)) as client:
        events = told(client, "weather in Rome", thread="t1", tools=("paint",))
        response = say(client, "weather in Oslo", threadId="t2")

    expected = EXPECTED.get(example, ("weather in Rome ", "weather in Oslo "))
    assert (spoken(events), text(response)) == expected
    assert (events[0]["type"], events[-1]["type"]) == ("RUN_STARTED", "RUN_FINISHED")


RAW = {
    "adk_agent.py": ("adk_agent.agent", "LlmAgent cannot be registered as it is: wrap it in ADKAgent of the"),
    "strands_agent.py": (
        "__import__('strands').Agent(model=strands_agent.Script())",
        "Agent cannot be registered as it is: wrap it in StrandsAgent of the package ag-ui-strands",
    ),
    "llama_index_agent.py": (
        "llama_index_agent.AGUIChatWorkflow(llm=llama_index_agent.MockFunctionCallingLLM())",
        "AGUIChatWorkflow cannot be registered as it is: write an async generator over AGUIChatWorkflow",
    ),
}


def test_an_agent_without_its_adapter_is_refused_with_the_adapters_name(framework: tuple[str, Path]) -> None:
    example, bin = framework
    if example not in RAW:
        pytest.skip("runs without an adapter")
    agent, message = RAW[example]
    program = (
        f"import {Path(example).stem}; from copilotkit_runtime_py import CopilotRuntime\n"
        f"try: CopilotRuntime({{'default': {agent}}})\n"
        "except TypeError as error: print(error)"
    )
    assert message in run(str(bin / "python"), "-c", program, cwd=EXAMPLES)


def test_the_agent_framework_answers_behind_a_url_and_is_refused_as_it_is(tmp_path: Path) -> None:
    theirs = environment(tmp_path / "theirs", "agent-framework-ag-ui", "uvicorn")
    ours = environment(tmp_path / "ours", str(ROOT), "agent-framework-core")
    port = free_port()
    uvicorn = [str(theirs / "uvicorn"), "--app-dir", "examples", "agent_framework_agent:app"]
    with (
        process(*uvicorn, "--port", f"{port}", ready="Uvicorn running on"),
        served(ours, f"http://127.0.0.1:{port}/") as client,
    ):
        events = told(client, "weather in Rome", thread="t1", tools=("paint",))
        response = say(client, "weather in Oslo", threadId="t2")

    assert (spoken(events), text(response)) == ("weather in Rome ", "weather in Oslo ")
    program = (
        "from agent_framework import Agent, BaseChatClient\n"
        "from copilotkit_runtime_py import CopilotRuntime\n"
        "class Client(BaseChatClient):\n    def _inner_get_response(self, **_): ...\n"
        "try: CopilotRuntime({'default': Agent(client=Client())})\n"
        "except TypeError as error: print(error)"
    )
    assert "serve it with the package agent-framework-ag-ui" in run(str(ours / "python"), "-c", program)
