"""Which of the models per site learned from scans like the chosen ones: proposed, never chosen.

The shipped model says nothing of its scans, as it learned from many. So a model of a site is
proposed when the scans look like its own, and the one it came from when they do not.
"""

from collections.abc import Callable

from cmcseg.core.card import ModelCard
from cmcseg.core.scan_traits import (
    LOOKS_LIKE,
    ScanGroup,
    ScanTraits,
    distance,
    groups_from_dict,
    traits_of,
)
from cmcseg.core.volume import Volume
from cmcseg.session.i18n import _
from cmcseg.session.ports import Runner, Scene, volumes_of


class SiteProposal:
    """The line about models per site; the answer about an older choice is dropped.

    Scans are only looked at where there are such models.

    Args:
        scene, runner: as in the session.
        changed: called when an answer came.

    Attributes:
        sentence: what is proposed and why, or empty.
        action: of the button that follows the proposal.
        model: the name of the model that is proposed, or empty.
    """

    def __init__(self, scene: Scene, runner: Runner, changed: Callable[[], None]) -> None:
        self.sentence = self.action = self.model = ""
        self._scene, self._runner, self._changed = scene, runner, changed
        self._asked: tuple = ()  # what the line is, or will be, about

    def ask(
        self, card: ModelCard | None, cards: tuple[ModelCard, ...], scans: dict[str, str]
    ) -> None:
        """Ask about a choice, unless it is the one that is known.

        Args:
            card: the chosen model.
            cards: all models at hand.
            scans: key of the chosen scan by role.
        """
        akin = [other for other in cards if card and _is_akin(other, card)]
        infos = {scan.key: scan for scan in self._scene.scans()} if akin else {}
        usable = scans and all(key in infos and not infos[key].refusal for key in scans.values())
        if card is None or not usable or not any(scans_of(other) for other in akin):
            self._tell()
            self._asked = ()
            return
        grids = {role: self._scene.grid(key) for role, key in scans.items()}
        asked = (
            card.name,
            [(other.name, other.sha256) for other in akin],
            [(role, key, grids[role].shape, grids[role].spacing) for role, key in scans.items()],
        )
        if asked == self._asked:
            return
        self._tell()
        self._asked = asked
        chosen = card

        def read(volumes: dict[str, Volume]) -> None:
            self._runner.aside(
                lambda: {role: traits_of(volume) for role, volume in volumes.items()}, known, failed
            )

        def known(traits: dict[str, ScanTraits]) -> None:
            if self._asked == asked:
                self._tell(*proposed(chosen, akin, traits))
                self._changed()

        def failed(*_told: str) -> None:
            """The line stays empty until it is asked anew; Segment says what is wrong."""
            if self._asked == asked:
                self._asked = ()

        self._runner.steps(volumes_of(self._scene, dict(scans)), read, failed)

    def _tell(self, sentence: str = "", action: str = "", model: str = "") -> None:
        self.sentence, self.action, self.model = sentence, action, model


def proposed(
    card: ModelCard, akin: list[ModelCard], scans: dict[str, ScanTraits]
) -> tuple[str, str, str]:
    """What is proposed for some scans: a sentence, a button's words and a model's name, or empty.

    Args:
        card: the chosen model.
        akin: the models with the same scans and organs.
        scans: traits by role.
    """
    found = ((other, distance(scans_of(other), scans)) for other in akin)
    away = {other.name: far for other, far in found if far is not None}
    if not away:
        return "", "", ""
    named = {other.name: other for other in akin}
    own = away.get(card.name)
    nearest = min(away, key=lambda name: away[name])
    if away[nearest] <= LOOKS_LIKE and (own is None or away[nearest] < own):
        sentence = _("These scans look like those that '{title}' learned from.")
        return sentence.format(title=named[nearest].title), _("Use it"), nearest
    parent = named.get(_beside(card))
    if own is not None and own > LOOKS_LIKE and parent:
        sentence = _("These scans do not look like those that '{title}' learned from.")
        action = _("Use '{title}'").format(title=parent.title)
        return sentence.format(title=card.title), action, parent.name
    return "", "", ""


def scans_of(card: ModelCard) -> dict[str, ScanGroup]:
    """The scans that a model learned from last, by role; empty where its card does not say."""
    told = (groups_from_dict(record.get("scans")) for record in reversed(card.history))
    return next((groups for groups in told if groups), {})


def _beside(card: ModelCard) -> str:
    """The name of the model that a site's model was kept beside; empty for any other."""
    names = (str(record["beside"]) for record in reversed(card.history) if record.get("beside"))
    return next(names, "")


def _is_akin(one: ModelCard, other: ModelCard) -> bool:
    organs = [[(label.value, label.name) for label in card.table] for card in (one, other)]
    return one.roles == other.roles and organs[0] == organs[1]
