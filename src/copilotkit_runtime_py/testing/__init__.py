"""Checks for those who write their own parts of the runtime."""

from .state_store import Check, OpenStore, state_store_checks

__all__ = ["Check", "OpenStore", "state_store_checks"]
