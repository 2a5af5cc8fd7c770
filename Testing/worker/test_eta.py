import numpy as np
import pytest
from cmcseg.core.grid import Grid
from cmcseg.core.progress import Progress
from cmcseg.core.volume import Volume
from cmcseg.worker.eta import Eta, FineTuneEta, expected
from session_parts import CARD


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self):
        return self.now


SECONDS = {"align": 2.5, "resample": 0.5, "network": 6.0, "write back": 1.0}


def told(stages, seconds=None):
    out, clock = [], Clock()
    pace = Eta(out.append, seconds or SECONDS, clock)
    for stage, done, total, at in stages:
        clock.now = 100.0 + at
        pace(Progress(stage=stage, done=done, total=total))
    return out


RUN = [
    ("aligning the MR to the CT", 0, 1, 0),
    ("aligned", 1, 1, 2.5),
    ("segmenting", 1, 4, 5),
    ("segmenting", 4, 4, 9),
    ("finishing the CT", 0, 2, 9),
    ("finishing the MR", 1, 2, 9.5),
]


def test_the_whole_grows_while_every_stage_starts_at_nothing():
    fractions = [p.fraction for p in told(RUN)]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[1] == pytest.approx(0.25)
    assert fractions[3] == pytest.approx(0.9)
    assert fractions[-1] == pytest.approx(0.95)


def test_the_time_left_is_right_when_the_shares_are():
    left = [p.seconds_left for p in told(RUN)]
    assert left[0] is None  # there is no pace yet
    assert left[1] == pytest.approx(7.5)
    assert left[3] == pytest.approx(1.0)


def test_measured_shares_replace_the_guess():
    measured = {"align": 6.0, "resample": 1.0, "network": 2.0, "write back": 1.0}
    assert told(RUN, measured)[1].fraction == pytest.approx(0.6)


def test_a_stage_that_starts_again_does_not_take_the_bar_back():
    again = [*RUN[:4], ("segmenting again: memory was short, now on the CPU", 0, 4, 10)]
    fractions = [p.fraction for p in told(again)]
    assert fractions[-1] == fractions[-2]


def test_scans_looked_at_one_after_the_other_are_counted_together():
    run = [
        ("segmenting the CT", 1, 2, 3),
        ("finishing the CT", 0, 2, 3),
        ("segmenting the MR", 2, 2, 6),
        ("finishing the MR", 1, 2, 6),
    ]
    assert [p.fraction for p in told(run)] == pytest.approx(
        [(0.05 + share) / 0.75 for share in (0.3, 0.3, 0.6, 0.65)]
    )


def a_scan(*shape):
    return Volume(array=np.zeros(shape, np.int16), grid=Grid(shape=shape, affine=np.eye(4)))


def test_on_a_fine_scan_the_ends_take_longer_than_the_network():
    """512 x 512 x 147 at half a millimetre stood at 90 % for most of its time."""
    fine = Grid(shape=(96, 96, 96), affine=np.diag([0.5, 0.5, 0.5, 1]))
    scan = Volume(array=np.zeros(fine.shape, np.int16), grid=fine)
    seconds = expected({"ct": scan}, CARD)
    assert seconds["align"] == 0
    assert seconds["resample"] + seconds["write back"] > seconds["network"]
    assert expected({"ct": a_scan(9, 9, 9), "mr": a_scan(9, 9, 9)}, CARD)["align"] > 0


def test_resampling_and_each_class_of_the_result_move_the_bar():
    stages = [
        ("resampling the CT", 0, 1, 0),
        ("segmenting", 0, 2, 10),
        ("segmenting", 2, 2, 12),
        ("finishing the CT", 0, 1, 12),
        ("finishing the CT", 0.5, 1, 27),
        ("finishing the CT", 1, 1, 42),
    ]
    seconds = {"align": 0.0, "resample": 10.0, "network": 2.0, "write back": 30.0}
    seen = told(stages, seconds)
    assert [round(p.fraction, 2) for p in seen] == [0, 0.24, 0.29, 0.29, 0.64, 1]
    assert seen[3].seconds_left == pytest.approx(30, rel=0.01)


def test_what_is_not_aligned_does_not_begin_with_a_leap():
    fractions = [p.fraction for p in told(RUN[2:])]
    assert fractions[0] == pytest.approx((0.05 + 0.6 / 4) / 0.75)
    assert fractions == sorted(fractions)


def test_a_fine_tuning_is_one_bar_with_a_time_left_and_no_numbers_in_its_words():
    out = []
    pace = FineTuneEta(out.append, minutes=2.0)
    pace(Progress(stage="asking the model in use", done=1, total=4, seconds_left=90))
    step = "step 30: overlap ct 0.003, 2.49 s a step"
    pace(Progress(stage=step, done=0.5, total=1, seconds_left=60, measures={"overlap ct": 0.003}))
    pace(Progress(stage="asking the new model", done=0, total=4, seconds_left=0))
    assert [p.fraction for p in out] == [0.25, 0.5, 1.0]
    assert [p.seconds_left for p in out] == [90, 60, 0]
    assert out[1].stage == "learning from the corrections"
    assert out[1].measures == {"overlap ct": 0.003}
