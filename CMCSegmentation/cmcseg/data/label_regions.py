"""The table of labels of a data set, as nnU-Net, Decathlon and MONAI write it: values by name.

Either way round, and with regions (several values for a name, which may overlap) as in nnU-Net:

    {"0": "background", "1": "spleen"}        {"background": 0, "spleen": 1, "ignore": 5}
    {"background": 0, "whole tumour": [1, 2, 3], "core": [2, 3], "enhancing": 3}
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cmcseg.core.errors import BadInput
from cmcseg.imaging.label_names import IGNORED


@dataclass(frozen=True, kw_only=True)
class LabelTableOfFile:
    """What values mean in files.

    Attributes:
        names: of values above 0; values of one region share a name.
        ignored: the value of voxels that nobody looked at; None when there is none.
        note: how overlapping regions were told apart; empty when none overlap.
    """

    names: dict[int, str]
    ignored: int | None = None
    note: str = ""


def read_label_table(content: object, where: str, order: object = None) -> LabelTableOfFile:
    """Read such a table.

    Where regions overlap, a value belongs to the last of them in ``order``, as it does when
    nnU-Net writes its result; without an order, to the smallest.

    Args:
        content: as the JSON has it.
        where: what errors call the file.
        order: nnU-Net's ``regions_class_order``.

    Raises:
        BadInput: when it is no such table.
    """
    regions: dict[str, list[int]] = {}
    try:
        for one, other in dict(content or {}).items():  # type: ignore[call-overload]
            values, name = (one, other) if isinstance(other, str) else (other, one)
            numbers = values if isinstance(values, list | tuple) else [values]
            regions.setdefault(str(name), []).extend(int(number) for number in numbers)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f'{where}: \'labels\' must give each value a name, as in {{"1": "liver"}} or '
            '{"liver": 1}, or a name its values, as in {"kidneys": [2, 3]}.'
        ) from error
    ignored = next((v[0] for name, v in regions.items() if name.casefold() in IGNORED), None)
    kept = {
        name: [value for value in values if value]
        for name, values in regions.items()
        if name.casefold() not in IGNORED and any(values)
    }
    names: dict[int, str] = {}
    for name in _painted(kept, order):
        names |= dict.fromkeys(kept[name], name)
    shared = [name for name, values in kept.items() if any(names[v] != name for v in values)]
    if gone := sorted(set(kept) - set(names.values())):
        raise BadInput(
            f"{where}: the region {gone[0]} is wholly made of other regions; leave it out."
        )
    note = (
        f"The regions overlap; organs of one model do not, so {', '.join(shared)} will be what "
        "lies in none of the smaller ones."
        if shared
        else ""
    )
    return LabelTableOfFile(names=dict(sorted(names.items())), ignored=ignored, note=note)


def _painted(regions: Mapping[str, list[int]], order: object) -> list[str]:
    """The regions in the order in which one is painted over the other."""
    sizes = sorted(regions, key=lambda name: -len(regions[name]))
    if not isinstance(order, list) or len(order) != len(regions):
        return sizes
    return list(regions)  # nnU-Net paints them in the order of the file
