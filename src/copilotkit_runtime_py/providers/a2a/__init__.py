"""Agents that speak the Agent2Agent protocol, behind a URL. Needs the `a2a` extra.

`provider` runs them with the client of `a2a-sdk`, which `connection` makes. `request` turns a run's input
into a message of A2A, `task_events` turns what the agent sends into AG-UI events.
"""

from .provider import A2AProvider

__all__ = ["A2AProvider"]
