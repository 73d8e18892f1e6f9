"""CrewAI flows and crews as agents. Needs the `crewai` extra."""

from ..environment import guarded_import

with guarded_import():
    from .current import emit, frontend_tools, request_context
    from .provider import CrewAIProvider
    from .state import CopilotKitState

__all__ = ["CopilotKitState", "CrewAIProvider", "emit", "frontend_tools", "request_context"]
