"""Plain chat models as agents. Needs the `chat` extra, and the package of the model's vendor."""

from .provider import ChatProvider

__all__ = ["ChatProvider"]
