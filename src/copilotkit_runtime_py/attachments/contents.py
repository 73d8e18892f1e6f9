"""The content of files in the place of their links, where an agent gets a conversation."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from ag_ui.core import InputContentDataSource as DataSource
from ag_ui.core import InputContentUrlSource as UrlSource
from ag_ui.core import Message, RunAgentInput
from ag_ui.core import TextInputContent as TextPart

from ..agui.events import Event
from ..agui.versions import SentMessage
from ..context import RequestContext
from ..providers.base import Provider, close_stream
from ..state_store.attachments import AttachmentRecord
from .files import Attachments
from .links import Link, holds_link


class WithContents(Provider):
    """Runs another provider's agent, for one run of the runtime, and gives it files in the place of links.

    Agents and models cannot follow links: they may be on another network, and the links expire. The agent
    gets what it gets of pages that send files in base64. The conversation of the thread has the links.

    Args:
        provider: the agent's provider.
        files: the runtime's files.
        max_bytes: how many bytes of base64 the agent gets at most. The newest files come first.
        recorded: the thread is stored, and the files belong to it from now on.
    """

    def __init__(self, provider: Provider, files: Attachments, *, max_bytes: int, recorded: bool) -> None:
        self.strict_stream = provider.strict_stream  # type: ignore[misc]
        self.unique_call_ids = provider.unique_call_ids  # type: ignore[misc]
        self.description = provider.description
        self.capabilities = provider.capabilities
        self._provider = provider
        self._files = files
        self._max_bytes = max_bytes
        self._recorded = recorded

    async def run(self, input: RunAgentInput, context: RequestContext) -> AsyncIterator[Event]:
        """Streams the agent's events.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        stream = self._provider.run(await self._with_contents(input, context.owner), context)
        try:
            async for event in stream:
                yield event
        finally:
            await close_stream(stream)

    async def _with_contents(self, input: RunAgentInput, owner: str) -> RunAgentInput:
        links = list(dict.fromkeys(link for message in input.messages for _, link in _links(message)))
        if not links:
            return input
        records = await self._files.owned(links, owner)
        if self._recorded:
            await self._files.send(owner, input.thread_id, list(records))
        left = self._max_bytes
        messages: list[Message] = []
        for message in reversed(input.messages):
            if any(_links(message)):
                message, left = await self._filled(message, records, left)
            messages.append(message)
        return input.model_copy(update={"messages": messages[::-1]})

    async def _filled(
        self, message: Message, records: Mapping[str, AttachmentRecord], left: int
    ) -> tuple[Message, int]:
        """Returns a message with the content of its files, and how many bytes others may still have."""
        parts: list[Any] = list(message.content)  # type: ignore[arg-type] # it has parts with links
        for place, link in _links(message):
            record = records.get(link.id)
            size = 0 if record is None else -(-record.size // 3) * 4
            data = await self._data(record) if record is not None and size <= left else None
            if record is None or data is None:
                text = _missing(parts[place], record, too_much=size > left)
                parts[place] = TextPart(type="text", text=text)
                continue
            left -= size
            source = DataSource(type="data", value=data, mime_type=record.media_type)
            parts[place] = parts[place].model_copy(update={"source": source})
        return message.model_copy(update={"content": parts}), left

    async def _data(self, record: AttachmentRecord) -> str | None:
        """Returns a file in base64, or None if it was deleted meanwhile."""
        # A part is a multiple of three bytes long, so that what is encoded apart can be put together.
        pieces: list[str] = []
        async for part in self._files.read(record):
            pieces.append(base64.b64encode(part).decode("ascii"))
            await asyncio.sleep(0)
        data = "".join(pieces)
        return data if len(data) == -(-record.size // 3) * 4 else None


def linked_messages(messages: Iterable[dict[str, Any]]) -> dict[str, SentMessage]:
    """Returns the messages, by id, that have links, for the snapshots of agents that got the contents."""
    return {message["id"]: SentMessage.of(message) for message in messages if holds_link(message)}


def _links(message: Message) -> Iterable[tuple[int, Link]]:
    """Yields the places of a message's parts that are links, with the links."""
    content = getattr(message, "content", None)
    for place, part in enumerate(content if isinstance(content, Sequence) else ()):
        source = getattr(part, "source", None)
        link = Link.parse(source.value) if isinstance(source, UrlSource) else None
        if link is not None:
            yield place, link


def _missing(part: Any, record: AttachmentRecord | None, *, too_much: bool) -> str:
    metadata = getattr(part, "metadata", None)
    known = record.filename if record is not None else None
    name = known or (metadata.get("filename") if isinstance(metadata, dict) else None)
    subject = f'The attached file "{str(name)[:200]}"' if name else "An attached file"
    reason = "is left out, since later files fill the request" if too_much else "is not available any more"
    return f"[{subject} {reason}.]"
