"""The tokens that CrewAI's models use, also for CrewAI's own purposes."""

from __future__ import annotations

from typing import Any

from ag_ui.core import TokenUsage
from crewai.types.usage_metrics import UsageMetrics

from ...agui.usage import record_usage


class UsageSink:
    """Adds what each model call has used to the current run. A stream sink of CrewAI; one per run."""

    def __init__(self) -> None:
        self._counted: set[str] = set()

    def __call__(self, source: Any, event: Any) -> None:
        """Takes an event."""
        if event.type != "llm_call_completed" or not event.usage or event.call_id in self._counted:
            return
        self._counted.add(event.call_id)
        metrics = UsageMetrics.from_provider_dict(event.usage)
        if metrics is None or not metrics.total_tokens:  # how CrewAI says that nothing was reported
            return
        model = str(getattr(source, "model", None) or event.model or "")
        provider = getattr(source, "provider", None)
        record_usage(
            TokenUsage(
                provider=provider if isinstance(provider, str) else None,
                model=model.removeprefix(f"{provider}/") or None,
                input_tokens=metrics.prompt_tokens,
                output_tokens=metrics.completion_tokens,
                total_tokens=metrics.total_tokens,
                reasoning_tokens=metrics.reasoning_tokens or None,
                cached_input_tokens=metrics.cached_prompt_tokens or None,
                cache_write_input_tokens=metrics.cache_creation_tokens or None,
            )
        )
