"""What CrewAI does to the process: it calls nobody and leaves the signal handlers alone."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from copilotkit_runtime_py.providers.environment import silence

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TESTING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


def run_python(code: str, home: Path, **environment: str) -> str:
    """Runs code in a fresh process, in a home of its own and without our settings, and returns its output."""
    ours = {*QUIET, "CREWAI_STORAGE_DIR"}
    inherited = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("OTEL")}
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**inherited, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_importing_the_provider_keeps_the_signal_handlers_even_with_telemetry(tmp_path: Path) -> None:
    output = run_python(
        """
        import signal
        names = ["SIGINT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGCONT"]
        before = [signal.getsignal(getattr(signal, name)) for name in names]
        import copilotkit_runtime_py.providers.crewai
        print(before == [signal.getsignal(getattr(signal, name)) for name in names])
        """,
        tmp_path,
        CREWAI_DISABLE_TELEMETRY="false",
    )

    assert output == "True\n"


def test_a_run_connects_to_nobody_even_if_crewai_was_imported_first(tmp_path: Path) -> None:
    output = run_python(
        """
        import asyncio, socket, warnings

        calls = []
        def refuse(*args):
            calls.append(args)
            raise OSError("no network")
        socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse

        warnings.simplefilter("ignore")
        import crewai
        from copilotkit_runtime_py.context import RequestContext
        from copilotkit_runtime_py.providers.crewai import CrewAIProvider
        from tests.providers.crewai.scripted import request, says, user
        from tests.providers.emitted import text_of
        from crewai import Agent, Crew, Task
        from crewai.flow.flow import Flow, start

        class Answers(Flow):
            @start()
            def answer(self):
                return "Hello"

        agent = Agent(role="Writer", goal="Write", backstory="You write.", llm=says("Hello"))
        task = Task(description="{user_message}", expected_output="x", agent=agent)
        crew = Crew(agents=[agent], tasks=[task])

        async def run(provider):
            return [event async for event in provider.run(request(user("hi")), RequestContext())]

        for agent in (Answers, crew):
            print(text_of(asyncio.run(run(CrewAIProvider(agent)))))
        print(calls)
        """,
        tmp_path,
    )

    assert output == "Hello\nHello\n[]\n"


def test_crewai_works_where_the_home_directory_cannot_be_written(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()

    output = run_python(
        """
        import asyncio, os, warnings
        from pathlib import Path
        from copilotkit_runtime_py.context import RequestContext
        from copilotkit_runtime_py.providers.crewai import CrewAIProvider
        warnings.simplefilter("ignore")
        from crewai import Agent, Crew, Task
        from tests.providers.crewai.scripted import request, says, user
        from tests.providers.emitted import text_of

        agent = Agent(role="Writer", goal="Write", backstory="You write.", llm=says("Hello"))
        task = Task(description="{user_message}", expected_output="x", agent=agent)
        crew = Crew(agents=[agent], tasks=[task])

        async def run():
            return [e async for e in CrewAIProvider(crew).run(request(user("hi")), RequestContext())]

        print(text_of(asyncio.run(run())))
        print(Path.home().name, Path(os.environ["CREWAI_STORAGE_DIR"]).is_dir())
        """,
        home,
        TMPDIR=str(tmp_path),
    )

    assert output == "Hello\nfile True\n"


def test_what_calls_home_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*QUIET, "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)

    silence()

    assert {name: os.environ[name] for name in QUIET} == QUIET
    assert "OTEL_SDK_DISABLED" not in os.environ


def test_what_the_user_has_decided_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREWAI_TESTING", raising=False)
    monkeypatch.setenv("CREWAI_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("CREWAI_TRACING_ENABLED", "true")

    silence()

    assert (os.environ["CREWAI_DISABLE_TELEMETRY"], os.environ["CREWAI_TRACING_ENABLED"]) == ("false", "true")
    assert "CREWAI_TESTING" not in os.environ
