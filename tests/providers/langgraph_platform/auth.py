"""Authentication of a LangGraph server that trusts nobody but two callers."""

from langgraph_sdk import Auth

auth = Auth()

KEY = "secret-key-of-the-server"


@auth.authenticate
async def authenticate(headers: dict[bytes, bytes]) -> Auth.types.MinimalUserDict:
    key = headers.get(b"x-api-key", b"").decode()
    if key != KEY and headers.get(b"authorization") != b"Bearer user-token":
        # As careless as some: it repeats what it was sent.
        raise Auth.exceptions.HTTPException(status_code=401, detail=f"Invalid key '{key}'")
    return {"identity": "user"}
