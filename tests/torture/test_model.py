"""The judge sees each kind of fault."""

from __future__ import annotations

import pytest

from tests.torture.model import RunTruth, Truth, View, ViolationError, judge

Frame = tuple[str | None, dict[str, object]]


def started(run: int, id: str) -> Frame:
    return f"{run}:0", {"type": "RUN_STARTED", "runId": id}


def said(run: int, place: int, id: str, delta: str) -> Frame:
    return f"{run}:{place}", {"type": "TEXT_MESSAGE_CONTENT", "messageId": f"{id}-m", "delta": delta}


def finished(run: int, place: int) -> Frame:
    return f"{run}:{place}", {"type": "RUN_FINISHED"}


WHOLE = [started(1, "r"), said(1, 1, "r", "0 "), said(1, 2, "r", "1 "), finished(1, 3)]


def known(*, length: int = 2) -> tuple[Truth, RunTruth]:
    truth = Truth()
    return truth, truth.begin("t", "r", length)


def viewed(truth: Truth, frames: list[Frame]) -> View:
    view = View(truth, truth.thread("t"))
    for id, event in frames:
        view.add(id, event)
    return view


def test_a_whole_run_is_right_also_from_an_older_position() -> None:
    truth, run = known()
    view = viewed(truth, WHOLE)
    view.rewind(2)
    assert view.last_id == "1:1"
    for id, event in WHOLE[2:]:
        view.add(id, event)
    assert judge(truth, run.thread, [view, viewed(truth, WHOLE)]) == []


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([*WHOLE[:2], WHOLE[1]], "said"),
        ([WHOLE[0], WHOLE[2]], "said"),
        ([*WHOLE[:2], WHOLE[3]], "finished after"),
        ([*WHOLE, WHOLE[3]], "outside of a run"),
        ([WHOLE[0], WHOLE[0]], "begins twice"),
        ([started(1, "other")], "nobody's"),
        ([WHOLE[1]], "outside of a run"),
    ],
    ids=["twice", "left out", "cut", "two ends", "two beginnings", "unknown", "no beginning"],
)
def test_a_view_with_a_fault_is_wrong(frames: list[Frame], message: str) -> None:
    with pytest.raises(ViolationError, match=message):
        viewed(known()[0], frames)


def test_what_was_seen_must_be_stored() -> None:
    truth, run = known()
    viewed(truth, WHOLE)
    stored = viewed(truth, [("1/0", WHOLE[0][1]), ("1/1", WHOLE[1][1]), ("1/2", WHOLE[3][1])])
    assert judge(truth, run.thread, [stored]) == ["t: run r lost 2 characters"]
    assert len(judge(truth, run.thread, [stored, viewed(truth, WHOLE)])) == 2


def test_a_run_that_was_said_not_to_be_stored_may_be_gone() -> None:
    truth, run = known()
    notice: Frame = (None, {"type": "CUSTOM", "name": "unsaved", "value": {"events": 1}})
    viewed(truth, [*WHOLE[:2], notice, *WHOLE[2:]])
    assert judge(truth, run.thread, [viewed(truth, [])]) == []


def test_a_deleted_run_must_stay_away() -> None:
    truth, run = known()
    run.thread.runs, run.thread.gone = {}, {"r"}
    assert judge(truth, run.thread, [viewed(truth, WHOLE)]) == ["t: run r is back"]


def test_a_run_needs_an_end() -> None:
    truth, run = known()
    assert judge(truth, run.thread, [viewed(truth, WHOLE[:3])]) == ["t: run r has no end"]
