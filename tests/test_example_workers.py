"""The example with several workers: its app, its nginx configuration, PostgreSQL and Redis."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.servers import find_nginx, free_port

WORKERS = Path(__file__).parents[1] / "examples" / "workers"

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]


@pytest.fixture(
    params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgres", "redis")]
)
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@contextlib.contextmanager
def process(*command: str, says: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Starts a process and waits until it says that it is there."""
    child = subprocess.Popen(
        command, cwd=WORKERS, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    assert child.stderr is not None
    try:
        said = []
        for line in child.stderr:
            said.append(line)
            if says in line:
                break
        else:
            raise AssertionError("".join(said))
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
        child.communicate(timeout=20)


@contextlib.contextmanager
def worker(store: str, pause: str) -> Iterator[str]:
    """Starts a worker as the example does, and gives its address."""
    port = str(free_port())
    uvicorn = (sys.executable, "-m", "uvicorn", "app:app", "--port", port)
    with process(*uvicorn, says="Uvicorn running on", STORE=store, PAUSE=pause, LEASE="2"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def proxy(directory: Path, *workers: str) -> Iterator[str]:
    """Starts nginx with the example's configuration before these workers, and gives its URL."""
    port = free_port()
    configuration = (WORKERS / "nginx.conf").read_text(encoding="utf-8")
    servers = " ".join(f"server {address};" for address in workers)
    replaced = {
        "server worker:8000 resolve max_fails=0;": servers,
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "/tmp/copilotkit-nginx": f"{directory}/nginx",
        "error_log stderr;": "error_log stderr notice;",
    }
    for old, new in replaced.items():
        assert old in configuration
        configuration = configuration.replace(old, new)
    (directory / "nginx.conf").write_text(configuration, encoding="utf-8")
    command = (str(find_nginx()), "-e", "stderr", "-c", str(directory / "nginx.conf"), "-g", "daemon off;")
    with process(*command, says="start worker process"):
        yield f"http://127.0.0.1:{port}"


def asked(thread: str, run: str) -> dict[str, Any]:
    message = {"id": f"{run}-u", "role": "user", "content": "count"}
    return {"threadId": thread, "runId": run, "messages": [message], "tools": [], "context": [], "state": {}}


@contextlib.contextmanager
def streamed(client: httpx.Client, path: str, body: Any) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Gives the worker that answers, and the events of its answer as they come."""
    with client.stream("POST", f"/api/copilotkit/agent/counter/{path}", json=body) as answer:
        lines = (line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: "))
        yield answer.headers["x-worker"], map(json.loads, lines)


@contextlib.contextmanager
def from_another(
    client: httpx.Client, path: str, body: Any, worker: str
) -> Iterator[Iterator[dict[str, Any]]]:
    """The same, from another worker than that one: nginx takes them in turn."""
    for _ in range(4):
        with streamed(client, path, body) as (answering, events):
            if answering != worker:
                yield events
                return
    raise AssertionError("no other worker answered")


def said(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


def read_to(events: Iterator[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Reads until the text has come."""
    read: list[dict[str, Any]] = []
    while not said(read).endswith(text):
        read.append(next(events))
    return read


def test_a_run_is_followed_and_stopped_through_the_proxy_by_another_worker(url: str, tmp_path: Path) -> None:
    with (
        worker(url, "0.2") as first,
        worker(url, "0.2") as second,
        proxy(tmp_path, first, second) as base,
        httpx.Client(base_url=base, timeout=30) as client,
        streamed(client, "run", asked("t1", "r1")) as (worker_of_run, live),
    ):
        seen = read_to(live, " 3")
        with from_another(client, "connect", asked("t1", "c1"), worker_of_run) as followed:
            assert said(read_to(followed, " 5")).startswith(said(seen))
            client.post("/api/copilotkit/agent/counter/stop/t1")
            rest = list(followed)

    assert rest[-1]["type"] == "RUN_FINISHED"


def test_when_a_worker_is_killed_the_other_shows_what_was_seen_and_takes_the_next_message(
    url: str, tmp_path: Path
) -> None:
    with (
        worker(url, "0.1") as first,
        worker(url, "0.1") as second,
        proxy(tmp_path, first, second) as base,
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        with streamed(client, "run", asked("t1", "r1")) as (worker_of_run, live):
            seen = read_to(live, " 4")
            with from_another(client, "connect", asked("t1", "c1"), worker_of_run) as followed:
                psutil.Process(int(worker_of_run)).kill()
                kept = list(followed)
        answer = client.post("/api/copilotkit/agent/counter/run", json=asked("t1", "r2"))

    assert said(kept).startswith(said(seen))
    assert (kept[-1]["type"], kept[-1]["code"]) == ("RUN_ERROR", "RUN_INTERRUPTED")
    assert re.findall(r'"type":"(RUN_\w+)"', answer.text) == ["RUN_STARTED", "RUN_FINISHED"]


def test_a_stream_is_not_held_back_by_the_proxy(url: str, tmp_path: Path) -> None:
    with (
        worker(url, "30") as only,
        proxy(tmp_path, only) as base,
        httpx.Client(base_url=base, timeout=20) as client,
        streamed(client, "run", asked("t1", "r1")) as (_, events),
    ):
        # The agent then stays silent for longer than the client waits.
        assert said(read_to(events, "counts:"))
        assert client.post("/api/copilotkit/agent/counter/stop/t1").status_code == 200
        assert next(event for event in events if event["type"].startswith("RUN"))["type"] == "RUN_FINISHED"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_nginx_takes_the_configuration_without_being_root() -> None:
    configuration = (WORKERS / "nginx.conf").read_text(encoding="utf-8")
    configuration = configuration.replace("server worker:8000 resolve max_fails=0;", "server 127.0.0.1:1;")
    with tempfile.TemporaryDirectory() as scratch:
        os.chown(scratch, 65534, 65534)
        path = Path(scratch, "nginx.conf")
        path.write_text(configuration.replace("/tmp/", f"{scratch}/"), encoding="utf-8")
        path.chmod(0o644)
        command = [str(find_nginx()), "-e", "stderr", "-t", "-c", str(path)]
        tested = subprocess.run(command, capture_output=True, text=True, user=65534, group=65534, check=False)

    assert tested.returncode == 0, tested.stderr
    assert "[alert]" not in tested.stderr


def test_the_images_copy_files_that_are_there_and_install_extras_that_exist() -> None:
    root = WORKERS.parents[1]
    allowed = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line[1:] for line in allowed if line.startswith("!")]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert allowed[1] == "*"
    for dockerfile in (root / "Dockerfile", WORKERS / "Dockerfile"):
        text = dockerfile.read_text(encoding="utf-8")
        for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
            for source in sources.split():
                found = list(root.glob(source))
                assert found or "*" in source
                for path in found:
                    name = str(path.relative_to(root))
                    assert any(fnmatch.fnmatch(name, each) or name.startswith(f"{each}/") for each in kept)
        assert set(re.findall(r"--extra (\S+)", text)) <= extras.keys()
        assert "uv sync --locked" in text


def test_only_the_database_that_is_asked_for_is_started() -> None:
    compose = yaml.safe_load((WORKERS / "compose.yaml").read_text(encoding="utf-8"))["services"]

    assert {name: service.get("profiles") for name, service in compose.items()} == {
        "proxy": None,
        "worker": None,
        "postgres": ["postgres"],
        "redis": ["redis"],
    }
    assert all(service["restart"] == "unless-stopped" for service in compose.values())
    assert all(each["required"] is False for each in compose["worker"]["depends_on"].values())
