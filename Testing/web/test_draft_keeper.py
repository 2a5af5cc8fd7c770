"""What is drawn is kept once the hand rests; what was read too early never replaces it."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.grid import Grid
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.volume import Volume
from cmcseg.session.background import BackgroundTasks
from cmcseg.session.stage import Stage
from cmcseg.web import draft_keeper as module
from cmcseg.web.draft_keeper import DraftKeeper
from cmcseg.web.drafts import Drafts
from cmcseg.web.folder import Folder
from session_parts import predicted
from trame_server.state import State

GRID = Grid(shape=(12, 10, 8), affine=np.diag([2.0, 2.0, 3.0, 1.0]))


class Desk:
    """The keeper of an open case whose liver is a voxel larger with every stroke."""

    def __init__(self, folder, monkeypatch):
        self.now, self.strokes, self.told = 1000.0, 0, []
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        values = np.random.default_rng(0).integers(0, 300, GRID.shape).astype(np.int16)
        found = predicted({"ct": Volume(array=values, grid=GRID)})
        self.start = found.labels["ct"]
        self.tasks, self.drafts = BackgroundTasks(), Drafts(Folder(folder))
        self.review = SimpleNamespace(
            result=SimpleNamespace(scans={"ct": "scan"}, prediction=found),
            stage=Stage.CORRECTING,
            busy=False,
        )
        page = SimpleNamespace(
            server=SimpleNamespace(state=State()),
            touch=lambda *_: None,
            tell=lambda sentence, _log: self.told.append(sentence),
        )
        self.keeper = DraftKeeper(
            page,
            self.drafts,
            scene=SimpleNamespace(reading_labels=self.reading),
            runner=self.tasks,
            review=self.review,
            segment=None,
            case=SimpleNamespace(id="ann"),
        )

    def reading(self, _key):
        """The organs when it begins, in two steps."""
        array = self.drawn(self.strokes)
        yield
        return LabelMap(array=array, grid=GRID, table=self.start.table)

    def drawn(self, strokes):
        """The organs after so many strokes."""
        array = np.zeros_like(self.start.array)
        array[0, 0, :strokes] = 1
        return array

    def draw(self):
        self.now += 0.1
        self.strokes += 1
        self.keeper.edited()

    def wait(self, seconds):
        self.now += seconds
        self.keeper.tick()

    def finish(self):
        for _ in range(1000):
            self.tasks.pump()
            if not self.tasks.busy:
                return
            time.sleep(0.005)
        pytest.fail("the background never rested")

    def kept(self):
        """How many strokes the draft on disk holds; None without one."""
        kept = self.drafts.open("ann")
        if kept is None:
            return None
        for strokes in range(10):
            if np.array_equal(kept[1]["ct"].array, self.drawn(strokes)):
                return strokes
        return pytest.fail("the draft is nothing that was ever drawn")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = Desk(tmp_path, monkeypatch)
    yield made
    made.tasks.close()


def test_a_drawing_is_kept_once_the_hand_rests(desk):
    desk.draw()
    desk.wait(module.CALM / 2)
    assert not desk.tasks.busy  # the hand may go on
    desk.wait(module.CALM)
    desk.finish()
    assert desk.kept() == 1
    assert desk.keeper.state.data.saved


def test_a_hand_that_draws_on_is_not_written_for_every_stroke(desk):
    desk.draw()
    desk.wait(1)
    desk.finish()
    desk.draw()
    desk.wait(module.EVERY - 0.5)
    assert not desk.tasks.busy
    desk.wait(1)
    desk.finish()
    assert desk.kept() == 2
    desk.wait(60)
    assert not desk.tasks.busy  # nothing is new


def test_what_was_read_before_the_case_was_closed_does_not_replace_what_closing_kept(desk):
    desk.draw()
    desk.wait(1)
    next(desk.tasks._generators[0][0])  # read, not written
    desk.draw()
    desk.keeper.save_now()
    assert desk.kept() == 2
    desk.finish()
    assert desk.kept() == 2


def test_a_draft_that_was_dropped_while_it_was_read_does_not_come_back(desk):
    desk.draw()
    desk.wait(1)
    desk.keeper.drop()
    desk.finish()
    assert desk.kept() is None
    assert desk.keeper.state.data.saved == ""


def test_a_drawing_that_the_disk_refused_is_told_and_tried_again_and_never_counts_as_kept(
    desk, monkeypatch
):
    def full(*_args, **_more):
        raise BadInput("The drawing is not kept (No space left on device).")

    with monkeypatch.context() as patch:
        patch.setattr(desk.drafts, "keep", full)
        desk.draw()
        desk.wait(1)
        desk.finish()
        assert desk.told == ["The drawing is not kept (No space left on device)."]
        assert desk.keeper.state.data.saved == ""
        with pytest.raises(BadInput, match="not kept"):
            desk.keeper.save_now()  # the case is not closed over it
    desk.wait(module.EVERY + 1)
    desk.finish()
    assert desk.kept() == 1


def test_an_accepted_pair_is_drawn_on_no_more(desk):
    desk.draw()
    desk.review.stage = Stage.ACCEPTED
    desk.wait(60)
    assert not desk.tasks.busy
