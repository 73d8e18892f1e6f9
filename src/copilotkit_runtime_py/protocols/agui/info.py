"""Information about the runtime, which a frontend requests first."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from ...context import RequestContext
from ...errors import CopilotKitError
from ...runtime import CopilotRuntime

CONTRACT_VERSION: Final = "1.75.0"
"""The version of `@copilotkit/runtime` whose contract is served."""

_THREAD_ENDPOINTS: Final = {"list": True, "inspect": True, "mutations": True, "realtimeMetadata": False}


async def runtime_info(runtime: CopilotRuntime, context: RequestContext) -> dict[str, Any]:
    """Returns what a caller's frontend needs to know about a runtime.

    It has no licence status, and no feature that needs a licence: every status puts a banner on the
    page. Fields that only frontends of one transport read are sent to all.
    """
    return {
        "version": CONTRACT_VERSION,
        "mode": "sse",
        "agents": await _agents(runtime, context),
        "audioFileTranscriptionEnabled": runtime.transcription_service is not None,
        "threadEndpoints": _THREAD_ENDPOINTS,
        "singleRoute": {"resourceOperations": True, "threadEndpoints": _THREAD_ENDPOINTS},
        "suggestions": True,
        **runtime.generative_ui_info(),
        "telemetryDisabled": True,
    }


async def _agents(runtime: CopilotRuntime, context: RequestContext) -> dict[str, Any]:
    """Returns the agents by the names that they answer to.

    A frontend that names no agent asks for `default`, and raises an error where that is not listed.
    """
    available = runtime.agents_for(context)
    shown = await available.all()
    with suppress(CopilotKitError):
        shown.setdefault("default", (await available.resolve(None)).provider)
    agents: dict[str, Any] = {}
    for name, provider in shown.items():
        agents[name] = {
            "name": name,
            "description": provider.description,
            "className": type(provider).__name__,
        }
        if provider.capabilities is not None:
            agents[name]["capabilities"] = provider.capabilities
    return agents
