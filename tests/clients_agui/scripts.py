"""Random agent scripts with every kind of AG-UI event, the same ones for the same seed."""

from __future__ import annotations

from tests.clients import scripts
from tests.clients_agui.steps import event
from tests.scripted_agent import RUN_FINISHED, Script, Step

FIRST_ID_OF_SECOND_RUN = 100


class Writer(scripts.Writer):
    """Writes a script: a run of well-formed events in a random order, which may fail."""

    def script(self) -> list[Step]:
        acts = [
            self._text, self._call, self._interleaved, self._result, self._snapshot, self._patch, self._step,
            self._ignored, self._chunks, self._reasoning, self._activity, self._reasoning_chunks,
        ]  # fmt: skip
        for _ in range(self._random.randint(1, 9)):
            self._random.choice(acts)()
        self._end()
        return self._steps

    def second_script(self) -> list[Step]:
        """A script whose ids are others than those of `script`."""
        self._ids = FIRST_ID_OF_SECOND_RUN
        return self.script()

    def _end(self) -> None:
        number = self._random.random()
        if number < 0.2:
            failed = event("RUN_ERROR", message="the model is away")
            self._steps.append({**failed, "delay": scripts.SETTLED})
        elif number < 0.3:
            self._add("RUN_FINISHED", threadId="{{threadId}}", runId="{{runId}}", outcome={"type": "success"})
        else:
            self._steps.append(RUN_FINISHED)

    def _reasoning(self) -> None:
        phase, message = self._id("p"), self._id("t")
        self._add("REASONING_START", messageId=phase)
        self._add("REASONING_MESSAGE_START", messageId=message, role="reasoning")
        for delta in ["Hm, ", *self._deltas()]:
            self._add("REASONING_MESSAGE_CONTENT", messageId=message, delta=delta)
        self._add("REASONING_MESSAGE_END", messageId=message)
        self._add("REASONING_END", messageId=phase)

    def _reasoning_chunks(self) -> None:
        message = self._id("t")
        for delta in ["Well, ", *self._deltas()]:
            self._add("REASONING_MESSAGE_CHUNK", messageId=message, delta=delta)

    def _activity(self) -> None:
        activity = {"messageId": self._id("a"), "activityType": "plan"}
        self._add("ACTIVITY_SNAPSHOT", **activity, content={"steps": self._deltas()})
        if self._random.random() < 0.5:
            patch = [{"op": "add", "path": "/steps/-", "value": "more"}]
            self._add("ACTIVITY_DELTA", **activity, patch=patch)


def random_scripts(seed: int) -> tuple[Script, Script]:
    """Two runs of a seed."""
    return Writer(seed).script(), Writer(-1 - seed).second_script()
