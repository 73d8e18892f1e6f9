"""The rules of a server, and who says whether a message keeps to them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from ..agui.events import encode
from ..context import RequestContext
from ..errors import ConfigurationError, InvalidRequestError
from ..logs.records import get_logger
from .base import GuardrailInput, GuardrailMessage, Validator, Verdict

logger = get_logger(__name__)

OutagePolicy: TypeAlias = Literal["deny", "allow"]

_MAX_TOPICS: Final = 100
_MAX_TOPIC_LENGTH: Final = 200
_MAX_REASON_LENGTH: Final = 1000
# A conversation of so many characters is hashed in a thread.
_LARGE: Final = 256 * 1024
_REMEMBERED: Final = 4096
_ALLOWED: Final = Verdict(allowed=True)


@dataclass(frozen=True, slots=True)
class Rules:
    """Topics that messages may, and must not, be about."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @classmethod
    def of_client(cls, context: RequestContext) -> Self | None:
        """Returns the rules that the client asked for, if it did.

        Raises:
            InvalidRequestError: they are too many, or too long.
        """
        asked = context.guardrails
        if asked is None:
            return None
        rules = cls(tuple(asked.get("allow_list") or ()), tuple(asked.get("deny_list") or ()))
        topics = rules.allow + rules.deny
        if len(topics) > _MAX_TOPICS or any(len(topic) > _MAX_TOPIC_LENGTH for topic in topics):
            raise InvalidRequestError(
                f"A request may name {_MAX_TOPICS} topics of {_MAX_TOPIC_LENGTH} characters at most."
            )
        return rules


class Guardrails:
    """What users may say to the agents of a runtime.

    Everything that is new of the user is judged before the agent starts: an agent that ran meanwhile could
    already have done something irreversible. A frontend can ask for rules of its own. They are judged
    apart from the server's, and a message has to keep to both.

    Args:
        validator: judges the messages.
        allow: the topics that messages may be about. None named: any that is not denied.
        deny: the topics that messages must not be about.
        on_outage: what happens to a message that cannot be judged: `deny` refuses it, `allow` lets
            it through.
        timeout: how long a verdict may take, in seconds.

    Raises:
        ConfigurationError: the outage policy is neither of the two, or a list of topics is one text.
    """

    def __init__(
        self,
        validator: Validator,
        *,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        on_outage: OutagePolicy = "deny",
        timeout: float = 10.0,
    ) -> None:
        if on_outage not in ("deny", "allow"):
            raise ConfigurationError(f"on_outage is 'deny' or 'allow', not {on_outage!r}.")
        if isinstance(allow, str) or isinstance(deny, str):
            raise ConfigurationError("allow and deny are lists of topics.")
        self._validator = validator
        self._rules = Rules(tuple(allow), tuple(deny))
        self._on_outage = on_outage
        self._timeout = timeout
        self._verdicts: dict[bytes, Verdict] = {}

    async def judge(
        self,
        text: str,
        history: Sequence[GuardrailMessage],
        asked: Rules | None = None,
        *,
        remembered: bool = False,
    ) -> Verdict | None:
        """Returns the verdict on a message, or None if it cannot be judged and is to be refused.

        Args:
            text: the text.
            history: the conversation before it.
            asked: the rules that the client asked for.
            remembered: a verdict that was given before on the same text in the same conversation will do.
        """
        sets = [rules for rules in (self._rules, asked) if rules not in (None, Rules())] or [Rules()]
        inputs = [
            GuardrailInput(text=text, history=tuple(history), allow=rules.allow, deny=rules.deny)
            for rules in sets
            if rules is not None
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(input, remembered=remembered)) for input in inputs]
        verdicts = [task.result() for task in tasks]
        denied = (verdict for verdict in verdicts if verdict is not None and not verdict.allowed)
        return next(denied, None if None in verdicts else _ALLOWED)

    async def aclose(self) -> None:
        """Releases what the validator holds."""
        aclose = getattr(self._validator, "aclose", None)
        if aclose is not None:
            await aclose()

    async def _ask(self, input: GuardrailInput, *, remembered: bool) -> Verdict | None:
        if sum(len(each.content) for each in input.history) < _LARGE:
            key = _key(input)
        else:
            key = await asyncio.to_thread(_key, input)
        if remembered and key in self._verdicts:
            return self._verdicts[key]
        try:
            async with asyncio.timeout(self._timeout):
                given: Any = await self._validator.validate(input)
            if not isinstance(given, Verdict):
                raise TypeError(f"the validator returned a {type(given).__name__}, and no Verdict")
        except Exception:
            logger.exception("a message could not be checked: on_outage='%s' decides", self._on_outage)
            return _ALLOWED if self._on_outage == "allow" else None
        verdict = Verdict(allowed=given.allowed is True, reason=given.reason[:_MAX_REASON_LENGTH])
        self._remember(key, verdict)
        return verdict

    def _remember(self, key: bytes, verdict: Verdict) -> None:
        self._verdicts[key] = verdict
        if len(self._verdicts) > _REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]


def _key(input: GuardrailInput) -> bytes:
    """Returns a digest of everything that a verdict depends on."""
    digest = hashlib.blake2b(encode([input.text, input.allow, input.deny]), digest_size=16)
    for each in input.history:
        said = encode([each.role, each.content])
        digest.update(b"%d:" % len(said))
        digest.update(said)
    return digest.digest()
