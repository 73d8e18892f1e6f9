"""A LangGraph agent to try the runtime with; it needs no API key."""
