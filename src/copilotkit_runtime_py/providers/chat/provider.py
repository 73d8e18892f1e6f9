"""A chat model, without any agent around it, as an agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final, TypeAlias, cast

from ag_ui.core import RunAgentInput
from langchain_core.exceptions import ModelError
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig

from ...agui import events
from ...agui.events import Event
from ...context import RequestContext
from ...errors import AgentError, ConfigurationError
from ...logs.records import get_logger
from ..base import Provider
from ..langchain.usage import UsageCallbacks
from ..unique_calls import with_unique_calls
from .answer import Answer
from .conversation import conversation
from .failures import client_error
from .parameters import ParameterBounds, call_options, offered_tools, refused, tool_choice
from .state import STATE_TOOL_NAMES, STATE_TOOLS, SharedState

logger = get_logger(__name__)

ChatModel: TypeAlias = BaseChatModel | str
"""A chat model of LangChain, or what `langchain.chat_models.init_chat_model` makes one of."""

_CAPABILITIES: Final = {
    "transport": {"streaming": True},
    "tools": {"supported": True, "clientProvided": True},
    "reasoning": {"supported": True, "streaming": True},
}

_STATE_CAPABILITIES: Final = {"state": {"snapshots": True, "deltas": True}}

# How often within one run a model may go on after it has changed the state.
_STATE_ROUNDS: Final = 10


class ChatProvider(Provider):
    """Answers with a chat model: what a frontend gets that names no agent.

    The model sees the conversation that the client sends and the tools that the request offers. It keeps no
    memory of its own. Failed calls are retried by the vendor's own client only, which does so
    before the first token only: `init_chat_model(..., max_retries=...)` sets how often.

    Args:
        model: a chat model of LangChain, or a name for `init_chat_model`, such as `openai:gpt-4o`.
        description: one sentence for frontends and other agents.
        instructions: the server's own system message; it comes before the frontend's.
        accept_instructions: the model is given the frontend's system messages and readable context.
            CopilotKit's own frontends say there what the application is about, but anyone who can send
            requests can say anything in the voice of the application.
        allowed_models: other models, under the names by which a client may ask for them.
        max_tokens: the longest answer that a client may ask for; what the model is set to, unless given.
        temperature: the range of temperatures that a client may ask for.
        state: the model gets the shared state in its prompt, and tools that change it. The client's state is
            the client's words, as its messages are.

    Raises:
        ImportError: the package of the model's vendor is missing.
        ValueError: the name does not identify a vendor.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        description: str = "",
        instructions: str | None = None,
        accept_instructions: bool = True,
        allowed_models: Mapping[str, ChatModel] | None = None,
        max_tokens: int | None = None,
        temperature: tuple[float, float] = (0.0, 2.0),
        state: bool = False,
    ) -> None:
        self.description = description
        self.capabilities = {**_CAPABILITIES, **(_STATE_CAPABILITIES if state else {})}
        self._state = state
        self._model = _made(model)
        self._models = {name: _made(other) for name, other in (allowed_models or {}).items()}
        self._instructions = instructions
        self._accept_instructions = accept_instructions
        self._max_tokens = max_tokens
        self._temperature = temperature

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the model's answer, or several if it changes the state in between.

        Raises:
            AgentError: the request asks for what this server does not allow, or the model cannot answer, or
                changes the state without end.
            ConfigurationError: the request offers tools, and the model cannot call any.
        """
        chosen, input = self._chosen(context), with_unique_calls(input)
        state = SharedState(input.state) if self._state else None
        messages = conversation(
            input,
            instructions=self._instructions,
            accept_instructions=self._accept_instructions,
            state=None if state is None else state.prompt(),
        )
        options = call_options(context, self._bounds(chosen))
        for round in range(_STATE_ROUNDS):
            model = _with_tools(chosen, input, context, changes_state=state is not None, may_choose=round > 0)
            answer = Answer()
            async with aclosing(self._answered(model, messages, options, answer)) as stream:
                async for event in stream:
                    yield event
            if state is None:
                return
            results = []
            for call in answer.calls_of(STATE_TOOL_NAMES):
                changed, result = state.call(call.name, call.arguments())
                if changed is not None:
                    yield changed
                yield events.tool_call_result(f"{call.id}-result", call.id, result)
                results.append(ToolMessage(result, tool_call_id=call.id))
            if not results or answer.calls_others(STATE_TOOL_NAMES):
                return
            messages = [*messages, answer.message(), *results]
        raise AgentError("The model changed the state too often.", "LIMIT_EXCEEDED")

    async def _answered(
        self,
        model: Runnable[LanguageModelInput, AIMessage],
        messages: list[BaseMessage],
        options: dict[str, Any],
        answer: Answer,
    ) -> AsyncGenerator[Event]:
        """Streams one answer."""
        config: RunnableConfig = {"callbacks": [UsageCallbacks()]}
        try:
            stream = model.astream(messages, config, **options)
            async with aclosing(cast(AsyncGenerator[AIMessage], stream)) as chunks:
                async for chunk in chunks:
                    for event in answer.feed(chunk):
                        yield event
        except ModelError as error:
            shown = client_error(error)
            if shown is None:
                raise
            logger.warning("a model call failed", exc_info=error)
            raise shown from error

    def _chosen(self, context: RequestContext) -> BaseChatModel:
        name = context.forwarded_parameters.get("model")
        if not name:
            return self._model
        if name not in self._models:
            raise refused(f"The model '{name}' is not one of those that this server offers.")
        return self._models[name]

    def _bounds(self, model: BaseChatModel) -> ParameterBounds:
        max_tokens = self._max_tokens or getattr(model, "max_tokens", None)
        return ParameterBounds(max_tokens=max_tokens, temperature=self._temperature)


def _made(model: ChatModel) -> BaseChatModel:
    if isinstance(model, BaseChatModel):
        return model
    from langchain.chat_models import init_chat_model

    return init_chat_model(model)


def _with_tools(
    model: BaseChatModel,
    input: RunAgentInput,
    context: RequestContext,
    *,
    changes_state: bool,
    may_choose: bool,
) -> Runnable[LanguageModelInput, AIMessage]:
    """Returns the model with the tools that it may call.

    Args:
        model: the model.
        input: the run's input.
        context: the caller.
        changes_state: the model may change the shared state.
        may_choose: the model has made the call that the request asks for.
    """
    tools, choice = offered_tools(input, context), tool_choice(input, context)
    if choice not in (None, "none", "any") and choice not in [tool["function"]["name"] for tool in tools]:
        raise refused(f"The request wants a call of '{choice}', which is none of its tools.")
    if changes_state:
        own = [tool for tool in tools if tool["function"]["name"] not in STATE_TOOL_NAMES]
        tools = [*STATE_TOOLS, *own]
    if not tools or choice == "none":
        return model
    chosen: dict[str, Any] = {} if choice is None or may_choose else {"tool_choice": choice}
    try:
        return model.bind_tools(tools, **chosen)
    except NotImplementedError:
        raise ConfigurationError(f"The model {type(model).__name__} cannot call tools.") from None
