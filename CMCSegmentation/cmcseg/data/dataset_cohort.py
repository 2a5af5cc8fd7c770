"""A data set of others as the cohort of a model that is there already."""

from pathlib import Path

from cmcseg.core.card import ModelCard
from cmcseg.core.case import Cohort, Pair, Scan
from cmcseg.core.errors import BadInput
from cmcseg.data.dataset_folders import read_dataset_folder
from cmcseg.data.found import FoundData
from cmcseg.imaging.label_names import plain_name


def dataset_cohort(folder: Path, card: ModelCard) -> Cohort:
    """The cases of nnU-Net data sets, or of a Decathlon folder; what is kept back stays so.

    Args:
        folder: a data set, or holds some, one per role.
        card: gives the roles and the organs; a data set of one role fits a model of one role.

    Raises:
        BadInput: when there is none, its roles are not the model's, or values mean other organs.
    """
    data = read_dataset_folder(folder)
    if data is None:
        raise BadInput(f"{folder} holds no data set (a folder with dataset.json).")
    roles = _roles(data, card)
    known = {plain_name(label.name) for label in card.table}
    for value, name in data.names.items():
        if plain_name(name) not in known:
            raise BadInput(
                f"In {data.name} the value {value} means {name}; the model {card.name} knows "
                f"{', '.join(label.name for label in card.table)}."
            )
    parts: dict[bool, list[Pair]] = {False: [], True: []}
    for case in data.cases:
        scans = {
            roles[role]: Scan(role=roles[role], image=image, labels=case.labels.get(role))
            for role, image in case.images.items()
        }
        parts[bool(case.validation)].append(Pair(id=case.id, scans=scans))
    ignored = {} if data.unannotated is None else {data.unannotated: "ignore"}
    try:
        return Cohort(
            name=data.name,
            roles=card.roles,
            table=card.table,
            train=tuple(parts[False]),
            validation=tuple(parts[True]),
            unannotated=255 if data.unannotated is None else data.unannotated,
            names=data.names | ignored,
        )
    except ValueError as error:
        raise BadInput(f"{data.name}: {error}") from error


def _roles(data: FoundData, card: ModelCard) -> dict[str, str]:
    """The model's role of each role of the data set."""
    if set(data.roles) <= set(card.roles):
        return {role: role for role in data.roles}
    if len(data.roles) == len(card.roles) == 1:
        return {data.roles[0]: card.roles[0]}
    raise BadInput(
        f"{data.name} has the roles {', '.join(data.roles)}; those of the model {card.name} are "
        f"{', '.join(card.roles)}. Name the channels in its dataset.json so."
    )
