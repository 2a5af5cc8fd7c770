import numpy as np
import pytest
from cmcseg.core.errors import BadInput
from cmcseg.core.steps import finish
from cmcseg.mrml.labelmap_text import packed, unpacked
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from mrml_scene import balls, box, centres


@settings(max_examples=50, deadline=None)
@given(
    array=arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)), turned=st.booleans()
)
def test_what_is_packed_comes_out_as_it_was(array, turned):
    array = np.asfortranarray(array) if turned else array
    out = finish(unpacked(finish(packed(array)), array.shape))
    np.testing.assert_array_equal(out, array)
    assert out.flags.f_contiguous


def test_organs_shrink_to_a_fiftieth_and_are_plain_text():
    array = balls(centres(box((128, 120, 100), (1.2, 1.2, 1.4))))
    text = finish(packed(array))
    assert len(text) < array.size / 50
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


@pytest.mark.parametrize(
    "spoil", [lambda t: t[: len(t) // 2], lambda t: "A" * len(t), lambda _: "?"]
)
def test_damage_is_told(spoil):
    array = balls(centres(box()))
    with pytest.raises(BadInput, match=r"^What the model found is damaged in this scene; segment"):
        finish(unpacked(spoil(finish(packed(array))), array.shape))


def test_a_scan_of_another_shape_is_damage_too():
    text = finish(packed(np.ones((4, 5, 6), np.uint8)))
    with pytest.raises(BadInput, match="damaged"):
        finish(unpacked(text, (4, 5, 7)))
