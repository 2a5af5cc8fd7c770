"""A label map as text, a plane at a time: small enough for an attribute of a node.

Organs are solid, so a label map shrinks to a fiftieth or less. As text it is saved with every form
of scene, where Slicer 5.10 leaves hidden nodes out of a scene that is saved file by file.
"""

import base64
import zlib

import numpy as np

from cmcseg.core.errors import BadInput
from cmcseg.core.steps import Steps
from cmcseg.session.i18n import _

FAST = 1  # of zlib's levels; the best one takes ten times as long for a few per cent


def packed(array: np.ndarray) -> Steps[str]:
    """``(I, J, K)`` uint8 as text without white space or XML's own characters."""
    work = zlib.compressobj(FAST)
    parts = []
    for k in range(array.shape[2]):
        parts.append(work.compress(array[:, :, k].tobytes(order="F")))
        yield
    parts.append(work.flush())
    return base64.urlsafe_b64encode(b"".join(parts)).decode("ascii")


def unpacked(text: str, shape: tuple[int, int, int]) -> Steps[np.ndarray]:
    """Inverse of ``packed``.

    Raises:
        BadInput: when the text is no label map of that shape.
    """
    out = np.empty(shape, dtype=np.uint8, order="F")
    size = shape[0] * shape[1]
    work = zlib.decompressobj()
    try:
        rest = base64.urlsafe_b64decode(text)
        for k in range(shape[2]):
            plane = work.decompress(rest, size)
            rest = work.unconsumed_tail
            out[:, :, k] = np.frombuffer(plane, dtype=np.uint8).reshape(shape[:2], order="F")
            yield
    except (ValueError, zlib.error) as error:
        sentence = _("What the model found is damaged in this scene; segment the scan again.")
        raise BadInput(sentence) from error
    return out
