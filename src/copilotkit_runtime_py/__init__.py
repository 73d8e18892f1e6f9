"""The CopilotKit runtime for Python."""

from .actions import Action, AgentTool
from .app.endpoint import create_router
from .app.graceful_stop import drain_on_signal
from .app.health import create_health_router
from .context import RequestContext
from .errors import ActionError, AgentError, CopilotKitError
from .headers import HeaderPolicy
from .hooks import AfterRequest, BeforeRequest, RequestError, StopGeneration
from .limits import Limits
from .providers.base import AgentSnapshot, Provider
from .runtime import CopilotRuntime
from .state_store.base import AgentState, Retention, RunRecord, StateStore
from .state_store.from_url import open_state_store
from .state_store.memory import MemoryStateStore
from .transcription import Recording, TranscriptionError, TranscriptionProblem, TranscriptionService

__all__ = [
    "Action",
    "ActionError",
    "AfterRequest",
    "AgentError",
    "AgentSnapshot",
    "AgentState",
    "AgentTool",
    "BeforeRequest",
    "CopilotKitError",
    "CopilotRuntime",
    "HeaderPolicy",
    "Limits",
    "MemoryStateStore",
    "Provider",
    "Recording",
    "RequestContext",
    "RequestError",
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
    "open_state_store",
]
