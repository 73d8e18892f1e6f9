"""What a request contains besides the conversation."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One client request as hooks, agent factories and providers see it. It holds no HTTP object.

    Its `repr` may be logged: who asks, headers, properties and whatever else may hold credentials or say too
    much is not part of it.

    Attributes:
        request_id: names the request in logs and in masked errors.
        owner: who owns the threads that the request may touch: the user's id, never anything of the
            request body, or `ANONYMOUS` where the application does not identify its users.
        user: what the application's `identify` returned, or None without one.
        headers: the request headers that may be passed on to agents, in lower case.
        properties: the frontend's `properties`, with the server's own on top.
        url: the page that the frontend reported, if it did.
        request_type: what the frontend asked for (`Chat`, `Task`, `Suggestion`, ...), if it said so.
        node_name: the graph node that the frontend expects to be in, if it said so.
        frontend_context: the frontend's readable context as one text, as old clients send it.
        forwarded_parameters: model parameters that the frontend asked for (`model`, `temperature`, ...).
        agent_tools: the names of the tools that the frontend offers to agents, not to a plain model.
        extensions: protocol extensions that the frontend sent.
        guardrails: the topic rules that the frontend asked for.
    """

    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    owner: str = field(default=ANONYMOUS, repr=False)
    user: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    url: str | None = field(default=None, repr=False)
    request_type: str | None = None
    node_name: str | None = None
    frontend_context: str | None = field(default=None, repr=False)
    forwarded_parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    agent_tools: frozenset[str] = frozenset()
    extensions: Mapping[str, Any] = field(default_factory=dict, repr=False)
    guardrails: Mapping[str, Any] | None = None
