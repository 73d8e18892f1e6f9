"""The interface of a database that the store uses, and the errors of one that cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final, ParamSpec, Protocol, TypeVar

from ...errors import CopilotKitError, InvalidRequestError, StoreUnavailableError, StoreUnusableError
from ..base import Append, AppendResult, RunRecord, Signal
from ..outage_log import OutageLog
from .statement import Steps

P = ParamSpec("P")
T = TypeVar("T")

# PostgreSQL's index refuses longer ids.
_LIMIT_EXCEEDED: Final = "54000"


class Database(Protocol):
    """Runs the transactions of a store. The first use opens it and creates its tables.

    Raises:
        StoreUnavailableError: by every method, if the database cannot be reached.
        StoreUnusableError: by every method, if the operator has to fix something first.
    """

    async def begin(self, run: RunRecord) -> RunRecord:
        """See `StateStore.begin_run`."""

    async def append(self, appends: Sequence[Append]) -> list[AppendResult | Exception]:
        """See `BatchStateStore.append_many`."""

    async def read(self, work: Callable[P, Steps[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns the result of steps that read. Each statement may see a different moment."""

    async def write(self, work: Callable[P, Steps[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs the steps in a transaction."""

    def give(self, thread_id: str, signal: Signal, producer: str = "") -> None:
        """Queues a signal for the watchers of a thread.

        Args:
            thread_id: the thread.
            signal: the signal.
            producer: for a request to stop, the run's producer.
        """

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `StateStore.watch`."""

    def watch_stops(self, listener: Callable[[str | None], None]) -> AbstractAsyncContextManager[None]:
        """See `BatchStateStore.watch_stops`."""

    async def aclose(self) -> None:
        """Closes the connections. The next use opens them again."""


class Outages:
    """Turns the errors of a database that cannot be reached into those of the store, and logs outages.

    Args:
        driver_error: the base class of the driver's errors.
        is_outage: whether one of them means that the database cannot serve at the moment.
    """

    def __init__(self, driver_error: type[Exception], is_outage: Callable[[BaseException], bool]) -> None:
        self._driver_error = driver_error
        self._is_outage = is_outage
        self._log = OutageLog()

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Turns outages within the context into `StoreUnavailableError`; other errors stay as they are.

        Raises:
            StoreUnavailableError: the database cannot be reached.
            InvalidRequestError: an id that a client chose is too long for the database.
        """
        try:
            yield
        except CopilotKitError as error:
            self._reported(error)
            raise
        except Exception as error:
            reported = self._reported(error)
            if reported is error:
                raise
            raise reported from error
        self._log.answered()

    def reported_all(self, results: Sequence[T | Exception]) -> list[T | Exception]:
        """Returns results with the errors that callers get."""
        reported = [self._reported(result) if isinstance(result, Exception) else result for result in results]
        if not any(isinstance(result, StoreUnavailableError) for result in reported):
            self._log.answered()
        return reported

    def _reported(self, error: Exception) -> Exception:
        if isinstance(error, self._driver_error):
            if getattr(error, "sqlstate", None) == _LIMIT_EXCEEDED:
                return InvalidRequestError("An id is too long.")
            if not self._is_outage(error):
                return error
        elif isinstance(error, StoreUnusableError):
            return self._log.unusable(error)
        elif not isinstance(error, TimeoutError | OSError):
            return error
        return self._log.unreachable(str(error).strip() or repr(error))
