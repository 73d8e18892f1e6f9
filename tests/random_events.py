"""Random events of an agent: every type of AG-UI 1.0 and 0.1, each valid, in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]

# Few of each, so that events meet.
_MESSAGE = st.sampled_from(["m1", "m2", "m3"])
_CALL = st.sampled_from(["c1", "c2"])
_STEP = st.sampled_from(["look", "act"])
_SUBAGENT = st.sampled_from(["s1", "s2"])
# Half of an emoji comes alone, as some models send it.
_DELTA = st.sampled_from(["", "a", "bc ", "é", "😀", "\ud83d", '"}', "\r\n"])
_JSON: st.SearchStrategy[Any] = st.sampled_from([0, None, "x", [1], {"deep": {"er": None}}])
_POINTER = st.sampled_from(["", "/a", "/a/b", "/list", "/list/0", "/list/-"])
_INNER = st.sampled_from(["/a", "/a/b", "/list", "/list/0", "/list/-", "/list/9", "/a~1b"])
# A client takes a change inside a number for done.
_OPERATION = st.one_of(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "replace", "test"]), "path": _INNER, "value": _JSON}
    ),
    st.fixed_dictionaries({"op": st.just("replace"), "path": st.just(""), "value": st.just({"a": [1]})}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": _POINTER}),
    st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "path": _POINTER, "from": _POINTER}),
)
_PATCH = st.lists(_OPERATION, max_size=2)
_STATE: st.SearchStrategy[Any] = st.sampled_from([{}, {"a": {"b": 1}}, {"list": [1, 2]}, None, 5])
_TOOL_CALLS = st.lists(
    st.builds(
        lambda id: {"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}, id=_CALL
    ),
    min_size=1,
    max_size=1,
)
_TEXT = st.sampled_from(["", "said"])


def _message(role: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return st.fixed_dictionaries(
        {"id": _MESSAGE, "role": st.just(role), **more}, optional={"subagentRunId": _SUBAGENT}
    )


_MESSAGES = st.lists(
    st.one_of(
        *(_message(role, content=_TEXT) for role in ("user", "system", "developer", "reasoning")),
        _message("assistant", content=_TEXT),
        _message("assistant", toolCalls=_TOOL_CALLS),
        _message("tool", content=_TEXT, toolCallId=_CALL),
        _message("activity", activityType=st.just("plan"), content=st.just({"a": 1})),
    ),
    max_size=3,
    unique_by=lambda message: str(message["id"]),
)
_INTERRUPTS = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["i1", "i2"]), "reason": st.just("confirm")},
        optional={"subagentRunId": _SUBAGENT, "message": st.just("Sure?"), "metadata": st.just({"k": None})},
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda interrupt: str(interrupt["id"]),
)
_INTERRUPT = st.builds(lambda asked: {"type": "interrupt", "interrupts": asked}, _INTERRUPTS)

# type -> required members, optional members
_MEMBERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "TEXT_MESSAGE_START": (
        {"messageId": _MESSAGE},
        {"role": st.sampled_from(["assistant", "user"]), "name": st.just("Ann")},
    ),
    "TEXT_MESSAGE_CONTENT": ({"messageId": _MESSAGE, "delta": _DELTA}, {}),
    "TEXT_MESSAGE_END": ({"messageId": _MESSAGE}, {}),
    "TEXT_MESSAGE_CHUNK": (
        {},
        {"messageId": _MESSAGE, "delta": _DELTA, "role": st.just("assistant"), "name": st.just("Ann")},
    ),
    "TOOL_CALL_START": ({"toolCallId": _CALL, "toolCallName": st.just("f")}, {"parentMessageId": _MESSAGE}),
    "TOOL_CALL_ARGS": ({"toolCallId": _CALL, "delta": _DELTA}, {}),
    "TOOL_CALL_END": ({"toolCallId": _CALL}, {}),
    "TOOL_CALL_CHUNK": (
        {},
        {"toolCallId": _CALL, "toolCallName": st.just("f"), "delta": _DELTA, "parentMessageId": _MESSAGE},
    ),
    "TOOL_CALL_RESULT": (
        {"messageId": _MESSAGE, "toolCallId": _CALL, "content": _TEXT},
        {"role": st.just("tool")},
    ),
    "REASONING_START": ({"messageId": _MESSAGE}, {}),
    "REASONING_MESSAGE_START": ({"messageId": _MESSAGE}, {"role": st.just("reasoning")}),
    "REASONING_MESSAGE_CONTENT": ({"messageId": _MESSAGE, "delta": _DELTA}, {}),
    "REASONING_MESSAGE_END": ({"messageId": _MESSAGE}, {}),
    "REASONING_MESSAGE_CHUNK": ({}, {"messageId": _MESSAGE, "delta": _DELTA}),
    "REASONING_END": ({"messageId": _MESSAGE}, {}),
    "REASONING_ENCRYPTED_VALUE": (
        {
            "subtype": st.sampled_from(["message", "tool-call"]),
            "entityId": st.one_of(_MESSAGE, _CALL),
            "encryptedValue": st.just("x"),
        },
        {},
    ),
    "THINKING_START": ({}, {"title": st.just("Hm")}),
    "THINKING_TEXT_MESSAGE_START": ({}, {}),
    "THINKING_TEXT_MESSAGE_CONTENT": ({"delta": _DELTA}, {}),
    "THINKING_TEXT_MESSAGE_END": ({}, {}),
    "THINKING_END": ({}, {}),
    "STATE_SNAPSHOT": ({"snapshot": _STATE}, {}),
    "STATE_DELTA": ({"delta": _PATCH}, {}),
    "MESSAGES_SNAPSHOT": ({"messages": _MESSAGES}, {}),
    "ACTIVITY_SNAPSHOT": (
        {"messageId": _MESSAGE, "activityType": st.just("plan"), "content": st.just({"list": [1]})},
        {"replace": st.booleans()},
    ),
    "ACTIVITY_DELTA": (
        {"messageId": _MESSAGE, "activityType": st.sampled_from(["plan", "done"]), "patch": _PATCH},
        {},
    ),
    "STEP_STARTED": ({"stepName": _STEP}, {}),
    "STEP_FINISHED": ({"stepName": _STEP}, {}),
    "SUBAGENT_STARTED": (
        {"subagentRunId": _SUBAGENT, "name": st.just("helper")},
        {"parentSubagentRunId": _SUBAGENT, "parentToolCallId": _CALL, "description": st.just("helps")},
    ),
    "SUBAGENT_FINISHED": (
        {"subagentRunId": _SUBAGENT},
        {"result": _JSON, "outcome": st.sampled_from([{"type": "success"}, {"type": "suspended"}])},
    ),
    "SUBAGENT_ERROR": (
        {"subagentRunId": _SUBAGENT, "message": st.just("It failed.")},
        {"code": st.just("X")},
    ),
    "CUSTOM": (
        {"name": st.sampled_from(["note", "on_interrupt", "PredictState"]), "value": _JSON},
        {},
    ),
    "RAW": ({"event": _JSON}, {"source": st.just("model")}),
    "RUN_STARTED": ({}, {"parentRunId": st.just("r0")}),
    "RUN_FINISHED": (
        {},
        {
            "result": _JSON,
            "outcome": st.one_of(
                st.just({"type": "success"}), st.just({"type": "cancelled"}), st.just(None), _INTERRUPT
            ),
        },
    ),
    "RUN_ERROR": ({"message": st.just("It failed.")}, {"code": st.just("X")}),
}
_ENDS = ("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR")
_ANY: dict[str, Any] = {
    "subagentRunId": st.one_of(st.none(), _SUBAGENT),
    "metadata": st.sampled_from([{"a": 1}, {"b": {"c": None}}]),
    "timestamp": st.sampled_from([None, 5, 1.5]),
    "rawEvent": _JSON,
}


def _event(type: str) -> st.SearchStrategy[Event]:
    required, optional = _MEMBERS[type]
    anything = {} if type == "RUN_STARTED" else {k: v for k, v in _ANY.items() if k not in required}
    plain = st.fixed_dictionaries({"type": st.just(type), **required}, optional=optional)
    return plain | st.fixed_dictionaries(
        {"type": st.just(type), **required}, optional={**optional, **anything}
    )


def agent_events(max_size: int = 20) -> st.SearchStrategy[list[Event]]:
    """What an agent yields; most of the time it does not end its run itself."""
    inner = st.one_of(*(_event(type) for type in _MEMBERS if type not in _ENDS))
    end = st.one_of(*(_event(type) for type in _ENDS))
    return st.builds(
        lambda head, tail: [*head, *tail], st.lists(inner, max_size=max_size), st.lists(end, max_size=1)
    )
