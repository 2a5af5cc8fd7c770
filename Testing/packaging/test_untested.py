"""What a run could not test is said loudly, and is a failure where CI is set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).parents[1]
LACKING = """
import machine

def test_of_a_browser():
    machine.cannot_test("the browser app", "browser")

def test_of_a_sum():
    assert 1 + 1 == 2
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_it.py").write_text(LACKING)
    (tmp_path / "conftest.py").write_bytes((TESTING / "conftest.py").read_bytes())
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTING / 'helpers'}\n")
    plain = {
        key: value for key, value in os.environ.items() if not key.startswith(("CI", "PYTEST"))
    }
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    return lambda *more, **changes: subprocess.run(
        [*words, *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**plain, **changes},
    )


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["one process", "two"])
def test_a_person_is_told_and_ci_fails(run, more):
    told, failed = run(*more), run(*more, CI="true")
    said = "NOT TESTED: the browser app. What is missing: apt-get install chromium libatomic1"
    assert (told.returncode, told.stdout.count(said)) == (0, 1), told.stdout
    assert (failed.returncode, failed.stdout.count(said)) == (1, 1), failed.stdout
    assert "1 passed, 1 skipped" in told.stdout
