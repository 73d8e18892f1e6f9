"""The CopilotKit runtime for Python."""
