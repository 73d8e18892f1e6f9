"""Incremental execution: `@stream` and `@defer` over values that grow while they are delivered.

`document` parses and caches operations, `plan` turns one into a walk over its selection set,
`incremental` executes it, `payload` collects what is to be sent, `live` is the values that grow, `feed`
ties an execution to a response. Knows GraphQL alone, nothing of CopilotKit's schema but through its
arguments.
"""
