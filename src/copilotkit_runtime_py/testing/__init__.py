"""Checks for your own implementations of the runtime's interfaces."""

from .state_store import Check, OpenStore, state_store_checks

__all__ = ["Check", "OpenStore", "state_store_checks"]
