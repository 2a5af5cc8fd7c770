import numpy as np
import pytest
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.prediction import Prediction
from cmcseg.core.review_places import find_places, pooled, regions
from cmcseg.core.volume import Volume
from cmcseg.session.place_words import place_sentence
from mrml_scene import BALLS, TABLE, balls, box, centres
from session_parts import alignment

GRID = box((60, 56, 52), (2.0, 2.0, 2.5))
POINTS = centres(GRID)


def spot(centre, radius, level=0.9):
    """Doubt in a ball."""
    near = np.linalg.norm(POINTS - np.array(centre), axis=-1) < radius
    return np.where(near, level, 0.02).astype(np.float32)


def prediction(doubt, gap=None, roles=("ct",)):
    labels = LabelMap(array=balls(POINTS), grid=GRID, table=TABLE)
    volume = Volume(array=doubt, grid=GRID)
    return Prediction(
        labels=dict.fromkeys(roles, labels),
        doubt=dict.fromkeys(roles, volume),
        disagreement={} if gap is None else {r: Volume(array=gap, grid=GRID) for r in roles},
        alignment=alignment() if len(roles) == 2 else None,
        model="tiny",
        version="1",
        sha256="0",
    )


def at(organ, offset):
    """A point of an organ, from its centre in shares of its radius."""
    centre, radius = BALLS[{"liver": 1, "left kidney": 2}[organ]]
    return np.array(centre) + np.array(offset) * radius


@pytest.mark.parametrize(
    ("organ", "offset", "position"),
    [
        ("left kidney", (0, 0, 0.8), "upper pole"),
        ("left kidney", (0, 0, -0.8), "lower pole"),
        ("liver", (0, 0, 0.8), "upper part"),
        ("liver", (0.8, 0, 0), "right side"),
        ("liver", (-0.8, 0, 0), "left side"),
        ("liver", (0, 0.8, 0), "front"),
        ("liver", (0, -0.8, 0), "back"),
        ("liver", (0, 0, 0), "middle"),
    ],
)
def test_a_spot_is_named_by_its_organ_and_where_in_it(organ, offset, position):
    (place,) = find_places(prediction(spot(at(organ, offset), 7)))
    assert (place.organ, place.reason) == (organ, "model unsure")
    assert place.position == position
    assert np.linalg.norm(np.array(place.points["ct"]) - at(organ, offset)) < 9


def test_the_rim_that_every_organ_has_is_no_place():
    depth = np.abs(np.linalg.norm(POINTS - np.array(BALLS[1][0]), axis=-1) - BALLS[1][1])
    rim = np.where(depth < 1.5, 0.43, 0.0).astype(np.float32)
    assert find_places(prediction(rim)) == ()


def test_places_come_worst_first():
    doubt = np.maximum(spot(at("liver", (0, 0, 0)), 8, 0.8), spot(at("left kidney", (0, 0, 0)), 10))
    places = find_places(prediction(doubt))
    assert [place.organ for place in places] == ["left kidney", "liver"]


def test_a_review_stops_where_a_millilitre_is_probably_wrong_and_at_the_worst_place_in_any_case():
    large, small = spot(at("left kidney", (0, 0, 0)), 10), spot(at("liver", (0, 0, 0)), 6, 0.6)
    assert [p.organ for p in find_places(prediction(np.maximum(large, small)))] == ["left kidney"]
    assert [p.organ for p in find_places(prediction(small))] == ["liver"]


def test_disagreement_is_told_apart_from_doubt():
    doubt = spot(at("liver", (0, 0, 0)), 8)
    (place,) = find_places(prediction(doubt, gap=doubt))
    assert place.reason == "scans disagree"
    (place,) = find_places(prediction(doubt, gap=0.1 * doubt))
    assert place.reason == "model unsure"


def test_a_place_that_both_scans_show_is_one_stop():
    doubt = spot(at("liver", (0, 0, 0)), 8)
    assert len(find_places(prediction(doubt, roles=("ct", "mr")))) == 1


def test_far_from_every_organ_is_said_so():
    (place,) = find_places(prediction(spot((-5, -48, -55), 7)))
    assert place.organ == ""
    assert place_sentence(place) == "outside the organs, model unsure"


def test_specks_are_left_out():
    assert find_places(prediction(spot(at("liver", (0, 0, 0)), 2.2))) == ()


def test_a_region_too_large_for_one_stop_is_cut_down_to_its_peaks():
    wide = spot(at("liver", (0, 0, 0)), 24, 0.45)
    doubt = np.maximum(wide, spot(at("liver", (0, 0, 0.6)), 7, 0.9))
    doubt = np.maximum(doubt, spot(at("liver", (0, 0, -0.6)), 7, 0.8))
    places = find_places(prediction(doubt))
    assert [place.position for place in places] == ["upper part", "lower part"]
    assert max(place.ml for place in places) < 5


def test_a_region_that_is_equally_doubtful_everywhere_stays_whole():
    (place,) = find_places(prediction(spot(at("liver", (0, 0, 0)), 24, 0.45)))
    assert place.ml > 40


def test_doubt_outside_the_organs_comes_after_that_inside():
    doubt = np.maximum(spot((-5, -48, -55), 12), spot(at("left kidney", (0, 0, 0)), 10))
    assert [place.organ for place in find_places(prediction(doubt))] == ["left kidney", ""]


def test_pooling_agrees_with_the_obvious_way():
    array = np.random.default_rng(0).random((7, 5, 6)).astype(np.float32)
    steps = (3, 2, 4)
    out = pooled(array, steps)
    for index in np.ndindex(out.shape):
        box_ = tuple(slice(i * s, (i + 1) * s) for i, s in zip(index, steps, strict=True))
        assert out[index] == pytest.approx(array[box_].mean(), rel=1e-5)


def test_regions_agree_with_the_obvious_way():
    mask = np.random.default_rng(3).random((6, 5, 4)) < 0.3
    number = np.where(mask, np.arange(mask.size).reshape(mask.shape) + 1, 0)
    for _ in range(mask.size):  # spread the larger number to every neighbour until nothing moves
        for axis in range(3):
            for step in (1, -1):
                near = np.roll(number, step, axis)
                edge = [slice(None)] * 3
                edge[axis] = 0 if step == 1 else -1
                near[tuple(edge)] = 0
                number = np.where(mask, np.maximum(number, near), 0)
    wanted = {frozenset(map(tuple, np.argwhere(number == n))) for n in np.unique(number) if n}
    assert {frozenset(map(tuple, part)) for part in regions(mask)} == wanted
