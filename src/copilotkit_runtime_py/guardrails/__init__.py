"""Guardrails: checks of what a user says, before an agent gets it.

`policy` configures them, `rules`, `cloud` and `model` are validators, `guard` checks the input of one run.
Imports `agui`, `logs` and `providers`.
"""

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
