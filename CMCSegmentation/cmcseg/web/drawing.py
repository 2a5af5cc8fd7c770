"""Whether this computer can draw without a screen, and with which of VTK's windows."""

import os
import subprocess
import sys
from functools import cache

WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"  # VTK has no other way to be told
SECONDS = 120.0  # a busy machine, its first import of VTK
# Where VTK finds no library to draw with it ends the process, so a child is asked.
PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

window, renderer, pixels = vtkRenderWindow(), vtkRenderer(), vtkUnsignedCharArray()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
renderer.SetBackground(0, 1, 0)
window.AddRenderer(renderer)
window.Render()
window.GetPixelData(0, 0, 7, 7, 0, pixels, 0)
print("green" if (pixels.GetValue(0), pixels.GetValue(1)) == (0, 255) else "black")
"""


@cache
def can_draw() -> bool:
    """Whether VTK draws a green square off-screen; takes about a second, once in a process.

    Under Linux VTK is told to draw by EGL where that works: with its X windows a key that it takes
    for "exit" ends a server without a screen.
    """
    windows = ["vtkEGLRenderWindow"] if sys.platform == "linux" else []
    for window in (*windows, os.environ.get(WINDOW, "")):
        if _draws({**os.environ, WINDOW: window} if window else dict(os.environ)):
            if window:
                os.environ[WINDOW] = window
            return True
    return False


def _draws(environment: dict[str, str]) -> bool:
    words = [sys.executable, "-I", "-c", PROBE]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and done.stdout.split() == ["green"]
