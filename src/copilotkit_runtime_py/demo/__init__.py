"""Demo agents to try the runtime with; they need no API key. Imports `agui` and `providers`."""
