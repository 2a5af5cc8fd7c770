"""``cmcseg batch``: every pair of a folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN, bar, checked
from cmcseg.core.counted import counted
from cmcseg.core.errors import BadInput, CMCSegError
from cmcseg.core.user_path import user_path


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Segment every pair of a folder, on several processes or on a Ray cluster.

    What is done is not done again: start the same command once more after whatever ended it.
    """

    source: Positional[Path]
    """A folder of NAME_ROLE.nii.gz files, or of folders NAME with ROLE.nii.gz or a DICOM folder
    ROLE in them; or a JSON datalist."""
    model: str
    """Name of a model or its folder."""
    out: Path
    """Folder for a folder a pair, batch.csv and batch.html."""
    jobs: int = 1
    """Pairs at a time, each in a process of its own."""
    ray: str = ""
    """Address of a Ray cluster (auto, HOST:PORT or ray://HOST:PORT) that does the work instead."""
    cpus: int = 1
    """Processors that a pair takes on the cluster."""
    gpus: float = 0.0
    """GPUs that a pair takes on the cluster; 0.5 lets two pairs share one."""
    align: str = "auto"
    """auto, none or rigid."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""

    def run(self) -> None:
        """List, work, say what came of it."""
        from cmcseg.batch.run import run_batch
        from cmcseg.bundle.load import load_bundle
        from cmcseg.bundle.store import default_store
        from cmcseg.core.settings import SegmentSettings

        if self.jobs < 1 or self.cpus < 1 or self.gpus < 0:
            raise BadInput("Jobs and processors are whole numbers from 1 on, GPUs from 0 on.")
        settings = checked(SegmentSettings, align=self.align, device=self.device)
        bundle = load_bundle(default_store().find(self.model))
        threads = self.cpus if self.ray else max(1, (os.cpu_count() or 1) // self.jobs)
        with bar() as report:
            table = run_batch(
                user_path(self.source),
                user_path(self.out),
                bundle.folder,
                bundle.card,
                settings,
                self._engine(),
                threads=threads,
                report=report,
            )
        done, failed = len(table.outcomes), len(table.failed)
        told = counted(done - failed, "pair is", "pairs are")
        SCREEN.print(f"{told} done: {self.out / 'batch.html'}", soft_wrap=True)
        if failed:
            raise CMCSegError(f"{failed} of {counted(done, 'pair')} failed; batch.html says why.")

    def _engine(self):  # noqa: ANN202
        if self.ray:
            from cmcseg.batch.cluster import Cluster

            return Cluster(self.ray, self.cpus, self.gpus)
        from cmcseg.batch.processes import Processes

        return Processes(self.jobs)
