"""Message content: AG-UI parts to LangChain content blocks and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from ag_ui.core import ContentPart, DataSource, TextPart, UrlSource

_BLOCK_TYPES = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
_PART_TYPES = {block: part for part, block in _BLOCK_TYPES.items()}


def to_blocks(content: str | Iterable[ContentPart]) -> str | list[str | dict[str, Any]]:
    """Returns AG-UI content as LangChain content: text stays text, parts become standard blocks."""
    if isinstance(content, str):
        return content
    return [_block(part) for part in content]


def _block(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    block: dict[str, Any] = {"type": _BLOCK_TYPES[part.type]}
    source = part.source
    if isinstance(source, DataSource):
        block["base64"] = source.value
    elif isinstance(source, UrlSource):
        block["url"] = source.value
    else:
        block["file_id"] = source.value
    if source.mime_type is not None:
        block["mime_type"] = source.mime_type
    if isinstance(part.metadata, Mapping) and "filename" in part.metadata:
        block["filename"] = part.metadata["filename"]
    return block


def to_parts(content: str | list[str | dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Returns LangChain content as AG-UI content, in JSON form. Blocks without an AG-UI form are left out."""
    if isinstance(content, str):
        return content
    parts = (_part({"type": "text", "text": b} if isinstance(b, str) else b) for b in content)
    return [part for part in parts if part is not None]


def _part(block: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = block.get("type")
    if kind == "text":
        return {"type": "text", "text": block.get("text", "")}
    if kind == "image_url":
        image = block.get("image_url")
        url = image.get("url", "") if isinstance(image, Mapping) else str(image)
        return {"type": "image", "source": _url_source(url)}
    source = _source(block)
    if kind not in _PART_TYPES or source is None:
        return None
    if "mime_type" in block:
        source["mimeType"] = block["mime_type"]
    part: dict[str, Any] = {"type": _PART_TYPES[kind], "source": source}
    if "filename" in block:
        part["metadata"] = {"filename": block["filename"]}
    return part


def _source(block: Mapping[str, Any]) -> dict[str, Any] | None:
    if "base64" in block:
        return {"type": "data", "value": block["base64"], "mimeType": "application/octet-stream"}
    if "url" in block:
        return {"type": "url", "value": block["url"]}
    if "file_id" in block:
        return {"type": "file", "value": block["file_id"]}
    return None


def _url_source(url: str) -> dict[str, Any]:
    header, comma, data = url.partition(",")
    if not comma or not header.startswith("data:"):
        return {"type": "url", "value": url}
    mime_type = header.removeprefix("data:").partition(";")[0]
    return {"type": "data", "value": data, "mimeType": mime_type or "text/plain"}


def text_of(content: str | list[Any]) -> str:
    """Returns all text of LangChain content, joined."""
    if isinstance(content, str):
        return content
    return "".join(
        block if isinstance(block, str) else block.get("text", "")
        for block in content
        if isinstance(block, str) or block.get("type") in ("text", "text_delta")
    )


def tool_text(content: str | list[Any]) -> str:
    """Returns a tool's result as text: text blocks as they are, others as JSON.

    AG-UI 1.0 allows parts here, but clients before it accept only text.
    """
    if isinstance(content, str):
        return content
    return "".join(
        text_of([block])
        if isinstance(block, str) or block.get("type") == "text"
        else orjson.dumps(block, default=str).decode()
        for block in content
    )


def reasoning_of(content: str | list[Any], extra: Mapping[str, Any]) -> str:
    """Returns the reasoning text of a message or chunk, whichever provider's form it has.

    Known forms: Anthropic's `thinking` blocks, LangChain's standard `reasoning` blocks, the `summary` of
    OpenAI's Responses API, Bedrock's `reasoning_content` blocks, and the `reasoning_content` beside the
    content that DeepSeek, Qwen and xAI send.
    """
    if isinstance(content, list):
        text = "".join(_block_reasoning(block) for block in content if isinstance(block, Mapping))
        if text:
            return text
    beside = extra.get("reasoning_content")
    return beside if isinstance(beside, str) else ""


def _block_reasoning(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "thinking":
            return str(block.get("thinking") or "")
        case "reasoning_content":
            inner = block.get("reasoning_content")
            return str(inner.get("text") or "") if isinstance(inner, Mapping) else ""
        case "reasoning":
            if text := block.get("reasoning"):
                return str(text)
            parts = block.get("summary") or ()
            return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
        case _:
            return ""
