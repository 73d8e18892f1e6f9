"""The AG-UI contract of CopilotRuntime 1.75: REST paths and single-route envelopes, answered by SSE streams.

`routes` and `single_route` find the operation, `input` reads the body, `endpoint` answers, `feeds` turns
the logs of runs into frames.
"""
