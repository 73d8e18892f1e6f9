"""The start path that CopilotKit's plan names; everything real is in `copilotkit_runtime_py`."""
