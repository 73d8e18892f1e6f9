"""Exponential back-off."""

from __future__ import annotations


def pause_after(failures: int, *, first: float, longest: float) -> float:
    """Returns the pause, which doubles with each failure, in the unit of `first` and `longest`.

    Args:
        failures: how many failures there were before the last one.
        first: the pause after the first failure.
        longest: the longest pause.
    """
    # The exponent has a bound: during a long outage it would overflow.
    return min(first * 2.0 ** min(failures, 10), longest)
