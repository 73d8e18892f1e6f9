"""The animals of CrewAI. It changes the process that imports it, so they are tested in one of their own."""
