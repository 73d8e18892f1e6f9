"""Checks for your own implementations of the runtime's interfaces. Imports `agui` and `state_store`."""

from .state_store import Check, OpenStore, state_store_checks

__all__ = ["Check", "OpenStore", "state_store_checks"]
