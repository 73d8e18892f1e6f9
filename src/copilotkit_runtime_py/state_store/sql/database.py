"""What the store asks of a database, and what becomes of the errors of one that cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ...errors import InvalidRequestError, StoreUnavailableError
from ...logs.records import get_logger
from ..base import Signal

logger = get_logger(__name__)

T = TypeVar("T")

# PostgreSQL's index takes no longer ids.
_LIMIT_EXCEEDED: Final = "54000"


class Database(Protocol):
    """Runs the transactions of a store. It is opened, and its tables are made, when it is first used.

    Raises:
        StoreUnavailableError: by every method, where the database cannot be reached.
        ConfigurationError: by every method, where the store cannot use the database.
    """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Returns what `work` reads. Each of its statements may see another moment."""

    async def write(self, work: Callable[[Connection], T], *, single: bool = False) -> T:
        """Runs `work` in a transaction.

        Args:
            work: what to do.
            single: on PostgreSQL, it is one statement, which needs no transaction around it.
        """

    def give(self, thread_id: str, signal: Signal) -> None:
        """Gives a signal to those who watch a thread, soon."""

    def watch(self, thread_id: str, listener: Callable[[Signal], None]) -> AbstractAsyncContextManager[None]:
        """See `StateStore.watch`."""

    async def aclose(self) -> None:
        """Closes the connections. The next use opens them again."""


class Outages:
    """Tells the log when a database is out of reach, and when it is back.

    Args:
        driver_error: what all errors of the driver are.
        is_outage: whether one of them means that the database cannot serve at the moment.
    """

    def __init__(self, driver_error: type[Exception], is_outage: Callable[[BaseException], bool]) -> None:
        self._driver_error = driver_error
        self._is_outage = is_outage
        self._out = False

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Within the context, outages are `StoreUnavailableError`s; errors of programming stay what they are.

        Raises:
            StoreUnavailableError: the database cannot be reached.
            InvalidRequestError: an id that a client chose is too long for the database.
        """
        try:
            yield
        except (DBAPIError, self._driver_error) as error:
            cause = cause_of(error)
            if getattr(cause, "sqlstate", None) == _LIMIT_EXCEEDED:
                raise InvalidRequestError("An id is too long.") from error
            if not (self._is_outage(cause) or getattr(error, "connection_invalidated", False)):
                raise
            raise self._of(cause) from error
        except (PoolTimeoutError, TimeoutError, OSError) as error:
            raise self._of(error) from error
        if self._out:
            self._out = False
            logger.warning("the state store can be reached again")

    def _of(self, cause: BaseException) -> StoreUnavailableError:
        if not self._out:
            self._out = True
            logger.warning(
                "the state store cannot be reached: %s", " ".join(str(cause).split()) or repr(cause)
            )
        return StoreUnavailableError()


def cause_of(error: BaseException) -> BaseException:
    """Returns the driver's error."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
