"""What a segmentation says about its own scan: another region, or a patient who is mirrored.

Every sentence is a doubt, never a refusal: organs may lie the other way round in truth.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from cmcseg.core.boxes import Box, nonzero_box
from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.core.uncertainty import DOUBTFUL
from cmcseg.core.volume import Volume

# Share of what was found that is in doubt. Hearts given to the abdominal model: 0.56 to 0.74; scans
# of the region, small and coarse ones included: up to 0.40 (docs/decisions/212).
MOSTLY = 0.5
# Share in doubt from which a look in the mirror is worth its time; what a scan of the region leaves
# in doubt at most; how many times less that must be than as the scan lies (docs/decisions/291).
UNSURE, SURE, CLEARER = 0.12, 0.15, 1.5
LEAST_ML = 1.0  # an organ of which less was found says nothing of its place
LIVER, SPLEEN = "10200004", "78961009"  # SNOMED CT
RIGHT, LEFT = "24028007", "7771000"


def has_sides(table: LabelTable) -> bool:
    """Whether some organs lie to the right of others, so that a mirror shows."""
    return bool(_sides(table))


def is_unsure(share: float) -> bool:
    """Whether so much of what was found is in doubt that a mirror may be the reason."""
    return UNSURE < share <= MOSTLY


def spleen_is_larger(table: LabelTable, sizes: Sequence[float]) -> bool:
    """Whether more spleen than liver was found, as in a mirror, or where the spleen is ill.

    Args:
        table: the organs.
        sizes: by value, in any unit.
    """
    coded = {label.code.value: label.value for label in table if label.code}
    liver, spleen = coded.get(LIVER), coded.get(SPLEEN)
    return liver is not None and spleen is not None and sizes[spleen] > sizes[liver] > 0


def anatomy_warnings(
    labels: LabelMap, doubt: Volume, title: str, mirrored: tuple[float, float] | None = None
) -> list[str]:
    """Sentences about one scan.

    Args:
        labels: what was found.
        doubt: 0 to 1, on the same grid.
        title: what the sentences call the scan.
        mirrored: shares in doubt on the network's grid, as the scan lies and in a mirror; None
            when there was no reason to look.
    """
    box = nonzero_box(labels.array)
    if box is None:
        return [f"No organ was found in the {title} scan. {_REGION}"]
    found = labels.array[box] > 0
    doubtful = np.count_nonzero(found & (doubt.array[box] > DOUBTFUL))
    share = doubtful / np.count_nonzero(found)
    told = []
    if share > MOSTLY:
        told.append(f"{share:.0%} of what was found in the {title} scan is in doubt. {_REGION}")
    if mirror := _mirrored(labels, box, mirrored) or _clearer(mirrored):
        told.append(f"In the {title} scan {mirror}. Does its header mirror the patient?")
    return told


_REGION = "Does it show the region the model is made for?"


def _mirrored(labels: LabelMap, box: Box, mirrored: tuple[float, float] | None) -> str:
    """What lies, or is sized, as in a mirror; else empty."""
    places, volumes = _sideways(labels, box), labels.volumes_ml()
    for right, left in _sides(labels.table):
        if right.name in places and left.name in places and places[right.name] < places[left.name]:
            return f"the {right.name} lies to the left of the {left.name}"
    coded = {label.code.value: label.name for label in labels.table if label.code}
    liver, spleen = coded.get(LIVER), coded.get(SPLEEN)
    # A model that knows where organs lie looks for the liver on the right and finds it in what is
    # there, so that in a mirror the sizes change places. Some spleens are as large in truth: those
    # scans leave more in doubt in a mirror.
    ill = mirrored is not None and mirrored[1] >= mirrored[0]
    if spleen in places and liver in places and volumes[spleen] > volumes[liver] and not ill:
        return f"the {spleen} is larger than the {liver}"
    return ""


def _clearer(mirrored: tuple[float, float] | None) -> str:
    """That a mirror image leaves far less doubt; else empty."""
    if mirrored is None or mirrored[1] > min(SURE, mirrored[0] / CLEARER):
        return ""
    shares = "{:.0%} of what was found is in doubt, and in a mirror {:.0%} would be"
    return shares.format(*mirrored)


def _sides(table: LabelTable) -> list[tuple[Label, Label]]:
    """Organs of which the first lies to the right of the second."""
    pairs = []
    for one, other in combinations(table, 2):
        for right, left in ((one, other), (other, one)):
            sides = [label.side.value if label.side else "" for label in (right, left)]
            codes = [label.code.value if label.code else "" for label in (right, left)]
            named = right.name.removeprefix("right ") == left.name.removeprefix("left ")
            if sides == [RIGHT, LEFT] or codes == [LIVER, SPLEEN] or (named and right != left):
                pairs.append((right, left))
    return pairs


def _sideways(labels: LabelMap, box: Box) -> dict[str, float]:
    """RAS x in mm of the middle of every organ of which enough was found."""
    least = max(1, round(LEAST_ML / labels.grid.voxel_ml))
    places = {}
    for label in labels.table:
        mask = labels.array[box] == label.value
        count = int(np.count_nonzero(mask))
        if count < least:
            continue
        counts = [mask.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
        middle = [
            cut.start + float(np.arange(len(one)) @ one) / count
            for cut, one in zip(box, counts, strict=True)
        ]
        places[label.name] = float(labels.grid.world(np.array(middle))[0])
    return places
