"""A run's numbers as TensorBoard events, beside the CSV files that they come from."""

import csv
from pathlib import Path

from cmcseg.core.errors import BadInput

TABLES = {"losses.csv": "loss", "scores.csv": "dice"}
EVENTS = "events"


class Events:
    """Writes the rows that are new since the last time.

    Args:
        folder: of the run.

    Raises:
        BadInput: when the library that writes them is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise BadInput(
                "TensorBoard events need one more package; install it with: "
                "pip install 'cmcseg[events]'"
            ) from error
        self.last = dict.fromkeys(TABLES, 0)
        self.writer = SummaryWriter(str(folder / EVENTS), purge_step=0)

    def __call__(self, folder: Path) -> None:
        """Write what is new in the run's tables."""
        for name, kind in TABLES.items():
            if not (folder / name).exists():
                continue
            with (folder / name).open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    step = int(row.pop("step"))
                    if step <= self.last[name]:
                        continue
                    self.last[name] = step
                    for key, value in row.items():
                        if value:
                            tag = f"{kind}/{key}".replace(" ", "_")
                            self.writer.add_scalar(tag, float(value), step)
        self.writer.flush()
