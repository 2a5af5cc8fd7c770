"""Read a legacy ``.pth`` checkpoint and write its numbers as safetensors: a program of its own.

``legacy SOURCE OUT MEMORY SECONDS``. A ``.pth`` file is a pickle, and a pickle is a program. Torch
reads tensors and plain containers only; the few other classes that training scripts leave in
checkpoints become empty stand-ins. Anything else is refused by name. This program is started for
one file and ends, without network, other programs, or more than MEMORY bytes and SECONDS, so that
whatever a file does to it stays here.
"""

import pickle
import re
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from cmcseg.core.sandbox import confine

# Under these names official checkpoints keep their weights; else the file is the weights.
PLACES = ("model_state_dict", "state_dict", "net", "model")
# Harmless classes found beside the weights: settings and scores of the training.
STAND_INS = (
    "argparse.Namespace",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
)
SAFE_TORCH = (2, 10)  # before it, weights_only could be tricked (CVE-2025-32434, CVE-2026-24747)
TOO_LARGE = "it unfolds to far more than a checkpoint of its size holds"


class _StandIn:
    """Takes the place of an object; holds nothing."""

    def __new__(cls, *_: object) -> "_StandIn":
        return super().__new__(cls)

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def main(source: Path, out: Path) -> None:
    """Write the tensors of the checkpoint; leave with one sentence on stderr when it cannot be."""
    version = tuple(int(n) for n in torch.__version__.split(".")[:2])
    if version < SAFE_TORCH:
        sys.exit(f"torch {torch.__version__} does not read such files safely; 2.10 or newer does")
    torch.serialization.add_safe_globals([(_StandIn, name) for name in STAND_INS])
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        stranger = re.search(r"GLOBAL (\S+)", str(error))
        if stranger:
            sys.exit(f"it holds a program ({stranger[1]}) besides numbers, which was not run")
        sys.exit("it is not a checkpoint of PyTorch")
    except MemoryError:
        sys.exit(TOO_LARGE)
    except (EOFError, OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
        if "allocate memory" in str(error):  # torch's own words for it
            sys.exit(TOO_LARGE)
        sys.exit(f"it is damaged or not a checkpoint of PyTorch ({type(error).__name__})")
    save_file(_tensors(content), out)


def _tensors(content: object) -> dict[str, torch.Tensor]:
    for place in PLACES:
        if isinstance(content, dict) and isinstance(content.get(place), dict):
            content = content[place]
    tensors = {
        str(name): value.detach().clone().contiguous()
        for name, value in (content.items() if isinstance(content, dict) else ())
        if isinstance(value, torch.Tensor)
    }
    if not tensors:
        sys.exit("it holds no named tensors")
    return tensors


if __name__ == "__main__":
    confine(int(sys.argv[3]), int(sys.argv[4]))
    main(Path(sys.argv[1]), Path(sys.argv[2]))
