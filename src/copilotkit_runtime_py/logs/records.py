"""Adds the request, agent, thread and run to each log record, and removes credentials.

The application's logging is its own: no level, handler or format is touched here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ..context import RequestContext
from .redaction import redact, secrets_in

FIELDS: Final = ("requestId", "owner", "agent", "threadId", "runId")
"""The attributes that every record of the runtime has. Those that do not apply are None."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The request, agent and run on whose behalf code is running.

    Attributes:
        request: the request.
        agent: the agent's name.
        thread_id: the thread.
        run_id: the run.
    """

    request: RequestContext | None = None
    agent: str | None = None
    thread_id: str | None = None
    run_id: str | None = None

    def secrets(self) -> Iterator[str]:
        """Yields the credentials of the request."""
        if self.request is not None:
            yield from secrets_in(self.request.headers)
            yield from secrets_in(self.request.properties)


_NOWHERE: Final = Scope()
_scope: ContextVar[Scope] = ContextVar("copilotkit_runtime_py_scope", default=_NOWHERE)


@contextmanager
def scope(**known: Any) -> Iterator[None]:
    """Adds what is known to log records, until the end of the block and in tasks that it creates.

    Args:
        known: attributes of `Scope`; what is not among them stays.
    """
    token = _scope.set(dataclasses.replace(_scope.get(), **known))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def scope_of(context: Context | None) -> Iterator[Scope]:
    """Uses the scope of another context for log records until the end of the block, and returns it."""
    known = context.get(_scope) if context is not None else None
    token = _scope.set(known or _NOWHERE)
    try:
        yield known or _NOWHERE
    finally:
        _scope.reset(token)


def enter_request(context: RequestContext) -> None:
    """Adds a request to log records, until the end of the enclosing `scope` block."""
    _scope.set(dataclasses.replace(_scope.get(), request=context))


def owner_hash(owner: str) -> str:
    """Returns the pseudonym of an owner in logs and traces: stable, and not their name."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def hide(text: str) -> str:
    """Returns a string without credentials, including those of the current request."""
    return redact(text, _scope.get().secrets())


class ScopeFilter(logging.Filter):
    """Lets every record pass, with `FIELDS` added and credentials taken out."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Completes a record."""
        if not hasattr(record, FIELDS[0]):
            self._tell(record, _scope.get())
        self._hide(record)
        return True

    def _tell(self, record: logging.LogRecord, now: Scope) -> None:
        request = now.request
        known = (
            request.request_id if request is not None else None,
            owner_hash(request.owner) if request is not None else None,
            now.agent,
            now.thread_id,
            now.run_id,
        )
        for name, value in zip(FIELDS, known, strict=True):
            setattr(record, name, value)

    def _hide(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple):
            # There are formatters that take the arguments, such as uvicorn's.
            record.args = tuple(hide(each) if isinstance(each, str) else each for each in record.args)
        message = record.getMessage()
        shown = hide(message)
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[0] is not None:
            traceback = logging.Formatter().formatException(record.exc_info)
            shown = hide(traceback)
            if shown != traceback:
                # The text stands for the exception, which whatever handles the record could look into.
                record.exc_text, record.exc_info = shown, None


_FILTER: Final = ScopeFilter()


def get_logger(name: str) -> logging.Logger:
    """Returns the logger of a module of the runtime."""
    logger = logging.getLogger(name)
    logger.addFilter(_FILTER)
    return logger


class JSONFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        time = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in FIELDS:
            if (value := getattr(record, name, None)) is not None:
                line[name] = value
        line.update(getattr(record, "http", {}))
        line.update(_trace_ids())
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def _trace_ids() -> dict[str, str]:
    """Returns the ids of the current trace and span where the application has set up OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    context = trace.get_current_span().get_span_context() if trace is not None else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
