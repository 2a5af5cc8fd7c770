"""``cmcseg train``: a cache into a model."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import SCREEN, bar, checked


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model from a cache; the same command goes on after an interruption."""

    recipe: Positional[str]
    """supervised, paper or best."""
    cache: Path
    """Made by 'cmcseg prepare'."""
    out: Path
    """Folder of the run: checkpoint, losses.csv, scores.csv, curves.png, and model/ at the end."""
    steps: int = 2000
    """Weight updates in all."""
    seed: int = 0
    """Decides initial weights, crops and augmentation."""
    labelled: float = 1.0
    """Share of the training scans whose labels are used."""
    minutes: float | None = None
    """Time to train for; the learning rate then falls with the time."""
    init: str | None = None
    """Name or folder of a model to start from; random weights when left out."""
    augment: float = 1.0
    """Strength of augmentation, 0 to 1; a last stretch with little of it sharpens the borders."""
    optimizer: str = "adamw"
    """adamw or muon."""
    rate: float = 2e-3
    """Highest learning rate; it falls to nothing by the end."""
    average: float = 0.995
    """Decay of the moving average of the weights, which is what the model gets."""
    paired: float = 0.3
    """Share of steps in which all windows show one subject."""
    phantoms: float = 0.15
    """Share of windows cut from rendered pairs, where the cache has any."""
    foreign: float = 0.15
    """Share of MR windows that are shown in the contrast of no sequence."""
    batch: int = 1
    """Windows of each scan in a step; the processes that torchrun starts share them."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""

    def run(self) -> None:
        """Train and write a bundle."""
        from cmcseg.bundle.pack import save_bundle
        from cmcseg.core.settings import TrainSettings
        from cmcseg.data.cache import open_cache
        from cmcseg.learn.distributed import gather
        from cmcseg.learn.loop import fit
        from cmcseg.report.training_plot import draw_curves

        settings = checked(
            TrainSettings,
            recipe=self.recipe,
            steps=self.steps,
            seed=self.seed,
            labelled=self.labelled,
            minutes=self.minutes,
            augment=self.augment,
            optimizer=self.optimizer,
            rate=self.rate,
            average=self.average,
            paired=self.paired,
            phantoms=self.phantoms,
            foreign=self.foreign,
            batch=self.batch,
            device=self.device,
        )
        cache = open_cache(self.cache)
        processes = gather(settings.device)
        with bar(quiet=not processes.first) as report:
            state = fit(
                cache,
                settings,
                self.out,
                initial=weights_of(self.init),
                report=report,
                checked=draw_curves,
                processes=processes,
            )
        if processes.first:
            save_bundle(state.average, cache.card, self.out / "model", replace=True)
            SCREEN.print(f"Model: {self.out / 'model'}", soft_wrap=True)


def weights_of(model: str | None) -> dict | None:
    """The weights of a model, by its name or folder; None for None."""
    from cmcseg.bundle.load import load_bundle
    from cmcseg.bundle.store import default_store

    return None if model is None else load_bundle(default_store().find(model)).network.state_dict()
