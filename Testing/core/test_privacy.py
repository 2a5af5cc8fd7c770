"""Who may read: the owner, a group on purpose, and nobody else."""

import os
import stat

import pytest
from cmcseg.core.privacy import close, open_to_others, private_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows keeps lists of its own")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask():
    old = os.umask(0o022)
    yield
    os.umask(old)


def test_a_new_folder_is_its_owners(tmp_path):
    folder = private_folder(tmp_path / "above" / "queue")
    assert mode(folder) == 0o700
    assert not open_to_others(folder)


def test_an_open_folder_is_closed_and_what_lies_in_it_is_counted(tmp_path):
    folder = tmp_path / "queue"
    (folder / "entries").mkdir(parents=True)
    (folder / "entries" / "entry.json").write_text("{}")
    (folder / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("not mine to change")
    assert open_to_others(folder)
    assert close(folder) == 3
    assert close(folder) == 0
    assert [mode(p) for p in (folder, folder / "entries", folder / "entries" / "entry.json")] == [
        0o700,
        0o700,
        0o600,
    ]
    assert mode(tmp_path / "outside") == 0o644


def test_a_group_that_shares_on_purpose_keeps_its_access_and_gets_what_is_new(tmp_path):
    folder = tmp_path / "queue"
    folder.mkdir()
    folder.chmod(0o2775)
    inner = private_folder(folder / "entries", like=private_folder(folder))
    (inner / "entry.json").touch(mode=0o600)
    close(inner, like=folder)
    assert [mode(p) for p in (folder, inner, inner / "entry.json")] == [0o2770, 0o2770, 0o660]
    assert not open_to_others(folder)


def test_a_group_folder_above_shares_nothing_by_itself(tmp_path):
    tmp_path.chmod(0o2775)
    assert mode(private_folder(tmp_path / "queue")) & 0o077 == 0
