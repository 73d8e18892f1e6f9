"""Incremental execution: `@stream` and `@defer` over values that grow while they are delivered.

`document` parses and caches operations, `plan` turns one into a walk over its selection set, `incremental`
executes it, `payload` completes what leaves as a whole, `live` has the values that grow. Imports go in the
order incremental, payload, plan and live. Nothing here knows CopilotKit's schema, HTTP or the runtime.
"""
