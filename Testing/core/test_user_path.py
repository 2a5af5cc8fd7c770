"""A path as a user writes it, home folders among them."""

from pathlib import Path

from cmcseg.core.user_path import user_path


def test_a_tilde_is_the_home_folder():
    assert user_path("~/scans") == Path.home() / "scans"
    assert user_path(Path("~")) == Path.home()


def test_a_file_that_begins_with_one_is_a_file():
    assert user_path("~ct.nii.gz") == Path("~ct.nii.gz")
