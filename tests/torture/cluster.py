"""The processes: workers that share a store, and its database, with what can be done to them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import httpx
import psutil

from tests.servers import Postgres, Redis, Server, free_port

from .schedule import Fault

ROOT: Final = Path(__file__).parents[2]
_DISK: Final = "size=512m"
# Debian's multiarch directory differs by machine.
_FAKETIME: Final = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
# Each write of the process takes so long besides, in microseconds.
_SLOW_WRITE: Final = 20_000


class DurablePostgres(Postgres):
    """A PostgreSQL that waits for its disk and is killed as by the kernel."""

    def command(self) -> list[str]:
        return [part.replace("fsync=off", "fsync=on") for part in super().command()]

    def stop(self) -> None:
        if self._process is not None:
            _kill_tree(self._process)
            self._process = None


class Database:
    """Where the threads are stored, on a disk of its own if this account may mount one.

    Args:
        kind: `sqlite`, `postgres` or `redis`.
        counts: what was done.
    """

    def __init__(self, kind: str, counts: Counter[str]) -> None:
        self._counts = counts
        self.directory = Path(tempfile.mkdtemp(prefix="copilotkit-torture-"))
        self._mounted = _quietly("mount", "-t", "tmpfs", "-o", _DISK, "tmpfs", str(self.directory))
        self.directory.chmod(0o755)
        self.server: Server | None = None
        if kind == "sqlite":
            self.url = f"sqlite:///{self.directory / 'threads.db'}"
        else:
            kept, tempfile.tempdir = tempfile.tempdir, str(self.directory)
            try:
                self.server = Redis(persistent=True) if kind == "redis" else DurablePostgres()
            finally:
                tempfile.tempdir = kept
            self.url = self.server.url

    def start(self) -> None:
        """Starts the server, if there is one."""
        if self.server is not None:
            self.server.start()

    def close(self) -> None:
        """Ends the server and removes its disk."""
        if self.server is not None:
            self.server.close()
        if self._mounted:
            _quietly("umount", "-l", str(self.directory))
        shutil.rmtree(self.directory, ignore_errors=True)

    async def suffer(self, fault: Fault, writers: list[int]) -> None:
        """Does something to the database.

        Args:
            fault: what.
            writers: the processes that write to the disk themselves.
        """
        server = self.server
        if fault.kind == "full disk":
            if not self._mounted:
                return
            self._fill(fault.amount)
        elif fault.kind == "slow disk":
            await _slow_down(writers or self._pids(), fault.seconds)
        elif server is not None and fault.kind == "pause":
            server.pause()
        elif server is not None:
            await asyncio.to_thread(server.stop)
        self._counts[f"database: {fault.kind}"] += 1
        if fault.kind != "slow disk":
            await asyncio.sleep(fault.seconds)
        await self._recover()

    async def _recover(self) -> None:
        (self.directory / "ballast").unlink(missing_ok=True)
        if self.server is None:
            return
        self.server.resume()
        process = self.server._process
        if process is None or process.poll() is not None:
            await asyncio.to_thread(self.server.start)

    def _fill(self, amount: float) -> None:
        """Leaves some kilobytes of the disk free, or nothing."""
        room = shutil.disk_usage(self.directory).free - int(amount * 2) * 64 * 1024
        with contextlib.suppress(OSError), (self.directory / "ballast").open("wb", buffering=0) as ballast:
            block = bytes(1024 * 1024)
            while room > 0:
                room -= ballast.write(block[:room])

    def _pids(self) -> list[int]:
        if self.server is None or self.server._process is None:
            return []
        root = psutil.Process(self.server._process.pid)
        return [root.pid, *(child.pid for child in root.children(recursive=True))]


class Worker:
    """A `serve` process, which keeps its port over a restart.

    Args:
        number: which.
        store: the URL of the store.
        lease_seconds: how long a lease is.
        directory: for its log.
        counts: what was done.
    """

    def __init__(
        self, number: int, store: str, lease_seconds: float, directory: Path, counts: Counter[str]
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = directory / f"worker-{number}.log"
        self._clock = directory / f"clock-{number}"
        self._store = store
        self._lease_seconds = lease_seconds
        self._counts = counts
        self._process: subprocess.Popen[bytes] | None = None
        # One of them lives with the true clock: what wraps the C library may have faults of its own.
        self._jumps = bool(_FAKETIME) and number > 0

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the process, without waiting for it."""
        environment = dict(os.environ)
        if self._jumps:
            self._clock.write_text("+0\n")
            environment |= {
                "LD_PRELOAD": str(_FAKETIME[0]),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",
            }
        port = self.url.rpartition(":")[2]
        command = [sys.executable, "-m", "tests.torture.worker", str(self._lease_seconds), "serve"]
        command += ["--port", port, "--store", self._store, "--drain-seconds", "2", "--log-level", "warning"]
        # So little that long runs are read back from the store.
        command += ["--limit", "live_log_bytes=500000"]
        for agent in ("counter", "census"):
            command += ["--agent", f"{agent}=tests.torture.agents:{agent}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Waits until it takes requests."""
        async with asyncio.timeout(90):
            while True:
                if self._process is not None and self._process.poll() is not None:
                    # It found no database when it started, or no room on its disk.
                    self._counts["worker: ended by itself"] += 1
                    await asyncio.sleep(0.5)
                    self.start()
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{self.url}/healthz")).status_code == 200:
                        return
                await asyncio.sleep(0.1)

    async def suffer(self, fault: Fault) -> None:
        """Does something to the process."""
        self._counts[f"worker: {fault.kind}"] += 1
        process = self._process
        assert process is not None
        if fault.kind == "kill":
            process.kill()
            await asyncio.to_thread(process.wait)
            await asyncio.sleep(fault.seconds)
            self.start()
        elif fault.kind == "terminate":
            process.terminate()
            await asyncio.to_thread(process.wait, 30)
            self.start()
        elif fault.kind == "pause":
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(fault.seconds)
            process.send_signal(signal.SIGCONT)
        elif fault.kind == "slow disk":
            await _slow_down([process.pid], fault.seconds)
        elif self._jumps:
            hours = round(48 * (fault.amount - 0.5))
            self._clock.write_text(f"{3600 * hours:+d}\n")

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            _kill_tree(self._process)


async def _slow_down(pids: list[int], seconds: float) -> None:
    """Makes each write of processes slow for a while. Without `strace`, or its rights, it only waits."""
    strace = shutil.which("strace")
    if strace is None or not pids:
        await asyncio.sleep(seconds)
        return
    calls = "fsync,fdatasync,pwrite64"
    attach = [argument for pid in pids for argument in ("-p", str(pid))]
    tampering = [f"inject={calls}:delay_exit={_SLOW_WRITE}"]
    command = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", *tampering, *attach]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()
            await asyncio.sleep(seconds)
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        await process.wait()


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        for each in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait()


def _quietly(*command: str) -> bool:
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0
