"""What a request adds to a graph's `RunnableConfig` and context."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from ag_ui.core import RunAgentInput
from ag_ui_a2ui_toolkit import split_a2ui_schema_context
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs

from ...context import ANONYMOUS, RequestContext
from .schema import GraphSchema

USER_KEY = "langgraph_auth_user_id"
"""Where LangGraph's own server puts the user; LangGraph keeps it in the metadata of every checkpoint."""

_ENVELOPE = frozenset({"config", "command", "threadMetadata", "nodeName", "streamSubgraphs"})
_FORWARDED_HEADERS = "copilotkit_forwarded_headers"
_RESERVED = frozenset(
    {"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "copilotkit", _FORWARDED_HEADERS}
)
_MAX_RECURSION = 1_000
_SECRET = re.compile("auth|token|secret|passw|api.?key|cookie|credential", re.IGNORECASE)


def forwarded_props(input: RunAgentInput) -> Mapping[str, Any]:
    """The request's `forwardedProps`; anything but an object counts as empty."""
    props = input.forwarded_props
    return props if isinstance(props, Mapping) else {}


def frontend_payload(input: RunAgentInput) -> dict[str, Any]:
    """The frontend's tools and readable context, in the form of the upstream SDK's `CopilotKitState`."""
    return {
        "actions": [tool.model_dump(by_alias=True, exclude_none=True) for tool in input.tools or []],
        "context": [item.model_dump(by_alias=True, exclude_none=True) for item in input.context or []],
    }


def native_payload(input: RunAgentInput) -> dict[str, Any]:
    """The same in the form of `ag-ui-langgraph`, with what `CopilotKitMiddleware` reads to offer A2UI.

    The component schema of the page is apart from the readable context, because agents put the context into
    their prompt (`ag-ui-langgraph` 0.0.47, `langgraph_default_merge_state`).
    """
    payload = frontend_payload(input)
    schema, context = split_a2ui_schema_context(payload["context"])
    channel: dict[str, Any] = {"tools": payload["actions"], "context": context}
    if schema is not None:
        channel["a2ui_schema"] = schema
    props = forwarded_props(input)
    if "injectA2UITool" in props:
        channel["inject_a2ui_tool"] = props["injectA2UITool"]
    return channel


def request_configurable(context: RequestContext) -> dict[str, Any]:
    """Returns what a request without a conversation adds to `configurable`: properties, and the user."""
    configurable = dict(context.properties)
    if context.owner != ANONYMOUS:
        configurable[USER_KEY] = context.owner
    return configurable


def run_config(
    base: RunnableConfig | None,
    input: RunAgentInput,
    context: RequestContext,
    callbacks: list[BaseCallbackHandler],
    *,
    forward_headers: bool = False,
) -> RunnableConfig:
    """Returns the configuration of one run.

    The operator's configuration comes first, then the client's `forwardedProps.config` (`configurable`,
    `recursion_limit`, `tags`, `metadata`), then the properties. A client may lower the recursion limit of the
    operator, not raise it. The thread is the runtime's to choose, and
    so are checkpoint addresses and the user: a client that names them is not heard.

    `configurable["copilotkit"]` has the frontend's `actions` and `context`, for tools and subgraphs whose
    state lacks them, and all `properties`. LangGraph writes plain values in `configurable` to its
    checkpoints, so properties that are credentials by their name are nowhere else.

    With `forward_headers`, `configurable["copilotkit_forwarded_headers"]` has the headers that reach agents,
    where `CopilotKitMiddleware` (0.1.96) looks for them. LangGraph does not write dicts to its checkpoints'
    metadata.
    """
    payload = {**frontend_payload(input), "properties": _properties(input, context)}
    configurable: dict[str, Any] = {"copilotkit": payload, "thread_id": input.thread_id}
    if context.owner != ANONYMOUS:
        configurable[USER_KEY] = context.owner
    if forward_headers:
        configurable[_FORWARDED_HEADERS] = dict(context.headers)
    config = cast(RunnableConfig, {"configurable": configurable, "callbacks": callbacks})
    sent = _client_config(input, context)
    if base is not None and "recursion_limit" in base and "recursion_limit" in sent:
        sent["recursion_limit"] = min(base["recursion_limit"], sent["recursion_limit"])
    return merge_configs(base, sent, config)


def _properties(input: RunAgentInput, context: RequestContext) -> dict[str, Any]:
    extras = {name: value for name, value in forwarded_props(input).items() if name not in _ENVELOPE}
    return {**extras, **context.properties}


def _client_config(input: RunAgentInput, context: RequestContext) -> RunnableConfig:
    sent = forwarded_props(input).get("config")
    sent = sent if isinstance(sent, Mapping) else {}
    configurable = sent.get("configurable")
    free = {name: value for name, value in _properties(input, context).items() if not _SECRET.search(name)}
    merged = {**(configurable if isinstance(configurable, Mapping) else {}), **free}
    config: RunnableConfig = {"configurable": {k: v for k, v in merged.items() if _is_free(k)}}
    limit = sent.get("recursion_limit", sent.get("recursionLimit"))
    if isinstance(limit, int) and 0 < limit <= _MAX_RECURSION:
        config["recursion_limit"] = limit
    tags = sent.get("tags")
    if isinstance(tags, list):
        config["tags"] = [tag for tag in tags if isinstance(tag, str)]
    metadata = sent.get("metadata")
    if isinstance(metadata, Mapping):
        config["metadata"] = {k: v for k, v in metadata.items() if _is_free(k)}
    return config


def _is_free(name: str) -> bool:
    return name not in _RESERVED and not name.startswith(("__", "langgraph_"))


def run_context(config: RunnableConfig, schema: GraphSchema) -> dict[str, Any] | None:
    """Returns the values for the graph's context schema: the configured keys that it declares.

    None where the graph declares no context, or where a required key is missing.
    """
    if schema.context_keys is None:
        return None
    configurable = config.get("configurable", {})
    values = {name: configurable[name] for name in schema.context_keys if name in configurable}
    return values if schema.context_required <= values.keys() else None
