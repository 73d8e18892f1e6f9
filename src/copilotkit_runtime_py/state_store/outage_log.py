"""The log of a store's outages: one record when it becomes unavailable, one when it is back."""

from __future__ import annotations

from ..errors import StoreUnavailableError, StoreUnusableError
from ..logs.records import get_logger

logger = get_logger(__name__)


class OutageLog:
    """Logs the beginning and the end of each outage, and creates the errors for callers.

    Attributes:
        is_out: the last use of the store failed.
    """

    def __init__(self) -> None:
        self.is_out = False

    def unreachable(self, cause: str) -> StoreUnavailableError:
        """Returns the error for a store that cannot be reached. It shows no cause, so the log does."""
        if not self.is_out:
            logger.warning("the state store cannot be reached: %s", " ".join(cause.split()))
        self.is_out = True
        return StoreUnavailableError()

    def unusable(self, error: StoreUnusableError) -> StoreUnusableError:
        """Returns the error for a store that the operator has to fix."""
        if not self.is_out:
            logger.error("the state store cannot be used: %s (error id %s)", error, error.error_id)
        self.is_out = True
        return error

    def answered(self) -> None:
        """Called when the store has answered."""
        if self.is_out:
            self.is_out = False
            logger.warning("the state store can be used again")
