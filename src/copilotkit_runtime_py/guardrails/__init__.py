"""Whether what a user says may reach an agent."""

from .base import GuardrailInput, GuardrailMessage, Validator, Verdict
from .cloud import CloudValidator
from .model import ModelValidator
from .policy import Guardrails, OutagePolicy
from .rules import RuleValidator

__all__ = [
    "CloudValidator",
    "GuardrailInput",
    "GuardrailMessage",
    "Guardrails",
    "ModelValidator",
    "OutagePolicy",
    "RuleValidator",
    "Validator",
    "Verdict",
]
