"""What a run leaves, and what it leaves where its log cannot be folded."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.agui.compaction import visible_event
from copilotkit_runtime_py.runs import completion
from copilotkit_runtime_py.runs.completion import ending_of, folded, unfolded
from copilotkit_runtime_py.runs.event_log import Entry
from copilotkit_runtime_py.state_store.base import AgentState, RunEnding

pytestmark = pytest.mark.anyio

USER = {"id": "u1", "role": "user", "content": "hi"}
LOG = [
    events.run_started("t1", "r1"),
    events.state_delta([{"op": "add", "path": "/n", "value": 2}]),
    events.text_start("m1"),
    events.text_content("m1", "Hel"),
    events.text_content("m1", "lo"),
    events.text_end("m1"),
    events.run_finished("t1", "r1"),
]


def types(ending: RunEnding) -> list[str]:
    return [events.decode(data)["type"] for data in map(visible_event, ending.compacted) if data]


def test_a_run_leaves_the_conversation_the_state_and_a_shorter_log() -> None:
    ending = ending_of(LOG, [USER], {"n": 1})
    answer = {"id": "m1", "role": "assistant", "content": "Hello"}
    assert ending.state == AgentState(state={"n": 2}, messages=[USER, answer])
    assert types(ending) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "STATE_SNAPSHOT",
        "RUN_FINISHED",
    ]


@pytest.mark.parametrize(("length", "in_loop"), [(1, True), (100_000, False)])
async def test_a_long_log_is_folded_in_a_thread(
    length: int, in_loop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[bool] = []

    def watched(*arguments: Any, **options: Any) -> RunEnding:
        threads.append(threading.current_thread() is threading.main_thread())
        return ending_of(*arguments, **options)

    monkeypatch.setattr(completion, "ending_of", watched)
    log = [LOG[0], *(events.custom("x", n) for n in range(length)), LOG[-1]]
    assert (await folded([*map(Entry.of, log)], [USER], None)).state.messages == [USER]
    assert threads == [in_loop]


def test_a_log_that_cannot_be_folded_is_left_as_it_is() -> None:
    broken = [*LOG[:2], events.text_end("m9"), LOG[-1]]
    with pytest.raises(KeyError):
        ending_of(broken, [USER], {"n": 1})
    ending = unfolded([*map(Entry.of, broken)], [USER], {"n": 1})
    assert ending.state == AgentState(state={"n": 1}, messages=[USER])
    assert types(ending) == ["RUN_STARTED", "STATE_DELTA", "TEXT_MESSAGE_END", "RUN_FINISHED"]
