"""A lock that shows whether other processes use a SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


class FileUsers:
    """A lock that every process holds while it uses a file. It ends with the process, however that ends.

    So a process that finds it free knows that the earlier ones have ended. It is a file next to the database.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = f"{path}-users"
        self._descriptor: int | None = None

    def join(self, if_first: Callable[[], None]) -> None:
        """Takes the lock. Blocks while another process does so.

        Args:
            if_first: called if no other process uses the file. None can start to use it meanwhile.
        """
        if fcntl is None:
            return
        with suppress(OSError):  # a file system without locks: leases expire
            while self._descriptor is None:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    first = _locked(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if not first:
                        fcntl.flock(descriptor, fcntl.LOCK_SH)
                    # The last process to leave may have removed the file before it was locked here.
                    if os.path.exists(self._path) and os.path.samestat(
                        os.fstat(descriptor), os.stat(self._path)
                    ):
                        if first:
                            if_first()
                            fcntl.flock(descriptor, fcntl.LOCK_SH)
                        self._descriptor = descriptor
                finally:
                    if self._descriptor is None:
                        os.close(descriptor)

    def leave(self) -> None:
        """Releases the lock, and removes its file if no other process holds it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                if _locked(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    os.unlink(self._path)
            os.close(descriptor)


def _locked(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    return True
