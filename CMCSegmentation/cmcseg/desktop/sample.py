"""Synthetic pairs for Slicer's Sample Data module: made on this computer, not downloaded."""

import os
import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from cmcseg.desktop.interpreter import python, run
from cmcseg.session.process_runner import with_ourselves

CATEGORY = "CMCSeg"
PAIRS = {  # what the Sample Data module calls a pair: its task, and the name of its scan by role
    "CMCSegAbdomen": ("abdomen", {"ct": "Phantom CT", "mr": "Phantom MR"}),
    "CMCSegHeart": ("heart", {"bssfp": "Phantom bSSFP", "lge": "Phantom LGE"}),
}
SECONDS = 300.0  # a pair takes ten or so


def register(picture: Path) -> None:
    """Offer the pairs in the Sample Data module.

    Args:
        picture: shown on the buttons.
    """
    import SampleData

    for name, (_task, titles) in PAIRS.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            # Its fields must be as many as there are nodes, though nothing is fetched.
            uris=[""] * len(titles),
            fileNames=[f"{role}.nii.gz" for role in titles],
            nodeNames=list(titles.values()),
            thumbnailFileName=str(picture),
            customDownloader=lambda source: load(source.sampleName),
        )


def load(name: str) -> list:
    """Make a pair and load it; a refusal is shown, then raised."""
    told = slicer.util.tryWithErrorDisplay(_("The sample could not be made."), waitCursor=True)
    with told, tempfile.TemporaryDirectory() as folder:
        make(name, Path(folder) / "pair")
        return list(load_pair(name, Path(folder) / "pair").values())


def make(name: str, folder: Path) -> None:
    """Write ``ROLE.nii.gz`` and ``ROLE_truth.nii.gz`` for each scan of a pair.

    Raises:
        CMCSegError: when the packages are not installed, say.
    """
    task, _titles = PAIRS[name]
    command = [python(), "-m", "cmcseg", "sample", str(folder), "--task", task]
    run(command, with_ourselves(dict(os.environ)), SECONDS)


def load_pair(name: str, folder: Path) -> dict:
    """The volume node by role of a pair that was written."""
    _task, titles = PAIRS[name]
    nodes = {}
    for role, title in titles.items():
        node = slicer.util.loadVolume(str(folder / f"{role}.nii.gz"), {"name": title})
        # The file is temporary; Slicer asks for a place of the user's when the scene is saved.
        if storage := node.GetStorageNode():
            slicer.mrmlScene.RemoveNode(storage)
        nodes[role] = node
    return nodes
