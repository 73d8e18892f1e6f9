"""What stands around the messages of a run: spans of reasoning, steps and subagents."""

from __future__ import annotations

from typing import Final

from ..errors import ProtocolViolationError
from .attribution import Attribution
from .events import Event, step_finished
from .message_events import BRACKETS, SPAN, STEP, SUBAGENT

_TAG: Final = "subagentRunId"


class Brackets:
    """The spans, steps and subagents that are open, as AG-UI's clients count them (`verifyEvents`).

    Args:
        attribution: the subagent that each span belongs to.
    """

    def __init__(self, attribution: Attribution) -> None:
        self._attribution = attribution
        # Kind, id, and the owner of a step -> the tag of the beginning, in the order of the beginnings.
        self._open: dict[tuple[str, str, str | None], str | None] = {}
        # All that were started: an id stands for one invocation.
        self._subagents: set[str] = set()

    def push(self, event: Event) -> bool:
        """Takes an event that opens or closes a bracket, and returns whether it counts.

        One of a span or a subagent that is out of order does not: clients would refuse it, and as it has no
        content, nothing is lost.

        Raises:
            ProtocolViolationError: a step begins twice, or ends without a beginning.
        """
        action, kind, field = BRACKETS[event["type"]]
        id = event[field]
        if kind == STEP:
            self._check_step(action, event)
        elif kind == SPAN:
            (self._attribution.open if action == "open" else self._attribution.continue_)(kind, id, event)
        elif action == "open" and event.get("parentSubagentRunId", id) not in self._subagents:
            event.pop("parentSubagentRunId", None)
        tag = event.get(_TAG)
        key = (kind, id, tag if kind == STEP else None)
        if action == "close":
            if key not in self._open:
                return False
            del self._open[key]
            return True
        if key in self._open or (kind == SUBAGENT and id in self._subagents):
            return False
        self._open[key] = tag
        if kind == SUBAGENT:
            self._subagents.add(id)
        return True

    def close_all(self, terminal: Event) -> list[Event]:
        """Returns the events that close what is open, from the inside out.

        Args:
            terminal: the event that ends the run, which says how its subagents end; empty if there is none.
        """
        closed: list[Event] = []
        while self._open:
            (kind, id, _), tag = self._open.popitem()
            if kind == SUBAGENT:
                closed.append(_end_of_subagent(id, terminal))
                continue
            event = {"type": "REASONING_END", "messageId": id} if kind == SPAN else step_finished(id)
            closed.append(event if tag is None else {**event, _TAG: tag})
        return closed

    def check_steps(self) -> None:
        """Refuses the end of the run while steps are open.

        Raises:
            ProtocolViolationError: a step is open.
        """
        steps = ", ".join(
            id if tag is None else f"{id} (subagent '{tag}')" for kind, id, tag in self._open if kind == STEP
        )
        if steps:
            raise ProtocolViolationError(
                f"Cannot send 'RUN_FINISHED' while steps are still active: {steps}", "INCOMPLETE_STREAM"
            )

    def _check_step(self, action: str, event: Event) -> None:
        name, tag = event["stepName"], event.get(_TAG)
        if action == "open":
            if (STEP, name, tag) in self._open:
                where = f" in subagent '{tag}'" if tag is not None else ""
                raise ProtocolViolationError(
                    f"Step \"{name}\" is already active for 'STEP_STARTED'{where}", "INCOMPLETE_STREAM"
                )
            return
        if (STEP, name, tag) in self._open:
            return
        # An agent that tags with the subagent of the moment closes a step in another one's name.
        for kind, id, owner in reversed(self._open):
            if (kind, id) == (STEP, name):
                event.pop(_TAG, None)
                if owner is not None:
                    event[_TAG] = owner
                return
        raise ProtocolViolationError(
            f"Cannot send 'STEP_FINISHED' for step \"{name}\" that was not started", "INCOMPLETE_STREAM"
        )


def _end_of_subagent(id: str, terminal: Event) -> Event:
    if terminal.get("type") == "RUN_ERROR":
        return {"type": "SUBAGENT_ERROR", _TAG: id, "message": terminal["message"]}
    event: Event = {"type": "SUBAGENT_FINISHED", _TAG: id}
    outcome = terminal.get("outcome") or {}
    if outcome.get("type") == "interrupt":
        asked = [each["id"] for each in outcome["interrupts"] if each.get(_TAG) == id]
        event["outcome"] = {"type": "suspended", **({"interruptIds": asked} if asked else {})}
    return event
