"""The long form: ``python Testing/fuzz/run.py TARGET SECONDS`` looks for inputs that break one.

With atheris (``pip install atheris``, Linux and macOS) the search is guided by the lines of Python
that an input reaches; without it, damages are drawn by chance. An input that raised anything, took
longer than 10 seconds or more memory than 512 MB is written beside the command and told.
"""

import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "helpers", HERE.parents[1] / "CMCSegmentation"):
    sys.path.insert(0, str(folder))

SLOW = 10.0  # seconds
ROOM = 512 << 20  # bytes beyond what the program has when it starts; the inputs are tiny


def limited() -> None:
    """Refuse what asks for far more memory than these inputs honestly need."""
    if sys.platform == "linux":
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + ROOM, resource.RLIM_INFINITY))


def asked(name: str, data: bytes) -> None:
    """Give a reader an input; keep it when it breaks."""
    from targets import TARGETS

    began = time.monotonic()
    try:
        TARGETS[name].ask(data)
        if time.monotonic() - began > SLOW:
            raise TimeoutError(f"{time.monotonic() - began:.1f} s")
    except BaseException:
        Path(f"broken-{name}.bin").write_bytes(data)
        raise


def by_chance(name: str, seconds: float) -> int:
    """Damaged inputs until the time is over; how many there were."""
    from mutate import mutated
    from targets import TARGETS

    dice, count, until = random.Random(time.time()), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        asked(name, mutated(dice.choice(TARGETS[name].seeds), dice))
        count += 1
    return count


def guided(name: str, seconds: int) -> None:
    """Let atheris search; it ends the program itself."""
    import tempfile

    import atheris

    with atheris.instrument_imports(include=["cmcseg", "pydicom"]):
        from targets import TARGETS
    corpus = Path(tempfile.mkdtemp())
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / str(number)).write_bytes(seed)
    limited()
    options = [f"-max_total_time={seconds}", "-max_len=20000", "-rss_limit_mb=0", "-timeout=10"]
    atheris.Setup([sys.argv[0], str(corpus), *options], lambda data: asked(name, bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    target, wanted = sys.argv[1], int(sys.argv[2])
    try:
        guided(target, wanted)
    except ModuleNotFoundError as error:
        if error.name != "atheris":
            raise
        limited()
        told = f"{target}: {by_chance(target, wanted)} inputs by chance, none broke the reader\n"
        sys.stdout.write(told)
