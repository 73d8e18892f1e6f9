"""Recordings played as agents.

`script` finds the run of a recording that answers a request, `provider` plays it.
"""

from .provider import RecordedAgent

__all__ = ["RecordedAgent"]
