import pytest
from cmcseg.core.progress import Progress
from cmcseg.session.pace import AFTERWARDS, Pace

VOXELS = 39_321_600


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def run(clock, known, seconds):
    """A worker of 20 s, then the parts, each of so many seconds; ``(second, progress)``."""
    seen = []
    pace = Pace(lambda p: seen.append((clock.now, p)), VOXELS, known, clock)
    start = clock.now
    for second in range(21):
        clock.now = start + second
        left = 20.0 - second if second > 2 else None
        worker = Progress(stage="segmenting", done=second, total=20, seconds_left=left)
        pace.working(worker)
    for part, took in seconds.items():
        pace.begin(part, part)
        for _ in range(int(took)):
            clock.now += 1
            pace.go_on(part)
    pace.end()
    return seen


def test_what_follows_the_worker_has_its_share_of_the_bar(clock):
    seconds = {"measuring": 2, "places": 3, "showing": 15}
    told = {name: took / VOXELS for name, took in seconds.items()}
    seen = run(clock, dict(told), seconds)
    fractions = [p.fraction for _, p in seen]
    assert fractions == sorted(fractions)
    assert fractions[20] == pytest.approx(0.5, abs=0.01)  # 20 of 40 s
    assert seen[20][1].seconds_left == pytest.approx(20)
    assert all(p.percent < 100 for _, p in seen)


def test_the_second_time_it_knows_what_the_first_took(clock):
    known = {}
    seconds = {"measuring": 1, "places": 1, "showing": 60}
    run(clock, known, seconds)
    assert known["showing"] == pytest.approx(60 / VOXELS, rel=0.1)
    assert known["showing"] > 2 * AFTERWARDS["showing"]
    seen = run(clock, known, seconds)
    assert seen[20][1].fraction == pytest.approx(20 / 82, abs=0.02)
