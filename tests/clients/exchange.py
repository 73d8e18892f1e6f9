"""One recorded HTTP request, made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.clients.contract import CONTRACT
from tests.clients.wire import ROOT, comparable, merge, multipart, server_sent
from tests.scripted_agent import Call

DOCUMENTS = {
    document.split("(")[0].split("{")[0].split()[1]: document
    for document in (CONTRACT / "operations.graphql").read_text(encoding="utf-8").rstrip("\n").split("\n\n")
}
"""The documents that the clients send, by operation name."""

TOLD = ("content-type", "allow", "accept", "vary", "cache-control", "content-encoding")


@dataclass
class Answer:
    """An answer without what differs from run to run.

    Attributes:
        status: the HTTP status.
        headers: the headers that mean something to a client.
        body: the JSON, or what an incremental answer merges to.
        input: the RunAgentInput that reached the agent, without its runId, or None.
    """

    status: int
    headers: dict[str, str]
    body: Any
    input: dict[str, Any] | None


def recorded_answer(recording: dict[str, Any]) -> Answer:
    """The answer that was recorded."""
    response = recording["response"]
    return Answer(
        status=response["status"],
        headers=response["headers"],
        body=comparable_body(response["body"]),
        input=recording.get("agent_input"),
    )


def make(recording: dict[str, Any], url: str, calls: list[Call]) -> Answer:
    """Makes the recorded request again."""
    request = recording["request"]
    query = f"?{request['query_string']}" if "query_string" in request else ""
    body = request.get("body")
    if isinstance(body, dict) and isinstance(body.get("query"), dict):
        body = {**body, "query": DOCUMENTS[body["query"]["document"]]}
    sent = {"json": body} if isinstance(body, dict) else {"content": body}
    with httpx.Client() as client:
        client.headers.clear()
        built = client.build_request(request["method"], url + query, **sent)
        built.headers.pop("content-type", None)
        built.headers.update(request["headers"])
        response = client.send(built)
    return Answer(
        status=response.status_code,
        headers={name: value for name, value in response.headers.items() if is_told(name)},
        body=comparable_body(payload(response)),
        input=input_of(calls[0]) if calls else None,
    )


def input_of(call: Call) -> dict[str, Any]:
    """The RunAgentInput of a call, without the runId, which is another one each time."""
    return {key: value for key, value in call.input.items() if key != "runId"}


def is_told(name: str) -> bool:
    return name in TOLD or name.startswith("access-control-")


def payload(response: httpx.Response) -> Any:
    """The answer's JSON, an incremental one merged; {} without a body."""
    media_type = response.headers.get("content-type", "")
    if not response.content:
        return {}
    if media_type.startswith("multipart/mixed"):
        parts = multipart(response.text)
    elif media_type.startswith("text/event-stream"):
        parts = server_sent(response.text)
    else:
        return response.json()
    return {"data": merge(parts), "hasNext": False} if len(parts) > 1 else parts[0]


def comparable_body(body: Any) -> Any:
    if ROOT in (body.get("data") or {}):
        return {**body, "data": comparable(body["data"])}
    return body
