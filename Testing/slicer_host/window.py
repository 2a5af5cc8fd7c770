"""The window is never kept waiting, whatever the panel does."""

import ctypes
import time

from standstill import held, holds


def timed(call, taken):
    """``call``, writing down how long each call took."""

    def run(*given):
        began = time.thread_time()
        call(*given)
        taken.append(time.thread_time() - began)

    return run


def test_a_large_pair_is_segmented_without_a_stop(a_host, a_real_desk, until):
    from mrml_scene import add_volume, ball_scan, box

    panel, taken = a_real_desk, []
    grid = box((256, 256, 140), (1.0, 1.0, 1.2))
    for role in ("ct", "mr"):
        node = add_volume(a_host.scene, ball_scan(grid), grid.affine, f"large {role}")
        panel.segment.set_scan(role, node.GetID())
    until(lambda: not panel.runner.busy)
    panel._timer.stop()  # the test pumps in its place, and measures
    pump = timed(panel.pump, taken)

    def segment():
        taken.clear()
        timed(panel.ui.segmentButton.click, taken)()
        while panel.runner.busy:
            pump()
            a_host.app.processEvents()
            time.sleep(0.005)
        assert panel.segment.result is not None
        return max(taken)

    assert holds(seen := held(segment)), seen


def test_all_sections_are_refreshed_within_a_moment(a_desk):
    a_desk.segmented()
    for n in range(40):
        a_desk.add(f"scan {n}", "CT")
    a_desk.quiet()
    taken = []
    refresh = timed(a_desk.panel.refresh, taken)

    def refreshed():
        refresh()
        return taken.pop()

    assert holds(seen := held(refreshed)), seen


def test_threads_go_on_although_the_event_loop_keeps_pythons_lock(a_desk):
    """As in Slicer: Qt's loop of PySide lets go of the lock, so the loop is played here."""
    hold = ctypes.PyDLL(None).usleep  # unlike CDLL, it keeps the lock while it waits
    panel, found, pumps = a_desk.panel, [], 0
    panel._timer.stop()
    handovers = 200
    panel.runner.aside(
        lambda: [time.sleep(0.0001) for _ in range(handovers)], found.append, found.append
    )
    while not found:
        panel.pump()
        hold(20_000)
        pumps += 1
        assert pumps < handovers // 2, "one handover a pump: a window would wait for minutes"
    assert len(found[0]) == handovers
