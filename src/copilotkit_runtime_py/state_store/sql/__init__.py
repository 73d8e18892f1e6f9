"""The store in SQLite or PostgreSQL."""

from .store import SQLStateStore

__all__ = ["SQLStateStore"]
