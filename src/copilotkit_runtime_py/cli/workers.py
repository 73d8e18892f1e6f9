"""The parent of several workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait
from socket import socket

from uvicorn.supervisors.multiprocess import Multiprocess, Process

from ..logs.records import get_logger

logger = get_logger(__name__)


class Worker(Process):
    """A process that serves. It stops when its parent is gone."""

    served = False

    def target(self, sockets: list[socket] | None = None) -> None:
        """Serves; the process runs this."""
        threading.Thread(target=_stop_with_parent, daemon=True).start()
        super().target(sockets)


class Supervisor(Multiprocess):
    """Starts workers, replaces those that die, and passes the signal to stop on to them.

    A worker that exits before it served once would do so again: the supervisor then stops and says why. How
    long a worker takes to start is not bounded, for that depends on the machine and on the agents.
    """

    processes: list[Process]

    def init_processes(self) -> None:
        """Starts the workers."""
        for _ in range(self.processes_num):
            self.processes.append(self._start())

    def keep_subprocess_alive(self) -> None:
        """Replaces the workers that have died, unless the server is stopping."""
        if self.should_exit.is_set():
            return
        for place, worker in enumerate(self.processes):
            assert isinstance(worker, Worker)
            if worker.process.is_alive():
                worker.served = worker.served or worker.is_ready(timeout=0.05)
                continue
            worker.join()
            if not worker.served:
                logger.error(
                    "Worker [%s] exited with code %s before it served: stopping.", worker.pid, worker.exitcode
                )
                self.exit_code = 1
                self.should_exit.set()
                return
            logger.error("Worker [%s] died with code %s: starting another one.", worker.pid, worker.exitcode)
            self.processes[place] = self._start()

    def handle_int(self) -> None:
        """Stops the workers."""
        self._stop()

    def handle_term(self) -> None:
        """Stops the workers."""
        self._stop()

    def handle_hup(self) -> None:
        """Stops the workers: the terminal is gone."""
        self._stop()

    def run(self) -> None:
        """Serves until a signal says to stop.

        Raises:
            SystemExit: a worker could not start.
        """
        self.exit_code = 0
        super().run()
        if self.exit_code:
            raise SystemExit(self.exit_code)

    def _start(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker

    def _stop(self) -> None:
        # Connections that wait on a socket without an accepting process hang until it is closed.
        for listener in self.sockets:
            listener.close()
        self.should_exit.set()


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
