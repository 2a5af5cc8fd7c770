"""docs/own-task.md: its example runs as it stands, and no key is left out."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import torch
from cmcseg.cli import main
from cmcseg.core.card import CleaningRule, GridSpec, InputSpec, ModelCard, NetworkSpec
from cmcseg.core.labelmap import Code, Label, LabelTable

PAGE = (Path(__file__).parents[2] / "docs" / "own-task.md").read_text(encoding="utf-8")
LONG, SHORT = ("--minutes", "5"), ("--steps", "1")  # the only thing that the test does not copy


def example():
    part = PAGE.split("## In ten minutes")[1].split("\n## ")[0]
    return [line.strip() for line in part.splitlines() if line.startswith("    cmcseg ")]


def test_the_worked_example_runs_line_by_line(tmp_path, monkeypatch, capsys):
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    lines = example()
    assert len(lines) == 9
    for line in lines:
        words = shlex.split(line)[1:]
        if LONG[0] in words:
            place = words.index(LONG[0])
            assert words[place + 1] == LONG[1]
            words[place : place + 2] = SHORT
        main(words)
    told = capsys.readouterr().out
    assert "my-organs: 4 organs in ct; 3 training and 1 validation cases." in told
    assert "Imported my-organs" in told
    assert (tmp_path / "mine" / "dan" / "report.html").is_file()


def test_every_key_of_a_task_stands_on_the_page():
    kinds = (ModelCard, InputSpec, LabelTable, Label, Code, GridSpec, NetworkSpec, CleaningRule)
    words = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`[^`]+`", PAGE))))
    missing = {field.name for kind in kinds for field in fields(kind)} - words
    assert missing == set()
