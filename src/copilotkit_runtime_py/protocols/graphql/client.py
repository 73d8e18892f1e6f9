"""The client of a request, as its headers describe it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from graphql import GraphQLError
from starlette.datastructures import Headers

from .executor.document import GraphQLRequestError

_CLIENT_VERSION: Final = "x-copilotkit-runtime-client-gql-version"
_RUNTIME_VERSION: Final = "x-copilotkit-runtime-version"
_API_KEY: Final = "x-copilotcloud-public-api-key"
# From this version on, `use-chat` of `@copilotkit/react-core` reads the status of an answer without messages.
_SHOWS_FAILURES: Final = (1, 9, 2)


class Client(NamedTuple):
    """A client of the GraphQL contract.

    Attributes:
        version: the version of `@copilotkit/runtime-client-gql`; None if the client is another.
        has_api_key: the request carries a CopilotKit Cloud key.
    """

    version: str | None = None
    has_api_key: bool = False

    @classmethod
    def of(cls, headers: Headers) -> Client:
        """Returns the client that sent these headers."""
        return cls(headers.get(_CLIENT_VERSION), _API_KEY in headers)

    @property
    def shows_failures(self) -> bool:
        """Whether its page shows that an answer failed or was denied. Otherwise, a message has to say so."""
        numbers = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", self.version or "")
        return numbers is None or tuple(map(int, numbers.groups())) >= _SHOWS_FAILURES

    def headers(self) -> dict[str, str]:
        """Returns the version header of an answer: the client's own version, or none.

        A client shows a false warning for any other value, and checks nothing if the header is missing
        (`@copilotkit/runtime-client-gql`).
        """
        return {_RUNTIME_VERSION: self.version} if self.version else {}

    def check_version(self) -> None:
        """Refuses a client of another generation.

        Raises:
            GraphQLRequestError: the client announces a version that this contract cannot serve.
        """
        if self.version and not self.version.startswith("1."):
            message = (
                f"This runtime serves @copilotkit/runtime-client-gql 1.x, and the client is version "
                f"{self.version[:40]}. Use matching versions of the CopilotKit packages."
            )
            raise GraphQLRequestError([GraphQLError(message, extensions={"code": "VERSION_MISMATCH"})])
