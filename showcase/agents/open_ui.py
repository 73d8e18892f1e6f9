"""Open generative UI: the model writes an HTML document, which runs in a sandboxed frame of the page.

The runtime offers `generateSandboxedUi` with `CopilotRuntime(open_generative_ui=True)`.
"""

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Call, Turn, call, scripted

CSS = """
body { margin: 0; padding: 24px; font: 16px system-ui; background: #10243c; color: #f2f6fb; }
h2 { margin: 0 0 4px; font-weight: 600; }
output { display: block; margin: 12px 0; font-size: 56px; font-weight: 300; }
input { width: 100%; accent-color: #ffb347; }
button { margin-top: 16px; padding: 9px 18px; border: 0; border-radius: 9px; background: #ffb347; }
"""
HTML = """
<h2>Brew time</h2>
<label for="grams">Grams of coffee</label>
<output id="time">3:00</output>
<input id="grams" type="range" min="10" max="40" value="20">
<button id="save">Keep this recipe</button>
"""
SCRIPT = """
const grams = document.getElementById("grams"), time = document.getElementById("time");
grams.addEventListener("input", () => {
  const seconds = 9 * grams.value;
  time.textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
});
document.getElementById("save").addEventListener("click", () =>
  Websandbox.connection.remote.keepRecipe({ grams: Number(grams.value), time: time.textContent }));
"""


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if turn.results:
        return "Move the slider; the page keeps the recipe that you like."
    return call(
        "generateSandboxedUi",
        initialHeight=260,
        placeholderMessages=["Grinding the beans…", "Heating the water…"],
        css=CSS,
        html=HTML,
        jsFunctions="",
        jsExpressions=[SCRIPT],
    )


agent = ChatProvider(scripted(answer, delay=0.02))
