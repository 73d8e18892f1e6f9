"""The showcase: every feature of a CopilotKit page on this runtime, without an API key.

`make showcase` serves it. A feature is an agent in `agents/` and a page in `page/src/features/`.
"""
