"""Generated series, read by us and by dcm2niix: the same numbers in the same places."""

import re
import shutil
from pathlib import Path

import pytest
from against_dcm2niix import SERIES, difference

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"
VOLUMES = {"two echoes": 2, "three phases": 3}  # the others hold one


@pytest.mark.skipif(
    shutil.which("dcm2niix") is None,
    reason="NOT COMPARED: dcm2niix is not installed (Debian: apt install dcm2niix)",
)
@pytest.mark.parametrize("series", SERIES, ids=[series.name for series in SERIES])
def test_both_readers_make_the_same_volumes(series):
    count, away = difference(series)
    assert count == VOLUMES.get(series.name, 1)
    assert away <= series.bound


def test_the_page_shows_every_series_within_its_bound():
    rows = re.findall(r"^\| (.+?) \| (\d) \| ([\d.e-]+) \|$", PAGE.read_text("utf-8"), re.M)
    told = {name: (int(count), float(away)) for name, count, away in rows}
    assert list(told) == [series.name for series in SERIES]
    for series in SERIES:
        assert told[series.name][0] == VOLUMES.get(series.name, 1)
        assert told[series.name][1] <= series.bound
