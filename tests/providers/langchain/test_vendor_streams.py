"""Streams as model vendors and their integrations emit them: what streams is what the message holds."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk

from copilotkit_runtime_py.agui.events import Event
from copilotkit_runtime_py.agui.reducer import Transcript
from copilotkit_runtime_py.providers.langchain.message_stream import MessageStream
from copilotkit_runtime_py.providers.langchain.messages import to_agui


def part(
    name: str | None = None,
    args: str | None = None,
    id: str | None = None,
    index: int | None = 0,
) -> AIMessageChunk:
    return AIMessageChunk(
        content="", id="m", tool_call_chunks=[tool_call_chunk(name=name, args=args, id=id, index=index)]
    )


def blocks(*content: Any, **fields: Any) -> AIMessageChunk:
    return AIMessageChunk(content=list(content), id="m", **fields)


def text(delta: str) -> AIMessageChunk:
    return AIMessageChunk(content=delta, id="m")


def beside(**fields: Any) -> AIMessageChunk:
    return AIMessageChunk(content="", id="m", additional_kwargs=fields)


def streamed(*chunks: AIMessageChunk) -> list[dict[str, Any]]:
    """Returns the messages that a client has after the stream."""
    stream, transcript = MessageStream(()), Transcript([], {})
    events = [event for chunk in chunks for event in stream.feed(chunk, {})]
    for event in [*events, *stream.close()]:
        transcript.add(event)
    return transcript.result().messages


def called(**calls: tuple[str, str]) -> list[dict[str, Any]]:
    """Returns a message with calls: each an id, and what it calls with which arguments."""
    return [
        {
            "id": "m",
            "role": "assistant",
            "toolCalls": [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, (name, arguments) in calls.items()
            ],
        }
    ]


BOTH = called(c1=("a", '{"x":1}'), c2=("b", '{"y":2}'))
NAMELESS_IDS = called(**{"m-call-0": ("a", '{"x":1}'), "m-call-1": ("b", '{"y":2}')})

CALLS = {
    "OpenAI": (
        [
            part("a", "", "c1"),
            part(None, '{"x"'),
            part(None, ":1}"),
            part("b", "", "c2", 1),
            part(None, '{"y":2}', index=1),
        ],
        BOTH,
    ),
    "OpenAI, interleaved": (
        [part("a", "", "c1"), part("b", "", "c2", 1), part(None, '{"y":2}', index=1), part(None, '{"x":1}')],
        BOTH,
    ),
    "Anthropic": (
        [
            blocks({"type": "text", "text": "", "index": 0}),
            part("a", "", "c1", 1),
            part(None, '{"x":1}', index=1),
            part("b", "", "c2", 2),
            part(None, '{"y":2}', index=2),
        ],
        BOTH,
    ),
    "Gemini, without an index": (
        [part("a", '{"x":1}', "c1", None), part("b", '{"y":2}', "c2", None)],
        BOTH,
    ),
    "Ollama, whole calls": (
        [
            AIMessageChunk(
                content="",
                id="m",
                tool_calls=[
                    {"name": "a", "args": {"x": 1}, "id": "c1"},
                    {"name": "b", "args": {"y": 2}, "id": "c2"},
                ],
            )
        ],
        called(c1=("a", '{"x": 1}'), c2=("b", '{"y": 2}')),
    ),
    "no ids at all": ([part("a", '{"x":1}', index=0), part("b", '{"y":2}', index=1)], NAMELESS_IDS),
    "neither ids nor indices": (
        [part("a", '{"x":1}', index=None), part("b", '{"y":2}', index=None)],
        NAMELESS_IDS,
    ),
    "one index for all calls": ([part("a", '{"x":1}', "c1"), part("b", '{"y":2}', "c2")], BOTH),
    "one index for all calls, in pieces": (
        [part("a", "", "c1"), part(None, '{"x":1}'), part("b", "", "c2"), part(None, '{"y":2}')],
        BOTH,
    ),
    "one index for all calls, without ids": ([part("a", '{"x":1}'), part("b", '{"y":2}')], NAMELESS_IDS),
    "one index for the same tool twice, without ids": (
        [part("a", '{"x":1}'), part("a", '{"y":2}')],
        called(**{"m-call-0": ("a", '{"x":1}'), "m-call-1": ("a", '{"y":2}')}),
    ),
    "id and arguments before the name": (
        [part(None, '{"x"', "c1"), part("a", ":1}"), part(None, '{"y":2}', "c2", 1), part("b", index=1)],
        BOTH,
    ),
    "id and arguments before the name, one index": (
        [part(None, '{"x":1}', "c1"), part("a"), part(None, '{"y":2}', "c2"), part("b")],
        BOTH,
    ),
    "the name before the id": (
        [part("a", ""), part(None, '{"x":1}', "c1"), part("b", "", index=1), part(None, '{"y":2}', "c2", 1)],
        BOTH,
    ),
    "the arguments before the id": (
        [part("a", '{"x":1}'), part(None, None, "c1"), part("b", '{"y":2}', "c2", 1)],
        BOTH,
    ),
    "id and name with each part": (
        [
            part("a", '{"x"', "c1"),
            part("a", ":1}", "c1"),
            part("b", '{"y"', "c2", 1),
            part("b", ":2}", "c2", 1),
        ],
        BOTH,
    ),
    "the name with each part, without ids": (
        [part("a", '{"x"'), part("a", ":1}"), part("b", '{"y"', index=1), part("b", ":2}", index=1)],
        NAMELESS_IDS,
    ),
    "a new id with each part": (
        [
            part("a", "", "c1"),
            part(None, '{"x"', "c9"),
            part(None, ":1}", "c8"),
            part("b", '{"y":2}', "c2", 1),
        ],
        BOTH,
    ),
    "no index after the first part": (
        [part("a", "", "c1"), part(None, '{"x":1}', index=None), part("b", '{"y":2}', "c2", 1)],
        BOTH,
    ),
    "empty strings for what is missing": (
        [part("a", "", "c1"), part("", '{"x":1}', ""), part("b", "", "c2", 1), part("", '{"y":2}', "", 1)],
        BOTH,
    ),
    "no arguments": ([part("a", None, "c1"), part("b", "", "c2", 1)], called(c1=("a", ""), c2=("b", ""))),
    "the input of a tool of the vendor": (
        [
            blocks({"type": "server_tool_use", "name": "web_search", "id": "s1", "index": 0}),
            part(None, '{"query":"x"}', index=0),
            part("a", '{"x":1}', "c1", 1),
            part("b", '{"y":2}', "c2", 2),
        ],
        BOTH,
    ),
}


@pytest.mark.parametrize(("chunks", "messages"), CALLS.values(), ids=CALLS)
def test_parallel_calls_are_told_apart(chunks: list[AIMessageChunk], messages: list[dict[str, Any]]) -> None:
    assert streamed(*chunks) == messages


TEXTS = {
    "null text": [blocks({"type": "text", "text": None, "index": 0}), blocks("Yes."), text("")],
    "blocks with null members": [blocks({"type": "text", "text": "Yes.", "annotations": None, "id": None})],
    "a refusal (Responses)": [blocks({"type": "refusal", "refusal": "Yes."})],
    "a refusal (standard blocks)": [
        blocks({"type": "non_standard", "value": {"type": "refusal", "refusal": "Yes."}})
    ],
    "a tool of the vendor beside the text": [
        blocks({"type": "server_tool_use", "name": "web_search", "id": "s1", "input": {}}),
        blocks({"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"text": "no"}]}),
        blocks({"type": "text", "text": "Yes.", "citations": [{"cited_text": "no"}]}),
    ],
    "code that the vendor runs": [
        blocks({"type": "executable_code", "executable_code": "no"}),
        blocks({"type": "code_execution_result", "code_execution_result": "no"}, "Yes."),
    ],
    "redacted thinking": [blocks({"type": "redacted_thinking", "data": "no", "index": 0}), text("Yes.")],
    "a signature without a thought": [
        blocks({"type": "thinking", "thinking": None, "signature": "no", "index": 0}),
        text("Yes."),
    ],
}


@pytest.mark.parametrize("chunks", TEXTS.values(), ids=TEXTS)
def test_the_text_is_what_is_for_the_user(chunks: list[AIMessageChunk]) -> None:
    assert streamed(*chunks) == [{"id": "m", "role": "assistant", "content": "Yes."}]
    assert to_agui([reduce(add, chunks)]) == streamed(*chunks)


THOUGHTS = {
    "Anthropic": [
        blocks({"type": "thinking", "thinking": "H", "index": 0}),
        blocks({"type": "thinking", "thinking": "m.", "index": 0}),
        blocks({"type": "thinking", "thinking": "", "signature": "s", "index": 0}),
    ],
    "standard": [blocks({"type": "reasoning", "reasoning": "Hm.", "index": 0})],
    "OpenAI Responses": [
        blocks({"type": "reasoning", "summary": [], "index": 0}),
        blocks(
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "Hm.", "index": 0}],
                "index": 0,
            }
        ),
    ],
    "open models behind Responses": [
        blocks({"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}], "summary": []})
    ],
    "older OpenAI Responses": [
        beside(reasoning={"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]})
    ],
    "Bedrock": [
        blocks({"type": "reasoning_content", "reasoning_content": {"text": "Hm."}, "index": 0}),
        blocks({"type": "reasoning_content", "reasoning_content": {"signature": "s"}, "index": 0}),
    ],
    "DeepSeek": [
        beside(reasoning_content="H"),
        beside(reasoning_content="m."),
        beside(reasoning_content=None),
    ],
    "vLLM": [beside(reasoning="H"), beside(reasoning="m."), beside(reasoning=None)],
    "OpenRouter": [beside(reasoning_details=[{"type": "reasoning.text", "text": "Hm.", "index": 0}])],
    "OpenRouter, twice": [
        beside(reasoning="Hm.", reasoning_details=[{"type": "reasoning.summary", "summary": "Hm."}])
    ],
    "LiteLLM": [
        beside(reasoning_content="Hm.", thinking_blocks=[{"type": "thinking", "thinking": "Hm."}]),
        beside(thinking_blocks=[{"type": "redacted_thinking", "data": "no"}]),
    ],
}


@pytest.mark.parametrize("chunks", THOUGHTS.values(), ids=THOUGHTS)
def test_reasoning_is_a_message_of_its_own(chunks: list[AIMessageChunk]) -> None:
    answer = [*chunks, text("Yes.")]
    if isinstance(chunks[0].content, list):
        answer = [*chunks, blocks({"type": "text", "text": "Yes.", "index": 1})]
    assert streamed(*answer) == [
        {"id": "m-reasoning", "role": "reasoning", "content": "Hm."},
        {"id": "m", "role": "assistant", "content": "Yes."},
    ]
    assert to_agui([reduce(add, answer)]) == streamed(*answer)


def test_calls_without_ids_have_the_same_ids_in_the_stream_and_in_the_snapshot() -> None:
    for chunks in (CALLS["no ids at all"][0], CALLS["neither ids nor indices"][0]):
        assert ids(to_agui([reduce(add, chunks)])) == ids(streamed(*chunks)) == ["m-call-0", "m-call-1"]


def test_a_whole_message_with_a_call_without_an_id_streams() -> None:
    message = AIMessage("", id="m", tool_calls=[{"name": "a", "args": {"x": 1}, "id": None}])
    transcript = Transcript([], {})
    for event in MessageStream(()).feed(message, {}):
        transcript.add(event)
    assert ids(transcript.result().messages) == ids(to_agui([message])) == ["m-call-0"]


def test_a_call_with_arguments_that_are_not_json_stays_as_it_streamed() -> None:
    chunks = [part("a", '{"x":1}', "c1"), part("b", "[oops", "c2", 1)]
    [message] = to_agui([reduce(add, chunks)])
    assert message["toolCalls"] == streamed(*chunks)[0]["toolCalls"]


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [call["id"] for message in messages for call in message["toolCalls"]]


CALL = {"name": "a", "args": {}, "id": "a:0"}
FIRST = AIMessage("", id="m1", tool_calls=[CALL])
FIRST_RESULT = ToolMessage("one", id="r1", tool_call_id="a:0")
SECOND = AIMessage("", id="m2", tool_calls=[CALL])
SECOND_RESULT = ToolMessage("two", id="r2", tool_call_id="a:0")


def test_each_of_several_calls_with_one_id_has_its_result() -> None:
    stream = MessageStream([FIRST, FIRST_RESULT])
    events: list[Event] = []
    for message in (FIRST_RESULT, SECOND, SECOND_RESULT, SECOND_RESULT):
        events += stream.feed(message, {})
    results = [event for event in events if event["type"] == "TOOL_CALL_RESULT"]
    assert [(result["messageId"], result["content"]) for result in results] == [("r2", "two")]

    history: list[BaseMessage] = [FIRST, FIRST_RESULT, SECOND, SECOND_RESULT]
    assert [m["id"] for m in to_agui(history)] == ["m1", "r1", "m2", "r2"]


def test_two_calls_of_one_message_with_one_id_have_both_results() -> None:
    twice = AIMessage("", id="m1", tool_calls=[CALL, {**CALL, "args": {"n": 2}}])
    assert [m["id"] for m in to_agui([twice, FIRST_RESULT, SECOND_RESULT])] == ["m1", "r1", "r2"]
    stream = MessageStream(())
    events = [event for message in (twice, FIRST_RESULT, SECOND_RESULT) for event in stream.feed(message, {})]
    assert [event["type"] for event in events][-2:] == ["TOOL_CALL_RESULT", "TOOL_CALL_RESULT"]
