"""Generative UI: what an agent draws in the page, from A2UI surfaces to whole HTML documents.

`a2ui` and `open_generative_ui` add activity events to a run's events, `mcp_apps` shows the UI of MCP tools,
`json_reader` reads the arguments of a tool call while they stream. A transform sees normalised events and
knows no provider and no protocol. Imports `agui`, `logs` and `tools`; `runs` and
`runtime` import it.
"""
