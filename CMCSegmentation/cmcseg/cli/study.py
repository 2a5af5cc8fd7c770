"""``cmcseg study``: a grid of trainings into tables and figures."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from cmcseg.cli.console import ERRORS, SCREEN, bar
from cmcseg.core.user_path import user_path


@dataclass(frozen=True, kw_only=True)
class Study:
    """Train and test every cell of a grid; the same command goes on after an interruption."""

    study: Positional[Path]
    """A TOML file with cache, steps, seeds, recipes and labelled, and what else should vary."""
    out: Path
    """Folder of the study: study.csv (a row per cell), runs/, results.md and figures/."""
    page: Path | None = None
    """A Markdown file to write the results to as well, its figures into figures/ beside it."""

    def run(self) -> None:
        """Run what is missing; write the report after every cell."""
        from cmcseg.core.settings import TrainSettings
        from cmcseg.data.cache import open_cache
        from cmcseg.learn.recipe_notes import recipe_notes
        from cmcseg.study.plan import read_study
        from cmcseg.study.run import run_study
        from cmcseg.study.table import write_report

        study, out = read_study(user_path(self.study)), user_path(self.out)
        cache = open_cache(study.cache)
        for recipe in study.recipes:
            settings = TrainSettings(recipe=recipe, labelled=max(study.labelled))
            for sentence in recipe_notes(cache, settings):
                ERRORS.print(f"Note: {sentence}", soft_wrap=True, markup=False)
        initial = _weights_of(study.init) if study.init else None
        with bar() as report:
            run_study(study, out, report, finished=write_report, initial=initial)
        write_report(out)
        if self.page:
            write_report(out, user_path(self.page))
        SCREEN.print(f"Results: {self.page or out / 'results.md'}", soft_wrap=True)


def _weights_of(model: str) -> dict:
    """What is used of a model, by its name or folder: the learned weights of a corrected one."""
    from cmcseg.bundle.load import load_bundle
    from cmcseg.bundle.store import default_store
    from cmcseg.nets.domain_net import learned_weights

    return learned_weights(load_bundle(default_store().find(model)).network.state_dict())
