"""JSON from strangers: whatever it is, it is a value that can be passed on, or a ValueError."""

import json

import pytest
from cmcseg.core.json_file import MOST_BYTES, parse_json, read_json


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        "[" * 500 + "]" * 500,
        '{"a":' * 500 + "1" + "}" * 500,
        '{"who": "\\ud800"}',
        '{"\\udfff": 1}',
        "[1" + "0" * 400 + "]",
        "1" * 5000,
        "",
        "{",
        "nul",
        b"\xff\xfe\x00",
        '{"a": [NaN]}',
        "-Infinity",
        '{"a": 1e999}',
    ],
    ids=range(14),
)
def test_odd_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)


def test_plain_json_is_what_it_was():
    value = {"a": [1, 2.5, None, True, {"ä": "ö"}], "deep": [[[[[[[[1]]]]]]]]}
    assert parse_json(json.dumps(value)) == value


def test_a_file_beyond_all_measure_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ValueError, match="larger than 16 MiB"):
        read_json(path)
