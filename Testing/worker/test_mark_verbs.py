"""Strokes, as a worker answers them."""

from dataclasses import replace

import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.messages import Message
from cmcseg.core.progress import ignore
from cmcseg.session.pen import part_of
from cmcseg.worker.mark_verbs import propose
from cmcseg.worker.model_cache import ModelCache
from marked import GRID, a_memory, stroke_beyond
from queued import TABLE

BOX = (slice(5, 55), slice(5, 55), slice(2, 12))
PART = part_of(GRID, BOX)


@pytest.fixture
def cache(tmp_path):
    cache = ModelCache(store=None, folder=tmp_path)
    memory, found, _ = a_memory(classes=2)
    cache.remember("scan", memory)
    cache.found = found[BOX]
    return cache


def asked(cache, grid):
    labels = LabelMap(array=cache.found, grid=grid, table=TABLE)
    values = {"scan": "scan", "mark": stroke_beyond().to_dict(), "earlier": []}
    request = Message(verb="propose", values=values, label_maps={"labels": labels})
    return propose(request, cache, ignore)


def test_a_stroke_on_the_scan_is_answered_on_the_part_that_was_asked_about(cache):
    labels = asked(cache, PART).label_maps["labels"]
    assert labels.grid.agrees_with(PART)
    assert (labels.array == 1).sum() > cache.found.sum()


@pytest.mark.parametrize("voxels", [-6, 6])
@pytest.mark.parametrize("axis", range(3))
def test_a_part_that_sticks_out_of_the_scan_that_was_looked_at_is_refused(cache, axis, voxels):
    affine = PART.affine.copy()
    affine[:3, 3] += voxels * GRID.affine[:3, axis]
    with pytest.raises(BadInput, match="The mark lies outside the scan; draw it"):
        asked(cache, replace(PART, affine=affine))
