"""One history over the scans of a review: every step comes back, whoever drew it."""

import numpy as np
import pytest
from cmcseg.core.labelmap import LabelMap
from cmcseg.core.steps import finish
from cmcseg.core.volume import Volume
from cmcseg.mrml.geometry import place_of
from cmcseg.mrml.result_nodes import known_result, scan_node
from cmcseg.mrml.scene import MrmlScene
from cmcseg.mrml.segments import BINARY, own_layer
from cmcseg.mrml.undo_history import History
from cmcseg.session.ports import Finding
from mrml_scene import TABLE, Host, add_volume, ball_scan, box, by_value
from vtk.util import numpy_support


@pytest.fixture
def a_host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def a_scene(a_host):
    scene = MrmlScene(a_host.scene)
    for name in ("CT", "MR"):
        grid = box()
        key = add_volume(a_host.scene, ball_scan(grid), grid.affine, name, modality=name).GetID()
        labels = LabelMap(array=by_value(ball_scan(grid)), grid=grid, table=TABLE)
        doubt = Volume(array=np.zeros(grid.shape, np.float32), grid=grid)
        finish(scene.writing(key, Finding(labels=labels, doubt=doubt, made={})))
    yield scene
    scene.close()


@pytest.fixture
def keys(a_scene):
    return [info.key for info in a_scene.scans()]


@pytest.fixture
def a_history(a_host, keys):
    history = History(a_host.scene)
    history.begin(keys)
    return history


def drawn(scene, key):
    return finish(scene.reading_labels(key)).array.copy()


def paint(scene, key, where, value):
    """Draw as an editor does: into the layer that the organs share."""
    result, table = known_result(scan_node(scene._scene, key))
    grid = place_of(scan_node(scene._scene, key)).local
    image, numbers, low = own_layer(result, grid, table)
    at = tuple(slice(w.start - n, w.stop - n) for w, n in zip(where, low, strict=True))
    numbers[at] = value
    image.Modified()


def corner(scene, key):
    """A small box within the layer that the organs share."""
    result, table = known_result(scan_node(scene._scene, key))
    grid = place_of(scan_node(scene._scene, key)).local
    _image, _numbers, low = own_layer(result, grid, table)
    return tuple(slice(int(n) + 1, int(n) + 4) for n in low)


def test_nothing_drawn_is_no_step(a_history):
    assert a_history.take() == ()
    assert not a_history.can_undo


def test_a_stroke_is_the_box_that_differs(a_scene, a_history, keys):
    where = corner(a_scene, keys[1])
    paint(a_scene, keys[1], where, 2)
    (edit,) = a_history.take()
    assert edit.key == keys[1]
    assert edit.where == where
    assert (edit.after == 2).all()
    assert a_history.take() == ()


def test_fifty_steps_over_both_scans_come_back_and_are_done_again(a_scene, a_history, keys):
    states = [[drawn(a_scene, key) for key in keys]]
    for number in range(50):
        key = keys[number % 2]
        where = corner(a_scene, key)
        i = where[0].start + number // 2 % 10 * 2
        paint(a_scene, key, (slice(i, i + 2), *where[1:]), 1 + number // 20 % 2)
        a_history.take()
        states.append([drawn(a_scene, key) for key in keys])
    steps = 0
    while a_history.can_undo:
        a_history.undo()
        steps += 1
    assert steps == 50
    assert all((drawn(a_scene, k) == s).all() for k, s in zip(keys, states[0], strict=True))
    while a_history.can_redo:
        a_history.redo()
    assert all((drawn(a_scene, k) == s).all() for k, s in zip(keys, states[-1], strict=True))


def test_a_new_stroke_ends_what_could_be_done_again(a_scene, a_history, keys):
    paint(a_scene, keys[0], corner(a_scene, keys[0]), 2)
    a_history.take()
    a_history.undo()
    assert a_history.can_redo
    paint(a_scene, keys[0], corner(a_scene, keys[0]), 1)
    a_history.take()
    assert not a_history.can_redo


def test_what_the_scene_writes_is_a_step_as_well(a_scene, a_history, keys):
    before = drawn(a_scene, keys[0])
    nothing = np.zeros(before.shape, bool)
    finish(a_scene.writing_organs(keys[0], {"liver": nothing, "left kidney": nothing}))
    (edit,) = a_history.take()
    assert not edit.after.any()
    a_history.undo()
    assert (drawn(a_scene, keys[0]) == before).all()


def test_organs_in_layers_of_their_own_are_followed_too(a_scene, a_history, keys):
    before = drawn(a_scene, keys[0])
    result, _table = known_result(scan_node(a_scene._scene, keys[0]))
    segmentation = result.GetSegmentation()
    segmentation.SeparateSegmentLabelmap("liver")
    image = segmentation.GetSegment("liver").GetRepresentation(BINARY)
    numbers = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    numbers[:] = 0
    image.Modified()
    (edit,) = a_history.take()
    assert (edit.before == 1).any()
    a_history.undo()
    assert (drawn(a_scene, keys[0]) == before).all()
