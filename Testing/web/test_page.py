"""What the page tells."""

from pathlib import Path

import pytest
from cmcseg.web.page import short

HOME = Path("/home/ann/my scans")


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (f"{HOME}/bob/ct.nii.gz is damaged.", "bob/ct.nii.gz is damaged."),
        (f"The folder {HOME} is gone.", "The folder my scans is gone."),
        ("/tmp/cmcseg-1/models/fruit/card.json cannot be read.", "card.json cannot be read."),
        ("Give 3/4 of it, in mL/s; see http://a.org/b/c.", None),
        ("It is on and/or off. One third: 1/3.", None),
    ],
)
def test_no_whole_path_is_told(told, shown):
    assert short(told, HOME) == (shown or told)
