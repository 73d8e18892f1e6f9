"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import httpx

from .faults import fault_of
from .probe import Failure, NotSpokenError, Probe, Skipped

Status = Literal["ok", "failed", "skipped"]


class Check(NamedTuple):
    """One thing to look at.

    Attributes:
        name: its name.
        run: returns what is well, or raises.
        necessary: where it fails, the group's further checks would fail for the same reason.
    """

    name: str
    run: Callable[[Probe], str]
    necessary: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check.

    Attributes:
        group: who needs it: a generation of clients, or all.
        check: the check's name.
        status: `ok`, `failed`, or `skipped` where it could not be looked at.
        detail: what is well, or the cause of the failure.
        cure: what to do about a failure.
    """

    group: str
    check: str
    status: Status
    detail: str
    cure: str = ""


NOT_SPOKEN = "not spoken"


def examine(
    probe: Probe, group: str, checks: Sequence[Check], *, optional: bool = False
) -> Iterator[Finding]:
    """Yields what each check of a group finds, up to a necessary one that fails.

    Args:
        probe: how to ask.
        group: the group's name.
        checks: the checks.
        optional: the group is of one contract, and a runtime that does not speak it is well.
    """
    for check in checks:
        finding = _find(probe, group, check, optional=optional)
        if optional and finding.detail.startswith(NOT_SPOKEN):
            yield finding
            return
        yield finding
        if check.necessary and finding.status == "failed":
            return


def _find(probe: Probe, group: str, check: Check, *, optional: bool) -> Finding:
    try:
        return Finding(group, check.name, "ok", check.run(probe))
    except NotSpokenError as missing:
        if not optional:
            return Finding(group, check.name, "failed", missing.cause, missing.cure)
        return Finding(group, check.name, "skipped", f"{NOT_SPOKEN}: {missing.cause}", missing.cure)
    except Failure as failure:
        return Finding(group, check.name, "failed", failure.cause, failure.cure)
    except Skipped as skipped:
        return Finding(group, check.name, "skipped", str(skipped))
    except httpx.HTTPError as error:
        fault = fault_of(error, probe.url)
        return Finding(group, check.name, "failed", fault.cause, fault.cure)
    except (KeyError, TypeError, AttributeError, ValueError):
        # Whatever else is at the URL may answer in any shape.
        cause = "the answer is JSON of another shape than a runtime's"
        return Finding(group, check.name, "failed", cause, "Something else is at this URL.")
