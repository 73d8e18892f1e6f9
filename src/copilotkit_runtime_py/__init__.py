"""The CopilotKit runtime for Python.

What is listed in `__all__` is the public interface. Each name is imported on first use, so that importing the
package costs little: FastAPI, GraphQL, pydantic and the stores are loaded only by the code that needs them.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .agui import events
    from .agui.agent_state import AgentState
    from .app.endpoint import create_router
    from .app.graceful_stop import drain_on_signal
    from .app.headers import HeaderPolicy
    from .app.health import create_health_router
    from .context import RequestContext
    from .errors import ActionError, AgentError, CopilotKitError
    from .generative_ui.a2ui import A2UI, Recovery
    from .hooks import AfterRequest, BeforeRequest, RequestFailed, StopGeneration
    from .limits import Limits
    from .providers.base import AgentSnapshot, Provider, RememberedThread
    from .providers.recorded import RecordedAgent
    from .runtime import CopilotRuntime
    from .state_store.base import AppendResult, Retention, RunRecord, StateStore
    from .state_store.from_url import open_state_store
    from .state_store.memory import MemoryStateStore
    from .tools.actions import Action, AgentTool
    from .tools.mcp.client_servers import ClientMCPServers
    from .tools.mcp.servers import MCPServer
    from .transcription import Recording, TranscriptionError, TranscriptionProblem, TranscriptionService

__all__ = [
    "A2UI",
    "Action",
    "ActionError",
    "AfterRequest",
    "AgentError",
    "AgentSnapshot",
    "AgentState",
    "AgentTool",
    "AppendResult",
    "BeforeRequest",
    "ClientMCPServers",
    "CopilotKitError",
    "CopilotRuntime",
    "HeaderPolicy",
    "Limits",
    "MCPServer",
    "MemoryStateStore",
    "Provider",
    "RecordedAgent",
    "Recording",
    "Recovery",
    "RememberedThread",
    "RequestContext",
    "RequestFailed",
    "Retention",
    "RunRecord",
    "StateStore",
    "StopGeneration",
    "TranscriptionError",
    "TranscriptionProblem",
    "TranscriptionService",
    "create_health_router",
    "create_router",
    "drain_on_signal",
    "events",
    "open_state_store",
]

_MODULES: Final = {
    "agui.agent_state": ("AgentState",),
    "agui.events": ("events",),
    "app.endpoint": ("create_router",),
    "app.graceful_stop": ("drain_on_signal",),
    "app.headers": ("HeaderPolicy",),
    "app.health": ("create_health_router",),
    "context": ("RequestContext",),
    "errors": ("ActionError", "AgentError", "CopilotKitError"),
    "generative_ui.a2ui": ("A2UI", "Recovery"),
    "hooks": ("AfterRequest", "BeforeRequest", "RequestFailed", "StopGeneration"),
    "limits": ("Limits",),
    "providers.base": ("AgentSnapshot", "Provider", "RememberedThread"),
    "providers.recorded": ("RecordedAgent",),
    "runtime": ("CopilotRuntime",),
    "state_store.base": ("AppendResult", "Retention", "RunRecord", "StateStore"),
    "state_store.from_url": ("open_state_store",),
    "state_store.memory": ("MemoryStateStore",),
    "tools.actions": ("Action", "AgentTool"),
    "tools.mcp.client_servers": ("ClientMCPServers",),
    "tools.mcp.servers": ("MCPServer",),
    "transcription": ("Recording", "TranscriptionError", "TranscriptionProblem", "TranscriptionService"),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.metadata.version("copilotkit-runtime-py")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_MODULE_OF[name]}", __name__)
    value = module if name == "events" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
