"""What a worker remembers from one request to the next."""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from cmcseg.bundle.store import Store, default_store

KEPT = 2  # models in memory at once: the one in use and the one it is compared with
KEPT_SCANS = 2  # that can be marked: the pair in hand


@dataclass(kw_only=True)
class ModelCache:
    """Models that are loaded, and how long the stages of the last segmentation took.

    Attributes:
        store: where models are looked up.
        folder: for files that go to the window.
        seconds: voxels and the stages of the last segmentation, by model.
        scans: what a model saw of the scans that are being marked, by the window's names.
    """

    store: Store = field(default_factory=default_store)
    folder: Path
    seconds: dict[str, tuple[int, dict[str, float]]] = field(default_factory=dict)
    scans: OrderedDict = field(default_factory=OrderedDict)
    _bundles: OrderedDict = field(default_factory=OrderedDict)

    def remember(self, name: str, memory: object) -> None:
        """Keep what a model saw of a scan, a ``ScanMemory``, and forget the oldest."""
        self.scans[name] = memory
        self.scans.move_to_end(name)
        while len(self.scans) > KEPT_SCANS:
            self.scans.popitem(last=False)

    def bundle(self, name: str):  # noqa: ANN201 - a Bundle, which needs torch to be named
        """A model, loaded at its first use and again when its weights have changed.

        Raises:
            BadInput: when there is no such model, or it does not load.
        """
        from cmcseg.bundle.load import load_bundle

        folder = self.store.find(name)
        key = (str(folder), self.store.card(name).sha256)
        if key not in self._bundles:
            self._bundles[key] = load_bundle(folder)
        self._bundles.move_to_end(key)
        while len(self._bundles) > KEPT:
            self._bundles.popitem(last=False)
        return self._bundles[key]
