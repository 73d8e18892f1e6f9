"""Workers behind nginx that are restarted one after the other, under load: nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx
import orjson
import pytest
import trustme

from tests.servers import find_nginx, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.redis, pytest.mark.timeout(400)]

ROOT: Final = Path(__file__).parents[2]
RESTARTS: Final = 10
CLIENTS: Final = 8
COUNT: Final = 40
WHOLE: Final = "".join(f"{number} " for number in range(COUNT))
NGINX: Final = """
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream workers {{
        zone workers 64k;
        {servers}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {directory}/chain.pem;
        ssl_certificate_key {directory}/key.pem;
        location / {{
            proxy_pass http://workers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_next_upstream error non_idempotent;
            proxy_buffering off;
            proxy_read_timeout 60s;
        }}
    }}
}}
"""


class Worker:
    """A `serve` process that keeps its port over restarts."""

    def __init__(self, store: str, directory: Path) -> None:
        self.port = free_port()
        self._store = store
        self._log = directory / f"worker-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._spawn()
        assert self._process is not None
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(90):
            while True:
                assert self._process.poll() is None, self._log.read_text()
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.1)

    def _spawn(self) -> None:
        command = [sys.executable, "-c", "from copilotkit_runtime_py.cli import main; main()", "serve"]
        command += ["--port", str(self.port), "--store", self._store, "--allowed-host", "*"]
        command += ["--drain-delay", "1", "--agent", "counter=tests.torture.agents:counter"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    async def stop(self, *, group: bool) -> None:
        assert self._process is not None
        if group:
            os.killpg(self._process.pid, signal.SIGTERM)
        else:
            self._process.terminate()
        assert await asyncio.to_thread(self._process.wait, 60) in (0, -signal.SIGTERM)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def proxy(directory: Path, workers: list[Worker]) -> Iterator[tuple[str, Path]]:
    """Starts nginx, which speaks HTTP/2 to browsers, and gives its URL and its authority."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(directory / "chain.pem", append=True)
    authority.cert_pem.write_to_path(directory / "ca.pem")
    port = free_port()
    servers = " ".join(f"server 127.0.0.1:{worker.port} max_fails=0;" for worker in workers)
    path = directory / "nginx.conf"
    path.write_text(NGINX.format(directory=directory, servers=servers, port=port))
    process = subprocess.Popen([str(find_nginx()), "-e", "stderr", "-c", str(path)])
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
        yield f"https://localhost:{port}", directory / "ca.pem"
    finally:
        process.terminate()
        process.wait()


async def answer(client: httpx.AsyncClient, run_id: str) -> str:
    """Has an agent count. Returns what went wrong, or nothing."""
    body = {
        "threadId": f"thread-{run_id}",
        "runId": run_id,
        "state": {"count": COUNT, "pause": 0.01},
        "messages": [{"id": f"{run_id}-u", "role": "user", "content": "count"}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
    }
    text, last = "", {"type": "nothing"}
    try:
        async with client.stream("POST", "/api/copilotkit/agent/counter/run", json=body) as response:
            if response.status_code != 200 or response.http_version != "HTTP/2":
                return f"{run_id}: {response.status_code} by {response.http_version}"
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    last = orjson.loads(line[6:])
                    text += last.get("delta", "")
    except httpx.HTTPError as error:
        return f"{run_id}: {error!r} after {text[-20:]!r}"
    return "" if (text, last["type"]) == (WHOLE, "RUN_FINISHED") else f"{run_id}: {last} after {text[-20:]!r}"


@contextlib.asynccontextmanager
async def load(url: str, authority: Path) -> AsyncIterator[list[str]]:
    """Keeps clients busy while the context is open, and gives what each of their requests came to."""
    results: list[str] = []
    done = asyncio.Event()

    async def use(number: int) -> None:
        async with httpx.AsyncClient(
            base_url=url,
            http2=True,
            verify=ssl.create_default_context(cafile=authority),
            timeout=60,
            trust_env=False,
        ) as client:
            turn = 0
            while not done.is_set():
                results.append(await answer(client, f"c{number}-{turn}"))
                turn += 1

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(use(number))
        try:
            yield results
        finally:
            done.set()


async def test_ten_restarts_under_load_lose_no_request_and_no_stream(redis_url: str, tmp_path: Path) -> None:
    workers = [Worker(redis_url, tmp_path) for _ in range(2)]
    try:
        for worker in workers:
            await worker.start()
        with proxy(tmp_path, workers) as (url, authority):
            async with load(url, authority) as results:
                for restart in range(RESTARTS):
                    worker = workers[restart % 2]
                    await worker.stop(group=restart % 4 > 1)
                    await worker.start()
            assert [result for result in results if result] == []
            assert len(results) > 10 * RESTARTS
    finally:
        for worker in workers:
            worker.kill()
