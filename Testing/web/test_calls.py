"""What a page may ask over its websocket; everything else is passed over."""

import math
import random

import msgpack
import pytest
from cmcseg.web.calls import (
    CHECKS,
    LIFE,
    MOST_MESSAGE,
    BoundedMessages,
    are_changes,
    guard_calls,
    mouse_event,
)
from hypothesis import given
from hypothesis import strategies as st
from wslink.chunking import generate_chunks

NAN, ENDLESS = float("nan"), float("inf")
SHORT = st.sampled_from(["", "key", "value", "step", "x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | SHORT | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SHORT, inner, max_size=2),
    max_leaves=4,
)


def call(**change):
    return {"id": "rpc:1", "method": "trame.state.get", "args": [], **change}


def sent(messages, value):
    told = None
    for chunk in generate_chunks(msgpack.packb(value), 64):
        told = messages.process_chunk(chunk)
    return told


# Messages


def test_a_call_arrives_whole_from_its_pieces():
    value = call(args=["x" * 1000])
    assert sent(BoundedMessages(), value) == value


@pytest.mark.parametrize("size", [MOST_MESSAGE + 1, 1 << 30, (4 << 30) - 1])
def test_a_header_that_promises_gigabytes_claims_nothing(size):
    messages = BoundedMessages()
    messages.set_max_message_size(4 << 30)  # wslink says so once somebody has said hello
    for name in range(1000):
        head = b"".join(n.to_bytes(4, "little") for n in (name, 0, size))
        begun = b"\xdb" + min(size - 5, (1 << 31) - 1).to_bytes(4, "big")  # a long text
        assert messages.process_chunk(head + begun) is None
    assert messages.pending_messages == {}


def test_messages_that_never_end_do_not_pile_up():
    messages = BoundedMessages()
    for name in range(1000):
        head = b"".join(n.to_bytes(4, "little") for n in (name, 0, MOST_MESSAGE))
        messages.process_chunk(head + b"\xc6")
    assert len(messages.pending_messages) <= 4
    assert sent(messages, call()) == call()


@pytest.mark.parametrize(
    "value",
    [5, None, [], "x", {}, {"id": "a"}, call(id=3), call(method=None), call(args="ab"),
     call(args={"a": 1}), call(kwargs={"name": "x"}), {"id": "a", "method": "b", "args": 3}],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_call_is_passed_over(value):
    assert sent(BoundedMessages(), value) is None


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_bytes_of_chance_break_nothing(chunks):
    messages = BoundedMessages()
    for chunk in chunks:
        messages.process_chunk(chunk)
    assert sent(messages, call()) == call()


def test_a_call_nested_without_end_breaks_nothing():
    messages = BoundedMessages()
    deep = b"\x91" * 100_000
    head = b"".join(n.to_bytes(4, "little") for n in (1, 0, len(deep)))
    assert messages.process_chunk(head + deep) is None


# Events


@pytest.mark.parametrize("kind", ["MouseMove", "LeftButtonPress", "MouseWheel"])
def test_the_mouse_is_heard(kind):
    event = {"type": kind, "action": "down", "x": 3.5, "y": 4, "ctrlKey": 1, "buttonLeft": True}
    assert mouse_event(event) == event


@pytest.mark.parametrize("kind", ["KeyPress", "KeyDown", "KeyUp", "StartPointerLock", "", None, 3])
def test_no_key_reaches_vtk(kind):
    assert mouse_event({"type": kind, "key": "e", "x": 1, "y": 1}) is None


@pytest.mark.parametrize("name", ["x", "y", "w", "h", "spinY", "spinX"])
@pytest.mark.parametrize(
    "value", [NAN, ENDLESS, -ENDLESS, 1e300, 10**18, {}, [], "3", None, True, b"3"], ids=str
)
def test_no_number_that_is_none_reaches_vtk(name, value):
    assert mouse_event({"type": "MouseMove", "x": 1, "y": 1, name: value}) is None


@pytest.mark.parametrize("value", ["", "e", None, 1, [], {}])
def test_no_action_but_those_of_a_button_reaches_vtk(value):
    assert mouse_event({"type": "MouseMove", "action": value, "x": 1, "y": 1}) is None


@pytest.mark.parametrize("value", [2, NAN, {}, "true", None, []])
def test_no_switch_that_is_none_reaches_vtk(value):
    assert mouse_event({"type": "MouseMove", "x": 1, "y": 1, "altKey": value}) is None


def test_what_nobody_asked_for_goes_no_further():
    told = mouse_event({"type": "MouseMove", "x": 1, "y": 1, "positions": {"0": {"x": NAN}}})
    assert told == {"type": "MouseMove", "x": 1, "y": 1}


@given(st.dictionaries(st.sampled_from(["x", "y", "spinY", "altKey", "type", "w"]), ANYTHING))
def test_an_event_of_chance_is_finite_or_not_heard(event):
    told = mouse_event({"type": "MouseMove", **event})
    assert told is None or all(isinstance(v, str | bool) or math.isfinite(v) for v in told.values())


# Calls


class Owner:
    """Stands for trame: remembers what reached it."""

    def __init__(self):
        self.heard = []

    def take(self, *values):
        self.heard.append(values)
        return "answer"


class Handler:
    def __init__(self, owner):
        names = (*CHECKS, "trame.state.update", "application.exit", "application.exit.later",
                 "trame.force.push", "trame.rca.push", "trame.error.client")  # fmt: skip
        self.functionMap = dict.fromkeys(names, (owner, Owner.take))


class Served:
    def __init__(self, owner):
        self._ws_handlers = [Handler(owner)]


@pytest.fixture
def ask():
    owner = Owner()
    served = Served(owner)
    # trame has variables of its own in the same place.
    known = ("step", "dark", "trame__template_main", "trame__scripts", "trame__busy")
    guard_calls(served, known.__contains__)

    def asked(method, *args):
        owner.heard.clear()
        entry = served._ws_handlers[0].functionMap.get(method)
        if entry:
            entry[1](entry[0], *args)
        return bool(owner.heard)

    return asked


@pytest.mark.parametrize(
    "method",
    ["application.exit", "application.exit.later", "trame.force.push", "trame.rca.push",
     "trame.error.client", "__init__"],
)  # fmt: skip
def test_no_client_ends_the_server_or_speaks_for_it(ask, method):
    assert not ask(method)
    assert not ask(method, 1, 2)


@pytest.mark.parametrize("name", ["server_ready", "server_bind", "server_exited", "x", None, []])
def test_the_servers_own_life_is_not_run_from_outside(ask, name):
    assert not ask("trame.lifecycle.update", name)
    assert all(ask("trame.lifecycle.update", name) for name in LIFE)


@pytest.mark.parametrize(
    "changes",
    [
        [{"key": "trame__template_main", "value": "<img src=x onerror=alert(1)>"}],
        [{"key": "trame__scripts", "value": ["//evil"]}],
        [{"key": "unheard_of", "value": 1}],
        [{"key": "step", "value": "x" * 200_000}],
        [{"key": "step", "value": b"bytes"}],
        [{"key": "step", "value": [[[[[[1]]]]]]}],
        [{"key": ["step"], "value": 1}],
        [{"key": "step", "value": 1}] * 1000,
        [{"key": "dark", "value": True}, {"key": "trame__busy", "value": 1}],
        "step",
        None,
        [None],
    ],
    ids=range(12),
)
def test_what_the_next_visitor_sees_is_not_changed_from_outside(ask, changes):
    assert not ask("trame.state.update", changes)


def test_the_pages_own_variables_are_taken(ask):
    assert ask("trame.state.update", [{"key": "step", "value": "review"}, {"key": "dark"}])


@given(ANYTHING)
def test_an_update_of_chance_is_about_known_variables_or_nothing(changes):
    if are_changes(changes, lambda name: name == "step"):
        assert all(change["key"] == "step" for change in changes)


@pytest.mark.parametrize("method", list(CHECKS))
def test_values_of_chance_reach_nobody_in_another_shape(ask, method):
    dice = random.Random(0)
    odd = [None, NAN, {}, [], "x", b"x", 10**12, [[1]], {"type": "MouseMove", "x": NAN}]
    for _ in range(300):
        ask(method, *dice.choices(odd, k=dice.randrange(5)))  # nothing is raised
