"""Agents of frameworks that need an adapter, and which one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

_CHAT_MODEL: Final = 'register ChatProvider("{}:MODEL") of copilotkit_runtime_py.providers.chat'

# The module that defines a framework's classes -> what to register instead of one of their objects.
_NEEDED: Final = {
    "google.adk": "wrap it in ADKAgent of the package ag-ui-adk",
    "strands": "wrap it in StrandsAgent of the package ag-ui-strands",
    "llama_index": "write an async generator over AGUIChatWorkflow of llama-index-protocols-ag-ui",
    "workflows.workflow": "write an async generator over AGUIChatWorkflow of llama-index-protocols-ag-ui",
    "agent_framework": "serve it with the package agent-framework-ag-ui, and register the URL",
    "agent_framework_ag_ui": "serve it with add_agent_framework_fastapi_endpoint, and register the URL",
    "autogen": "serve it with AGUIStream of the package ag2[ag-ui], and register the URL",
    "langroid": "serve it with the package ag-ui-langroid, and register the URL",
    "agents.agent": "write an async generator over the events of Runner.run_streamed(...)",
    "autogen_agentchat": "write an async generator over the events of its run_stream(...)",
    "semantic_kernel": "write an async generator over its invoke_stream(...)",
    "smolagents": "write a generator over the events of its run(..., stream=True)",
    "haystack": "write an async generator over its run_async(...)",
    "dspy": "write an async generator over dspy.streamify(...)",
    "openai": _CHAT_MODEL.format("openai"),
    "anthropic": _CHAT_MODEL.format("anthropic"),
    "google.genai": _CHAT_MODEL.format("google_genai"),
    "agno.workflow": "register one of its agents or teams, or write an async generator over its arun(...)",
    "crewai": "put it into a Crew or a Flow",
    "langchain": "make an agent with langchain.agents.create_agent",
    "langchain_classic": "make an agent with langchain.agents.create_agent",
    "langchain_core": "make it a node of a LangGraph graph, and register the compiled graph",
}


def what_it_needs(agent: Any) -> str | None:
    """Returns what to do with an object of a known framework, or None if its framework is not known.

    Subclasses and their classes count. A class of an application's own module is not taken for that of a
    framework whose module has the same name.
    """
    for base in (agent if isinstance(agent, type) else type(agent)).__mro__:
        for module, advice in _NEEDED.items():
            if f"{base.__module__}.".startswith(f"{module}.") and _is_installed(base.__module__):
                return advice
    return None


def _is_installed(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
