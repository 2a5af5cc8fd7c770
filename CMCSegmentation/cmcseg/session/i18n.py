"""The sentences of a window, in the reader's language where there is one.

Slicer's ``tr`` is handed on as it is: it looks a sentence up under the file that calls it, so a
function of ours around it would find nothing. Sentences are filled in after they were translated,
with named fields, which Slicer compares with those of the translation. Qt translates on any thread.
"""

try:
    from slicer.i18n import tr as _
except ImportError:  # the browser, scripts and tests read English

    def _(text: str) -> str:
        return text


__all__ = ["_"]
