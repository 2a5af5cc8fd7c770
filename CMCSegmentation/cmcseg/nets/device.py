"""Where to compute."""

import platform
import re
from contextlib import AbstractContextManager, nullcontext

import torch

from cmcseg.core.errors import BadInput

# Only CUDA's allocator raises torch.OutOfMemoryError; MPS, cuDNN, cuBLAS and the CPU's allocator
# (on Linux and on Windows) raise RuntimeError with these words.
OUT_OF_MEMORY = ("out of memory", "alloc_failed", "can't allocate memory", "not enough memory")


def pick_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is CUDA, then Apple's MPS, then the CPU.

    Raises:
        BadInput: for an unknown name, or a device that this machine or this torch lacks.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise BadInput(f"The device {name!r} is not one of auto, cpu, cuda, cuda:N, mps.")
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name.partition(":")[2] or 0) >= count:
            raise BadInput(
                f"The device {name} is not there: torch {torch.__version__} sees {count} CUDA "
                "devices. Use --device auto or cpu."
            )
    if name == "mps" and not torch.backends.mps.is_available():
        raise BadInput("The device mps is not there. Use --device auto or cpu.")
    return torch.device(name)


def processor_name(device: torch.device) -> str:
    """What computes there, in words for tables and cards."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"


def inference_type(device: torch.device) -> torch.dtype:
    """In which numbers the network is run: half precision where the device computes with it."""
    if device.type == "cuda":
        return torch.float16
    return training_type(device)


def training_type(device: torch.device) -> torch.dtype:
    """In which numbers the network is trained; bfloat16 has the range that gradients need."""
    if device.type == "cuda" or (device.type == "cpu" and computes_bfloat16()):
        return torch.bfloat16
    return torch.float32


def reduced(device: torch.device, kind: torch.dtype) -> AbstractContextManager:
    """A context in which the network computes in numbers of that kind; float32 changes nothing."""
    if kind == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=kind)


def computes_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself (AVX512-BF16 or AMX), as it says.

    Others can only imitate it, which is slower than single precision. A torch that cannot ask the
    processor counts as no.
    """
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out, in any of torch's wordings."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in OUT_OF_MEMORY)


def free_memory(device: torch.device) -> None:
    """Give back what the failed work left in the allocator's cache."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if device.type == "mps":
        torch.mps.empty_cache()
