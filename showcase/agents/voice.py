"""Voice: the page records, the runtime has the recording transcribed, and the text lands in the chat's input.

The runtime gets the service with `CopilotRuntime(transcription_service=...)`.
"""

from copilotkit_runtime_py import Recording, TranscriptionError, TranscriptionProblem
from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Turn, scripted


class ScriptedTranscription:
    """Stands for a speech model: it hears the same in every recording."""

    async def transcribe(self, recording: Recording) -> str:
        """Return what is said in a recording."""
        if len(recording.data) < 100:
            raise TranscriptionError(TranscriptionProblem.AUDIO_TOO_SHORT, "I have not heard anything.")
        return "How far is the moon?"


def answer(turn: Turn) -> str:
    """What a real model would come up with by itself."""
    return "About **384,000 km**: thirty times the Earth side by side."


transcription_service = ScriptedTranscription()
agent = ChatProvider(scripted(answer))
