"""Deletion of threads beyond the retention."""

from __future__ import annotations

import time

from ..base import Retention
from .statement import Statement, Steps

# A thread may have a new run by now, and another worker may be deleting it.
_DELETE = """
    DELETE FROM copilotkit_threads WHERE id IN (
        SELECT id FROM copilotkit_threads WHERE NOT running AND id IN ({surplus}) {{lock_free}}
    )
"""
_AGED = Statement(
    _DELETE.format(surplus="SELECT id FROM copilotkit_threads WHERE NOT running AND updated_at < :since")
)
_COUNT = Statement("SELECT count(*) FROM copilotkit_threads")
_MANY = Statement(
    _DELETE.format(
        surplus="""
        SELECT id FROM copilotkit_threads WHERE NOT running ORDER BY updated_at, id LIMIT :surplus
    """
    )
)
_SIZE = Statement("SELECT coalesce(sum(bytes), 0) FROM copilotkit_threads")
_LARGE = Statement(
    _DELETE.format(
        surplus="""
        SELECT id FROM (
            SELECT id, running, sum(bytes) OVER (ORDER BY updated_at, id) - bytes AS before
            FROM copilotkit_threads
        ) AS summed WHERE NOT running AND before < :surplus
    """
    )
)


def bounds_threads(retention: Retention) -> bool:
    """Whether threads are ever deleted."""
    return (retention.max_age, retention.max_threads, retention.max_bytes) != (None, None, None)


def evict(retention: Retention) -> Steps[None]:
    """Deletes the threads that exceed a bound, those that changed longest ago first."""
    if retention.max_age is not None:
        yield _AGED, {"since": time.time() - retention.max_age.total_seconds()}
    if retention.max_threads is not None:
        ((count,),) = yield _COUNT, {}
        if count > retention.max_threads:
            yield _MANY, {"surplus": count - retention.max_threads}
    if retention.max_bytes is not None:
        ((size,),) = yield _SIZE, {}
        if size > retention.max_bytes:
            yield _LARGE, {"surplus": int(size) - retention.max_bytes}
