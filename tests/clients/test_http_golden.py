"""The recorded HTTP requests again: status, headers and body."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.conftest import Serve
from tests.clients.exchange import Answer, input_of, make, recorded_answer
from tests.clients.golden import CORPUS, load, names, script_of
from tests.scripted_agent import ScriptedAgent


def not_run(answer: Answer) -> None:
    answer.input = None


def uncached(answer: Answer) -> None:
    answer.headers["cache-control"] = "no-cache"


def readable(answer: Answer) -> None:
    answer.status = 200


def without_cause(answer: Answer) -> None:
    del answer.body["errors"][0]["extensions"]["originalError"]


def without_credentials(answer: Answer) -> None:
    del answer.headers["access-control-allow-credentials"]
    answer.headers["access-control-expose-headers"] = "x-copilotkit-runtime-version"


def refused(answer: Answer) -> None:
    answer.status, answer.headers, answer.body = 415, {}, {}


def told_methods(answer: Answer) -> None:
    answer.headers["allow"] = "GET, POST"


def without_encoding(answer: Answer) -> None:
    del answer.headers["content-encoding"]


DEVIATIONS: dict[str, tuple[str, Callable[[Answer], None]]] = {
    "accept_defer_spec": ("a cache must not keep or hold back a stream", uncached),
    "accept_multipart": ("a cache must not keep or hold back a stream", uncached),
    "query_accept_multipart": ("a cache must not keep or hold back a stream", uncached),
    "accept_gqlresp_only": ("a request that cannot be answered starts no run", not_run),
    "accept_json_only": ("a request that cannot be answered starts no run", not_run),
    "cors_post_credentials": ("pages of this machine are allowed without credentials", without_credentials),
    "err_empty_body": ("the exception is the server's own business", without_cause),
    "err_malformed_json": ("the exception is the server's own business", without_cause),
    "err_malformed_graphql": ("the client shows the text of a 200 only", readable),
    "err_unknown_operation_name": ("the client shows the text of a 200 only", readable),
    "form_urlencoded": ("a foreign page can send a form without asking first", refused),
    "options_plain": ("the methods that are allowed are told", told_methods),
    "query_accept_sse": ("`none` is no content coding", without_encoding),
}
"""Where this server answers otherwise, why that is better, and what is different."""


@pytest.mark.clients
@pytest.mark.parametrize("name", names("http"))
def test_the_reference_runtime_still_answers_http_as_recorded(
    name: str, reference: str, reference_agent: ScriptedAgent
) -> None:
    recording = load(CORPUS / "http" / f"{name}.json")
    agent = recording.get("agent", "idle")
    reference_agent.play(agent, script_of(recording))
    reference_agent.calls.clear()
    expected = recorded_answer(recording)
    answer = make(recording, reference + agent, reference_agent.calls)
    if expected.input is not None and answer.input is None:
        call = reference_agent.wait_for_call(agent)
        answer.input = input_of(call)
    assert answer == expected


@pytest.mark.parametrize("name", names("http"))
def test_http_is_answered_as_by_the_reference_runtime_or_better(
    name: str, serve: Serve, agent: ScriptedAgent
) -> None:
    recording = load(CORPUS / "http" / f"{name}.json")
    agent_name = recording.get("agent", "idle")
    url = serve({agent_name: agent.play(agent_name, script_of(recording))})
    expected = recorded_answer(recording)
    if name in DEVIATIONS:
        _, change = DEVIATIONS[name]
        change(expected)
    assert make(recording, url, agent.calls) == expected
