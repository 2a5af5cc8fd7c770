"""Folders as strangers have them: phantoms in nnU-Net's layout, and pairs by their names."""

import json

from cmcseg.core.labelmap import Label, LabelMap, LabelTable
from cmcseg.imaging.files import read_label_map, write_label_map
from tiny import tiny_card, tiny_pairs

OWN = {1: 6, 4: 1}  # liver and spleen as this data set has them


def an_nnunet_folder(folder, cases=3):
    """CTs in nnU-Net's layout whose label maps hold the values 6 (liver) and 1 (spleen)."""
    (folder / "files").mkdir()
    place = folder / "Dataset700_Belly"
    for name in ("imagesTr", "labelsTr"):
        (place / name).mkdir(parents=True)
    table = tiny_card().table
    names = (Label(value=value, name=f"value {value}", color="#000000") for value in range(1, 7))
    wide = LabelTable(labels=tuple(names))
    for case in tiny_pairs(folder / "files", cases):
        image = folder / "files" / case["ct"]
        image.rename(place / "imagesTr" / f"{case['id']}_0000.nii.gz")
        drawn = read_label_map(folder / "files" / case["ct_labels"], table)
        values = sum((drawn.array == old) * new for old, new in OWN.items()).astype("uint8")
        labels = LabelMap(array=values, grid=drawn.grid, table=wide)
        write_label_map(labels, place / "labelsTr" / f"{case['id']}.nii.gz")
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 6, "spleen": 1}}
    (place / "dataset.json").write_text(json.dumps({**content, "file_ending": ".nii.gz"}))
    return place


def a_heart_folder(folder, labelled=2, unlabelled=2):
    """Pairs NN_bssfp and NN_lge, some of them without labels."""
    (folder / "files").mkdir()
    place = folder / "heart"
    for name in ("images", "labels"):
        (place / name).mkdir(parents=True)
    # Boxes of four organs; the heart's card knows three.
    for number, case in enumerate(tiny_pairs(folder / "files", labelled + unlabelled)):
        for role, new in (("ct", "bssfp"), ("mr", "lge")):
            name = f"{number:02d}_{new}.nii.gz"
            (folder / "files" / case[role]).rename(place / "images" / name)
            if number < labelled:
                labels = folder / "files" / case[f"{role}_labels"]
                labels.rename(place / "labels" / name)
    return place
