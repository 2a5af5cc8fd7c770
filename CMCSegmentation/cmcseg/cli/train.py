"""``cmcseg train``: a cache into a model."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import ERRORS, SCREEN, bar, checked


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model from a cache; the same command goes on after an interruption."""

    recipe: Positional[str]
    """supervised, paper or best."""
    cache: Path
    """Made by 'cmcseg prepare'."""
    out: Path
    """Folder of the run: checkpoint, losses.csv, scores.csv, curves.png, and model/ at the end."""
    name: str = ""
    """How commands will call the model; the task's own name when left out."""
    steps: int = 2000
    """Weight updates in all; with more of them a finished run goes on."""
    check_every: int = 50
    """Steps between two checkpoints."""
    check_minutes: float = 5.0
    """Minutes after which a checkpoint is written all the same."""
    validate_every: int = 500
    """Steps between two looks at the validation cases; 0 looks at the end only."""
    validate_minutes: float | None = None
    """Minutes after which they are looked at all the same."""
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
        from cmcseg.bundle.verify import check_name
        from cmcseg.core.settings import TrainSettings
        from cmcseg.data.cache import open_cache
        from cmcseg.learn.distributed import gather
        from cmcseg.learn.loop import fit
        from cmcseg.learn.recipe_notes import recipe_notes
        from cmcseg.report.training_plot import draw_curves

        names = {option.name for option in fields(TrainSettings)}
        values = {name: value for name, value in vars(self).items() if name in names}
        settings = checked(TrainSettings, **values)
        cache = open_cache(self.cache)
        card = replace(cache.card, name=check_name(self.name or cache.card.name))
        processes = gather(settings.device)
        for sentence in recipe_notes(cache, settings) if processes.first else ():
            ERRORS.print(f"Note: {sentence}", soft_wrap=True, markup=False)
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
            save_bundle(state.average, card, self.out / "model", replace=True)
            SCREEN.print(f"Model: {self.out / 'model'}", soft_wrap=True)


def weights_of(model: str | None) -> dict | None:
    """The weights of a model, by its name or folder; None for None."""
    from cmcseg.bundle.load import load_bundle
    from cmcseg.bundle.store import default_store

    return None if model is None else load_bundle(default_store().find(model)).network.state_dict()
