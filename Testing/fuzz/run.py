"""The long form: ``python Testing/fuzz/run.py SECONDS [READER...]`` looks for what breaks one.

Each reader is fuzzed in a process of its own, one after another, and a table is printed as
``docs/reading.md`` shows it. The seconds are those that the reader computes, so that a busy machine
costs patience alone; a process that is ended early (SIGTERM) tells of what it did. With atheris
(``pip install atheris``, Linux and macOS) the search is guided by the lines of Python that an input
reaches; without it, damages are drawn by chance. An input that raised anything, computed longer
than 10 seconds, or asked for more than twice its honest need of memory is kept as
``broken-READER.bin`` in the current folder.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "helpers", HERE.parents[1] / "CMCSegmentation"):
    sys.path.insert(0, str(folder))

LONGEST = 20_000  # bytes of an input
SLOW = 10.0  # seconds of computing; a machine may be busy with other things
# What an input of that length may honestly take, twice: voxels as float64 and a copy of them, and
# the threads that a library starts.
ROOM = 64 << 20  # bytes beyond what the process has when it is asked
# Threads would cost more than such small scans do.
ALONE = {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "OMP_NUM_THREADS": "1"}
TOLD = re.compile(r"(\d+) s, (\d+) inputs, slowest ([\d.]+) s")


def limited() -> None:
    """Refuse what asks for far more memory than these inputs honestly need."""
    if sys.platform == "linux":
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + ROOM, resource.RLIM_INFINITY))


class Reader:
    """One reader under fuzzing: counts what it was asked, keeps what broke it."""

    def __init__(self, name: str, seconds: float) -> None:
        from targets import TARGETS

        self.name, self.target, self.seconds = name, TARGETS[name], seconds
        self.count, self.slowest = 0, 0.0
        for seed in self.target.seeds:  # libraries take their memory now
            self.target.ask(seed)
        self.began = time.process_time()
        signal.signal(signal.SIGTERM, lambda *_: self.end())

    @property
    def used(self) -> float:
        """Seconds computed so far."""
        return time.process_time() - self.began

    def asked(self, data: bytes) -> None:
        """Give an input; keep it when it breaks."""
        limited()
        began = time.process_time()
        try:
            self.target.ask(data)
            took = time.process_time() - began
            if took > SLOW:
                raise TimeoutError(f"{took:.1f} s")
        except BaseException:
            Path(f"broken-{self.name}.bin").write_bytes(data)
            raise
        self.count, self.slowest = self.count + 1, max(self.slowest, took)

        if self.used > self.seconds:
            self.end()

    def end(self) -> None:
        """Tell for the table what was tried; atheris itself ends without a word to Python."""
        told = f"{self.used:.0f} s, {self.count} inputs, slowest {self.slowest:.2f} s"
        sys.stdout.write(told + "\n")
        sys.stdout.flush()
        os._exit(0)


def by_chance(name: str, seconds: float) -> None:
    """Damaged inputs until the time is over."""
    from mutate import mutated

    reader, dice = Reader(name, seconds), random.Random(time.time())
    while True:
        reader.asked(mutated(dice.choice(reader.target.seeds), dice)[:LONGEST])


def guided(name: str, seconds: float) -> None:
    """Let atheris search until the time is over."""
    import tempfile

    import atheris

    with atheris.instrument_imports(include=["cmcseg", "pydicom"]):
        reader = Reader(name, seconds)
    corpus = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for number, seed in enumerate(reader.target.seeds):
        (corpus / str(number)).write_bytes(seed)
    # The fuzzer's own limit is on the clock: for what hangs without computing.
    options = [f"-max_len={LONGEST}", "-rss_limit_mb=0", "-timeout=300", "-handle_term=0"]
    atheris.Setup([sys.argv[0], str(corpus), *options], lambda data: reader.asked(bytes(data)))
    atheris.Fuzz()


def one(name: str, seconds: float) -> None:
    """Fuzz one reader in this process."""
    try:
        guided(name, seconds)
    except ModuleNotFoundError as error:
        if error.name != "atheris":
            raise
        by_chance(name, seconds)


def row(name: str, seconds: float) -> tuple[str, bool]:
    """A reader's line of the table, and whether it held; what broke it is printed as it came."""
    command = [sys.executable, __file__, "--one", name, str(seconds)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, **ALONE},
    )
    told = TOLD.search(done.stdout)
    if done.returncode or not told:
        sys.stderr.write(done.stdout + done.stderr)
        return f"| {name} | | | | broken-{name}.bin |", False
    return f"| {name} | {told[1]} | {int(told[2]):,} | {told[3]} | none |", True


def main(seconds: float, names: list[str]) -> int:
    """Print the table; 1 if a reader broke."""
    from targets import TARGETS

    sys.stdout.write("| reader | computed, s | inputs | slowest, s | broke it |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    broken = 0
    for name in names or TARGETS:
        line, held = row(name, seconds)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        broken += not held
    return 1 if broken else 0


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(sys.argv[2], float(sys.argv[3]))
    else:
        sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
