"""What log records tell besides their message, and what they do not."""

from __future__ import annotations

import asyncio
import json
import logging
import logging.config
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ag_ui.core import RunAgentInput

import copilotkit_runtime_py
from copilotkit_runtime_py import AgentError, CopilotRuntime, RequestContext, RequestFailed
from copilotkit_runtime_py.agui import events
from copilotkit_runtime_py.logs.config import log_config
from copilotkit_runtime_py.logs.records import (
    FIELDS,
    JSONFormatter,
    ScopeFilter,
    get_logger,
    owner_hash,
    scope,
)
from tests.protocols.agui.served import serve

Event = dict[str, Any]
Stream = AsyncIterator[Event]

ANN = RequestContext(
    request_id="q1",
    owner="ann@example.com",
    headers={"authorization": "Bearer planted-header", "x-page": "1"},
    properties={"vault": {"apiKey": "planted-property"}},
)
logger = get_logger("copilotkit_runtime_py.test")


def asked(run_id: str = "r1") -> RunAgentInput:
    said = [{"id": "u1", "role": "user", "content": "hi"}]
    body = {"threadId": "t1", "runId": run_id, "messages": said, "state": {}}
    return RunAgentInput.model_validate({**body, "tools": [], "context": [], "forwardedProps": {}})


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FIELDS}


def test_every_logger_of_the_package_tells_and_hides() -> None:
    package = Path(copilotkit_runtime_py.__file__).parent
    making = [path for path in package.rglob("*.py") if "getLogger(" in path.read_text(encoding="utf-8")]
    assert making == [package / "logs" / "records.py"]
    assert any(isinstance(each, ScopeFilter) for each in logger.filters)


def test_importing_the_package_sets_up_no_logging() -> None:
    package = logging.getLogger("copilotkit_runtime_py")
    assert (package.handlers, package.level, package.propagate) == ([], logging.NOTSET, True)


def test_a_record_without_a_request_has_all_fields(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("x")
    assert fields(caplog.records[0]) == dict.fromkeys(FIELDS)


@pytest.mark.anyio
async def test_records_of_a_run_tell_whose_it_is_and_not_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(input: RunAgentInput) -> Stream:
        yield events.text_start("m1")
        await asyncio.sleep(0)
        raise ValueError("no reason")

    runtime = CopilotRuntime({"a": failing})
    runs = [await runtime.start("a", asked(), ANN)]
    await runs[0].wait()
    (record,) = caplog.records
    assert fields(record) == {
        "requestId": "q1",
        "owner": owner_hash("ann@example.com"),
        "agent": "a",
        "threadId": "t1",
        "runId": "r1",
    }
    assert "ann" not in JSONFormatter().format(record)
    await runtime.aclose()


@pytest.mark.anyio
async def test_records_of_a_request_tell_its_id(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(context: RequestContext, name: str) -> bool:
        raise ValueError(context.request_id)

    async with serve({"agent": nobody}, authorize=refuse) as served:
        await served.json(served.request("GET", "/info"))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert fields(record)["requestId"] == str(record.exc_info[1])
    assert fields(record)["threadId"] is None


async def nobody(input: RunAgentInput) -> Stream:
    yield events.text_start("m1")


@pytest.mark.anyio
async def test_scopes_of_tasks_do_not_meet() -> None:
    seen: dict[str, list[Any]] = {}

    class Listing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.setdefault(record.getMessage(), []).append(vars(record)["threadId"])

    async def work(name: str) -> None:
        with scope(thread_id=name):
            for _ in range(3):
                logger.warning(name)
                await asyncio.sleep(0)

    handler = Listing()
    logger.addHandler(handler)
    try:
        await asyncio.gather(work("a"), work("b"))
        logger.warning("after")
    finally:
        logger.removeHandler(handler)
    assert seen == {"a": ["a"] * 3, "b": ["b"] * 3, "after": [None]}


def test_credentials_of_the_request_are_hidden_in_messages_arguments_and_tracebacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with scope(request=ANN):
        try:
            raise ConnectionError(
                "planted-header refused, postgresql://ann:planted-url@db/x, sk-planted123456"
            )
        except ConnectionError:
            logger.exception("got %s and %r and %d", "planted-property", {"cookie": "planted-cookie"}, 7)
    text = caplog.text + "".join(JSONFormatter().format(record) for record in caplog.records)
    assert "planted" not in text.replace('raise ConnectionError("planted-header refused', "")
    assert "got *** and {'cookie': '***'} and 7" in text
    assert "ConnectionError: *** refused, postgresql://ann:***@db/x, sk-***" in text


def test_an_exception_without_credentials_is_left_to_the_handlers(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("no reason")
    logger.error("failed", exc_info=error)
    assert caplog.records[0].exc_info == (ValueError, error, None)


def test_a_request_may_be_logged() -> None:
    shown = f"{ANN} {RequestFailed(error=ValueError('x'), context=ANN)}"
    assert "q1" in shown
    assert [word for word in ("planted", "ann@", "apiKey") if word in shown] == []


def test_a_record_is_a_line_of_json() -> None:
    record = logging.LogRecord("l", logging.ERROR, "f.py", 1, "said\n%s", ("ünï",), None)
    with scope(request=ANN, agent="a", thread_id="t1", run_id="r1"):
        ScopeFilter().filter(record)
    line = JSONFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "ERROR",
        "logger": "l",
        "message": "said\nünï",
        "requestId": "q1",
        "owner": owner_hash("ann@example.com"),
        "agent": "a",
        "threadId": "t1",
        "runId": "r1",
    }


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_command_hides_credentials_in_the_servers_own_records(
    format: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [None, "uvicorn", "uvicorn.access", "uvicorn.error", "copilotkit_runtime_py"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    try:
        logging.config.dictConfig(log_config(format))
        arguments = ("127.0.0.1:1", "GET", "/x?token=planted-token&page=2", "1.1", 200)
        logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', *arguments)
        logger.warning("for %s", "planted")
        logging.getLogger("an_agent").warning("Authorization: Bearer planted-bearer")
    finally:
        for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
            each.handlers, each.propagate = handlers, propagate
            each.setLevel(level)
    shown = capsys.readouterr()
    assert "planted-token" not in shown.out
    assert "/x?token=***&page=2" in shown.out
    assert "for planted" in shown.err
    if format == "json":
        told = [json.loads(line)["message"] for line in shown.err.splitlines()]
        assert told == ["for planted", "Authorization: Bearer ***"]


def test_a_message_for_the_client_quotes_no_key() -> None:
    assert AgentError("Incorrect API key provided: sk-planted123456.").message == (
        "Incorrect API key provided: sk-***."
    )
