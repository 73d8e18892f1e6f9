"""The input of a run: AG-UI 1.0's `RunAgentInput` in JSON form, and the model of it that providers get."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Self, TypeAlias

from ag_ui.core import Message, RunAgentInput
from pydantic import TypeAdapter, ValidationError

from .versions import received_messages

Json: TypeAlias = dict[str, Any]

# So many messages and parts are validated in several calls.
_MANY: Final = 200
_MESSAGE: Final[TypeAdapter[Any]] = TypeAdapter(Message)
# member -> field of the model
_FIELDS: Final = {field.alias or name: name for name, field in RunAgentInput.model_fields.items()}


def weight_of(messages: Iterable[Any]) -> int:
    """Returns how many messages there are, and parts in them."""
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    return len(contents) + sum(len(content) for content in contents if isinstance(content, list))


class RunInput:
    """A valid `RunAgentInput`.

    The runtime reads and changes the JSON form. The model is made when a provider asks for it, and each
    message is validated once, however often the input changes: conversations are long, and their models are
    the most expensive part of a short run.

    Args:
        json: the input in JSON form, without null members. It is not changed afterwards.
        model: the model of it.

    Attributes:
        json: the input in JSON form.
    """

    __slots__ = ("_messages", "_model", "_origin", "json")

    def __init__(self, json: Json, model: RunAgentInput | None = None) -> None:
        self.json = json
        self._origin: RunInput | None = None
        self._set_model(model)

    @classmethod
    def parse(cls, json: Json) -> Self:
        """Returns the input of that JSON form.

        Raises:
            ValidationError: it is not a valid `RunAgentInput`.
        """
        messages = json.get("messages")
        if not isinstance(messages, list) or weight_of(messages) < _MANY:
            return cls(json, RunAgentInput.model_validate(json, by_alias=True, by_name=False))
        # The validator holds the interpreter's lock for as long as a call takes, in any thread.
        try:
            head = {**json, "messages": []}
            model = RunAgentInput.model_validate(head, by_alias=True, by_name=False)
            models = [_MESSAGE.validate_python(each, by_alias=True, by_name=False) for each in messages]
        except ValidationError:
            RunAgentInput.model_validate(json, by_alias=True, by_name=False)  # with the places of the errors
            raise
        return cls(json, model.model_copy(update={"messages": models}))

    @classmethod
    def of(cls, model: RunAgentInput) -> Self:
        """Returns the input of which there is the model."""
        return cls(model.model_dump(mode="json", by_alias=True, exclude_none=True), model)

    def replace(self, **members: Any) -> RunInput:
        """Returns the input with other members, by their names in JSON, and without those that are None."""
        json = {name: value for name, value in {**self.json, **members}.items() if value is not None}
        other = RunInput(json)
        other._origin = self._origin if self._model is None else self
        return other

    @property
    def thread_id(self) -> str:
        """The thread of the run."""
        return self.json["threadId"]  # type: ignore[no-any-return]

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.json["runId"]  # type: ignore[no-any-return]

    @property
    def messages(self) -> list[Json]:
        """The conversation."""
        return self.json["messages"]  # type: ignore[no-any-return]

    @property
    def state(self) -> Any:
        """The state that the client sent, or None."""
        return self.json.get("state")

    @property
    def protocol_version(self) -> str | None:
        """The version of AG-UI that the client declares. Clients before 1.0 declare none."""
        return self.json.get("protocolVersion")

    @property
    def model(self) -> RunAgentInput:
        """The model of the input.

        Raises:
            ValidationError: a member that was replaced is not valid.
        """
        if self._model is None:
            assert self._origin is not None
            self._set_model(self._derived(self._origin))
            self._origin = None
        assert self._model is not None
        return self._model

    def _set_model(self, model: RunAgentInput | None) -> None:
        self._model = model
        # An agent may change the list that it gets.
        self._messages = () if model is None else tuple(model.messages)

    def _derived(self, origin: RunInput) -> RunAgentInput:
        changed = {name for name in _FIELDS if self.json.get(name) is not origin.json.get(name)}
        others = {name: self.json[name] for name in changed if name in self.json}
        required = {"threadId": self.thread_id, "runId": self.run_id}
        part = RunAgentInput.model_validate(
            {**others, **required, "messages": []}, by_alias=True, by_name=False
        )
        update = {_FIELDS[name]: getattr(part, _FIELDS[name]) for name in changed}
        if "messages" in changed:
            known = zip(origin.messages, origin._messages, strict=True)
            update["messages"] = self._models({id(message): model for message, model in known})
        assert origin._model is not None
        return origin._model.model_copy(update=update)

    def _models(self, known: dict[int, Any]) -> list[Any]:
        """Returns the models of the messages, those of known messages as they are."""
        models: list[Any] = []
        for message in self.messages:
            model = known.get(id(message))
            if model is not None:
                models.append(model)
                continue
            # A snapshot that an agent sent may be of another version of AG-UI.
            models += [
                _MESSAGE.validate_python(received, by_alias=True, by_name=False)
                for received in received_messages([message])
            ]
        return models
