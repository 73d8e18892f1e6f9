"""Which kinds of generative UI a runtime offers, and what each adds to a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..agui.events import Event
from ..agui.run_input import RunInput
from ..tools.actions import Action

if TYPE_CHECKING:
    from .a2ui import A2UI


class EventTransform(Protocol):
    """Changes the events of one run after they were normalised, and before anyone sees them."""

    def push(self, event: Event) -> Iterator[Event]:
        """Yields the events that take the place of one."""

    def end(self, terminal: Event) -> Iterator[Event]:
        """Yields the events that come before the terminal event."""


@dataclass(frozen=True, slots=True)
class RunFeatures:
    """What generative UI adds to one run.

    Attributes:
        input: the agent's input.
        tools: further server tools.
        transforms: what the run's events go through.
    """

    input: RunInput
    tools: list[Action] = field(default_factory=list)
    transforms: list[EventTransform] = field(default_factory=list)


class GenerativeUI:
    """The kinds of generative UI of a runtime.

    Args:
        a2ui: configures A2UI surfaces; True stands for the defaults, False switches them off. None draws
            surfaces for pages that bring a component catalog.
        open_generative_ui: whether agents may write HTML documents, or the names of those that may.
    """

    def __init__(self, a2ui: A2UI | bool | None, open_generative_ui: bool | Collection[str]) -> None:
        self._a2ui = a2ui
        self._open = open_generative_ui

    def info(self) -> dict[str, Any]:
        """Returns the part of `/info` about generative UI (CopilotRuntime 1.75)."""
        enabled = bool(self._a2ui)
        info: dict[str, Any] = {"a2uiEnabled": enabled, "openGenerativeUIEnabled": bool(self._open)}
        if enabled:
            agents = getattr(self._a2ui, "agents", None)
            info["a2ui"] = {"enabled": True} | ({} if agents is None else {"agents": sorted(agents)})
        return info

    def for_run(self, agent_name: str, input: RunInput) -> RunFeatures:
        """Returns what generative UI adds to a run.

        Args:
            agent_name: the agent.
            input: the run's input as the client sent it.
        """
        transforms: list[EventTransform] = []
        tools: list[Action] = []
        if self._open is True or (self._open and agent_name in self._open):
            from .open_generative_ui import OpenGenerativeUI

            transforms.append(OpenGenerativeUI())
        properties = input.json.get("forwardedProps")
        catalog = isinstance(properties, dict) and properties.get("a2uiCatalogAvailable") is True
        if self._a2ui or (self._a2ui is None and catalog):
            # The toolkit is imported by those alone who draw surfaces.
            from .a2ui import A2UI, prepare, render_action
            from .surfaces import Surfaces

            a2ui = self._a2ui if isinstance(self._a2ui, A2UI) else A2UI()
            if a2ui.serves(agent_name):
                tool = a2ui.tool_name(properties)
                page_tools = [each["name"] for each in input.json.get("tools") or ()]
                transforms.append(Surfaces(a2ui, a2ui.catalog_id(input.json), tool, page_tools))
                input = prepare(a2ui, input)
                if tool is not None:
                    tools.append(render_action(a2ui, tool))
        return RunFeatures(input, tools, transforms)
