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
        return {"type": "text", "text": block.get("text") or ""}
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
    """Returns all text of LangChain content, joined. A refusal of OpenAI's models is text like any other."""
    if isinstance(content, str):
        return content
    return "".join(map(_block_text, content))


def _block_text(block: Any) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, Mapping):
        return ""
    match block.get("type"):
        case "text" | "text_delta" | "output_text":
            text = block.get("text")
        case "refusal":
            text = block.get("refusal")
        case "non_standard" if isinstance(value := block.get("value"), Mapping):
            text = value.get("refusal")
        case _:
            text = None
    return text if isinstance(text, str) else ""


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

    Known forms: Anthropic's `thinking` blocks, LangChain's standard `reasoning` blocks, the `summary` or
    `content` of OpenAI's Responses API, Bedrock's `reasoning_content` blocks; and beside the content
    `reasoning_content` (DeepSeek, Qwen, xAI, Ollama, LiteLLM), `reasoning` (vLLM, OpenRouter, older OpenAI
    integrations), and the lists of `reasoning_details` (OpenRouter) and `thinking_blocks` (LiteLLM). Where
    a chunk has several of these, they say the same; the first counts.
    """
    if isinstance(content, list) and (text := "".join(map(_block_reasoning, content))):
        return text
    for name in _BESIDE:
        if text := _beside(extra.get(name)):
            return text
    return ""


_BESIDE = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")


def _beside(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _block_reasoning({"type": "reasoning", **value})
    return "".join(map(_block_reasoning, value)) if isinstance(value, list) else ""


def _block_reasoning(block: Any) -> str:
    if not isinstance(block, Mapping):
        return ""
    match block.get("type"):
        case "thinking":
            text = block.get("thinking")
        case "reasoning_content" if isinstance(inner := block.get("reasoning_content"), Mapping):
            text = inner.get("text")
        case "reasoning_content":
            text = block.get("reasoning_content")
        case "reasoning" if isinstance(block.get("reasoning"), str) and block["reasoning"]:
            text = block["reasoning"]
        case "reasoning":
            parts = block.get("summary") or block.get("content") or ()
            text = "".join(map(_part_text, parts if isinstance(parts, list) else [parts]))
        case "reasoning.text":
            text = block.get("text")
        case "reasoning.summary":
            text = block.get("summary")
        case _:
            text = None
    return text if isinstance(text, str) else ""


def _part_text(part: Any) -> str:
    text = part.get("text") if isinstance(part, Mapping) else part
    return text if isinstance(text, str) else ""
