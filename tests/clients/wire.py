"""The bytes of an incremental answer: parsed, checked for what every reader relies on, and merged."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

GENERATED_ID = re.compile(r"ck-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ROOT = "generateCopilotResponse"

Part = dict[str, Any]


def multipart(body: str) -> list[Part]:
    """The payloads of a multipart answer up to its last part. Every byte of the framing is checked.

    The closing dashes may be missing: a client leaves when it has the last part and the delimiter after it.
    """
    head, *sections = body.split("\r\n---")
    assert head == ""
    assert sections.pop() in ("--\r\n", "")
    parts = []
    for section in sections:
        fields, _, text = section.partition("\r\n\r\n")
        length = len(text.encode())
        assert fields == f"\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {length}"
        parts.append(json.loads(text))
    return parts


def server_sent(body: str) -> list[Part]:
    """The payloads of a complete SSE answer."""
    assert "\r" not in body
    frames = [frame for frame in body.split("\n\n") if frame not in ("", ":")]
    assert frames.pop() == "event: complete\ndata:"
    prefix = "event: next\ndata: "
    assert all(frame.startswith(prefix) for frame in frames)
    return [json.loads(frame.removeprefix(prefix)) for frame in frames]


def merge(parts: list[Part]) -> dict[str, Any]:
    """What a client holds when it has read the parts."""
    data: dict[str, Any] = copy.deepcopy(parts[0]["data"])
    for part in parts[1:]:
        for entry in part.get("incremental", ()):
            apply(data, entry)
    return data


def apply(data: dict[str, Any], entry: dict[str, Any]) -> None:
    """Puts one incremental entry in its place."""
    *way, last = entry["path"]
    target: Any = data
    for key in way:
        target = target[key]
    if "items" in entry:
        assert last == len(target), "the indexes of a list are contiguous"
        target.extend(copy.deepcopy(entry["items"]))
    else:
        join(target[last], entry["data"])


def join(target: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            join(target[key], value)
        else:
            target[key] = copy.deepcopy(value)


def check_stream(parts: list[Part]) -> None:
    """Holds an incremental answer to what clients rely on.

    Indexes are contiguous and a message comes before what belongs to it (`apply` would fail), every message
    and the response get exactly one status, and only the last part says that it is the last.
    """
    assert [part["hasNext"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert "status" not in parts[0]["data"][ROOT]
    entries = [entry for part in parts[1:] for entry in part.get("incremental", ())]
    assert not any("errors" in holder for holder in [*parts, *entries])
    merged = merge(parts)[ROOT]
    given = [tuple(entry["path"]) for entry in entries if "status" in (entry.get("data") or {})]
    expected = [(ROOT,), *((ROOT, "messages", index) for index in range(len(merged["messages"])))]
    assert sorted(given, key=str) == sorted(expected, key=str)


def comparable(final: Any) -> Any:
    """A client's final data without what differs from run to run, chunks joined and states parsed."""
    if final is None or ROOT not in final:
        return final
    response = dict(final[ROOT])
    response["threadId"] = generated(response["threadId"])
    response["messages"] = [comparable_message(message) for message in response["messages"]]
    if "status" in response:
        response["status"] = without_cause(response["status"])
    return response


def comparable_message(message: dict[str, Any]) -> dict[str, Any]:
    """A message without its time, its made-up id and its run's id; as output or as the client converts it."""
    message = {key: value for key, value in message.items() if key != "createdAt"}
    message["id"] = generated(message["id"])
    for chunks in ("content", "arguments"):
        if isinstance(message.get(chunks), list):
            message[chunks] = "".join(message[chunks])
    if "state" in message:
        if isinstance(message["state"], str):
            message["state"] = json.loads(message["state"])
        assert UUID.fullmatch(message["runId"])
        message["runId"] = "<run>"
    if isinstance(message.get("content"), str) and message["content"].startswith("{"):
        message["content"] = json.loads(message["content"])
    return message


def generated(value: str) -> str:
    return "<generated>" if GENERATED_ID.fullmatch(value) else value


def without_cause(status: dict[str, Any]) -> dict[str, Any]:
    """A response status without the exception that the reference runtime encloses."""
    status = copy.deepcopy(status)
    extensions = ((status.get("details") or {}).get("originalError") or {}).get("extensions") or {}
    extensions.pop("originalError", None)
    return status
