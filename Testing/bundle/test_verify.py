"""Damage, edits and hostile archives are told apart from models."""

import hashlib
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from cmcseg.bundle.store import Store
from cmcseg.bundle.verify import (
    CARD,
    FILES,
    METADATA,
    MOST_BYTES,
    SUMS,
    WEIGHTS,
    check_name,
    read_card,
    read_folder,
    read_zip,
    sums,
    verify,
)
from cmcseg.core.errors import BadInput
from tiny import tiny_bundle


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A sound model that no test may change."""
    return tiny_bundle(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def a_model(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.fixture
def an_archive(a_model, tmp_path):
    """Builds a zip of the model with members changed, added or (None) left out."""

    def build(changes: dict | None = None, top: str = "", infos: tuple = (), **how) -> Path:
        path = tmp_path / "model.zip"
        content = {name: (a_model / name).read_bytes() for name in FILES} | (changes or {})
        with zipfile.ZipFile(path, "w", **how) as archive:
            for name, data in content.items():
                if data is not None:
                    archive.writestr(top + name, data)
            for info, data in infos:
                archive.writestr(info, data)
        return path

    return build


def edit(model: Path, name: str, old: str, new: str, resum: bool = False) -> None:
    text = (model / name).read_text()
    assert old in text
    (model / name).write_text(text.replace(old, new, 1))
    if resum:
        (model / SUMS).write_bytes(sums(read_folder(model)))


def refusal(run, *args) -> str:
    with pytest.raises(BadInput) as caught:
        run(*args)
    return str(caught.value)


def refused_model(model: Path) -> str:
    return refusal(verify, read_folder(model), "M")


# The whole model


def test_a_whole_model_gives_its_card(a_model):
    card = verify(read_folder(a_model), "M")
    assert card == read_card(a_model)
    assert card.sha256 == hashlib.sha256((a_model / WEIGHTS).read_bytes()).hexdigest()


def test_the_sums_are_those_of_sha256sum(a_model):
    lines = (a_model / SUMS).read_text().splitlines()
    slow = [f"{hashlib.sha256((a_model / n).read_bytes()).hexdigest()}  {n}" for n in FILES[:3]]
    assert lines == slow


def test_listing_and_checking_models_does_not_load_torch(whole):
    program = (
        "import sys; from pathlib import Path; from cmcseg.bundle.store import Store, task_card;"
        "from cmcseg.bundle.verify import read_folder, verify; home = Path(sys.argv[1]);"
        "store = Store(shipped=home, user=home); print(store.names(), store.card('model').name);"
        "verify(read_folder(home / 'model'), 'M'); task_card('heart');"
        "print('torch' in sys.modules)"
    )
    package = Path(__file__).parents[2] / "CMCSegmentation"
    done = subprocess.run(
        [sys.executable, "-c", program, str(whole.parent)],
        capture_output=True,
        text=True,
        check=True,
        cwd=package,
    )
    assert done.stdout.split("\n")[:2] == ["('model',) abdomen-ct-mr", "False"]


# Damage


@pytest.mark.parametrize("name", [WEIGHTS, CARD, METADATA])
def test_one_flipped_bit_is_found_and_the_file_named(a_model, name):
    content = bytearray((a_model / name).read_bytes())
    content[len(content) // 2] ^= 1
    (a_model / name).write_bytes(content)
    assert refused_model(a_model) == (
        f"{name} in M was altered or damaged (its SHA-256 is not the one in SHA256SUMS); "
        "get the model again."
    )


def test_an_altered_card_is_found_without_reading_the_weights(a_model):
    (a_model / WEIGHTS).unlink()
    assert read_card(a_model).name == "abdomen-ct-mr"
    edit(a_model, CARD, "not for diagnosis", "and for diagnosis")
    assert refusal(read_card, a_model).startswith(f"card.json in {a_model} was altered")


def test_weights_swapped_together_with_their_sum_do_not_fit_the_card(a_model, tmp_path):
    other = tiny_bundle(tmp_path / "other", seed=1)
    shutil.copy(other / WEIGHTS, a_model / WEIGHTS)
    promised = read_card(a_model).sha256
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    assert refused_model(a_model) == (
        f"The weights in M are not those that its card.json promises (SHA-256 {promised[:12]}); "
        "get the model again."
    )


def test_a_card_without_a_sum_of_the_weights_is_refused(a_model):
    card = json.loads((a_model / CARD).read_text()) | {"sha256": ""}
    (a_model / CARD).write_text(json.dumps(card))
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    assert "promises (SHA-256 not given);" in refused_model(a_model)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(a_model, name):
    (a_model / name).unlink()
    assert refusal(read_folder, a_model) == f"{a_model} is no model: it has no {name}."


def test_a_sum_that_is_not_listed_is_missed(a_model):
    edit(a_model, SUMS, f"  {METADATA}", "  somewhere.json")
    assert refused_model(a_model) == (
        f"SHA256SUMS in M does not list {METADATA}; get the model again."
    )


def test_a_folder_in_the_place_of_a_file_is_refused(a_model):
    (a_model / CARD).unlink()
    (a_model / CARD).mkdir()
    assert refusal(read_folder, a_model) == f"card.json in {a_model} is not a file."


def test_giant_files_are_refused_unread(a_model):
    with (a_model / WEIGHTS).open("r+b") as handle:
        handle.truncate(MOST_BYTES + 1)  # sparse
    assert refusal(read_folder, a_model) == f"{WEIGHTS} in {a_model} is larger than 256 MiB."
    with (a_model / CARD).open("r+b") as handle:
        handle.truncate(2**22 + 1)
    assert refusal(read_card, a_model) == f"card.json in {a_model} is larger than 4 MiB."


# Cards and metadata with right sums and wrong content


def test_a_card_of_another_format_is_refused(a_model):
    edit(a_model, CARD, '"format": 1', '"format": 2', resum=True)
    assert refused_model(a_model) == (
        "card.json in M cannot be used: This model card has format 2, this program reads 1."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "card.json in M is not JSON: Expecting property name"),
        ("[" * 100_000, "card.json in M is not JSON: "),
        ("[]", "card.json in M holds no record."),
        ("{}", "card.json in M cannot be used: This is not a model card: 'format'."),
        ("\xff", "card.json in M is not JSON: "),
    ],
)
def test_a_card_that_is_no_card_is_refused(a_model, text, words):
    (a_model / CARD).write_bytes(text.encode("latin-1"))
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    assert refused_model(a_model).startswith(words)


def test_a_card_with_impossible_numbers_is_refused(a_model):
    value = json.loads((a_model / CARD).read_text())
    value["network"]["patch"] = [0, 2, 2]
    (a_model / CARD).write_text(json.dumps(value))
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    assert refused_model(a_model).startswith("card.json in M ")


ODD_CARDS = {
    "a grid of 0.05 mm": ("grid", {"spacing": [0.05, 0.05, 0.05]}),
    "a grid of no size": ("grid", {"spacing": [float("nan"), 3, 3]}),
    "an endless grid": ("grid", {"spacing": [float("inf"), 3, 3]}),
    "a grid in words": ("grid", {"spacing": ["3", "3", "3"]}),
    "a grid of two axes": ("grid", {"spacing": [3, 3]}),
    "a window as large as a ward": ("grid", {"window": [4096, 4096, 4096]}),
    "a window of fractions": ("grid", {"window": [96.0, 96, 64]}),
    "axes that are none": ("grid", {"axes": [[1, 0, 0], [1, 0, 0], [0, 0, 1]]}),
    "axes of no length": ("grid", {"axes": [[1, 0, 0], [0, 1], [0, 0, 1]]}),
    "axes of NaN": ("grid", {"axes": [[float("nan")] * 3] * 3}),
    "a network without end": ("network", {"widths": [4] * 10_000, "strides": [[1, 1, 1]] * 9_999}),
    "a wide network": ("network", {"widths": [10**9, 8, 8, 8]}),
    "a network in words": ("network", {"encoder": ["residual"]}),
    "no switch": ("network", {"shared_kernels": "yes"}),
    "a title that is a list": ("", {"title": ["Abdomen"]}),
    "a title of half a character": ("", {"title": "\ud800"}),
    "a history of texts": ("", {"history": ["x"]}),
    "a measurement in words": ("", {"measured": "good"}),
    "an organ that is a number": ("cleaning", {"largest": [1]}),
}


@pytest.mark.parametrize("kind", ODD_CARDS)
def test_a_card_that_could_not_be_used_is_refused_at_once(a_model, kind):
    place, change = ODD_CARDS[kind]
    value = json.loads((a_model / CARD).read_text())
    (value[place] if place else value).update(change)
    (a_model / CARD).write_text(json.dumps(value))
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    words = refused_model(a_model)
    assert words.startswith("card.json in M ")
    assert words.endswith(".")
    assert len(words) < 300


def test_metadata_without_what_monai_requires_is_refused(a_model):
    value = json.loads((a_model / METADATA).read_text())
    del value["authors"]
    value["version"] = 1
    (a_model / METADATA).write_text(json.dumps(value))
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    assert refused_model(a_model) == (
        f"{METADATA} in M lacks version, authors, which MONAI requires."
    )


def test_metadata_without_a_tensors_shape_is_refused(a_model):
    value = json.loads((a_model / METADATA).read_text())
    del value["network_data_format"]["inputs"]["mr"]["spatial_shape"]
    (a_model / METADATA).write_text(json.dumps(value))
    (a_model / SUMS).write_bytes(sums(read_folder(a_model)))
    assert refused_model(a_model) == (
        f"{METADATA} in M lacks inputs.mr.spatial_shape, which MONAI requires."
    )


# Names


@pytest.mark.parametrize("name", ["a", "abdomen-ct-mr", "Heart_2.1", "x" * 64, "_x", "1"])
def test_names_that_fit_every_system_are_taken(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".x", "..", "a/b", "a\\b", "-rf", "a.", "x" * 65, "Leber ü", "nul", "COM1.x", "a\n", 5],
)
def test_names_that_do_not_are_refused(name):
    assert refusal(check_name, name) == (
        f"The model name {name!r} cannot name a folder; use 1 to 64 letters, digits, hyphens, "
        "underscores and dots, starting with a letter or digit."
    )


def test_a_card_that_points_outside_the_store_is_refused(a_model):
    edit(a_model, CARD, '"abdomen-ct-mr"', '"../../evil"', resum=True)
    assert refused_model(a_model).startswith("The model name '../../evil' cannot name a folder;")


# Archives


@pytest.mark.parametrize("top", ["", "abdomen-ct-mr/", "other name/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_reads_like_its_folder(an_archive, a_model, top, method):
    assert read_zip(an_archive(top=top, compression=method)) == read_folder(a_model)


def test_what_file_browsers_leave_behind_is_overlooked(an_archive, a_model):
    litter = {".DS_Store": b"x", "__MACOSX/._card.json": b"x", "configs/.DS_Store": b"x"}
    assert read_zip(an_archive(litter)) == read_folder(a_model)


@pytest.mark.parametrize(
    "path",
    [
        "../card.json",
        "model/../../card.json",
        "/etc/card.json",
        "..\\card.json",
        "configs\\metadata.json",
        "C:/card.json",
        "./card.json",
        "configs//metadata.json",
        "../",
    ],
)
def test_paths_that_could_lead_elsewhere_are_refused(an_archive, path):
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = path
    archive = an_archive(infos=((info, b""),))
    assert refusal(read_zip, archive) == (
        f"{archive} holds the unsafe path {path!r}; nothing was unpacked."
    )


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_an_archive_are_refused(an_archive, kind):
    info = zipfile.ZipInfo("card.json")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    archive = an_archive({CARD: None}, infos=((info, b"/etc/passwd"),))
    assert refusal(read_zip, archive) == (
        f"card.json in {archive} is a link or a device; nothing was unpacked."
    )


def test_files_that_are_no_part_of_a_model_are_refused(an_archive):
    archive = an_archive({"setup.py": b"print('hello')"})
    assert refusal(read_zip, archive) == (
        f"setup.py in {archive} is no part of a model; take it out."
    )


def test_two_folders_in_an_archive_are_refused(an_archive):
    archive = an_archive({"other/card.json": b"{}"}, top="model/")
    assert refusal(read_zip, archive).endswith("is no part of a model; take it out.")


@pytest.mark.parametrize("name", FILES)
def test_an_archive_that_lacks_a_file_is_refused(an_archive, name):
    archive = an_archive({name: None})
    assert refusal(read_zip, archive) == f"{archive} is no model: it has no {name}."


def test_an_empty_archive_is_no_model(an_archive):
    archive = an_archive(dict.fromkeys(FILES))
    assert refusal(read_zip, archive) == f"{archive} is no model: it has no {WEIGHTS}."


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(an_archive):
    archive = an_archive(infos=((zipfile.ZipInfo(CARD), b"{}"),))
    assert refusal(read_zip, archive) == f"{archive} holds two files of one name; no model does."


def test_a_bomb_is_refused_by_its_ratio(an_archive):
    archive = an_archive({WEIGHTS: bytes(2**20)}, compression=zipfile.ZIP_DEFLATED)
    assert refusal(read_zip, archive) == (
        f"{WEIGHTS} in {archive} grows more than 100-fold when unpacked; no model does."
    )


def test_many_files_that_are_too_much_together_are_refused(an_archive, monkeypatch):
    monkeypatch.setattr("cmcseg.bundle.verify.MOST_BYTES", 2**20)
    noise = {f"{n}.bin": hashlib.shake_256(bytes([n])).digest(2**14) * 32 for n in range(4)}
    archive = an_archive(noise, compression=zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < 2**20
    assert refusal(read_zip, archive) == f"{archive} unpacks to 2 MiB; a model has at most 1 MiB."


def test_a_giant_archive_is_refused_unread(tmp_path):
    archive = tmp_path / "giant.zip"
    with archive.open("wb") as handle:
        handle.truncate(MOST_BYTES + 1)  # sparse
    assert refusal(read_zip, archive) == f"{archive} is larger than 256 MiB; no model is."


def test_an_encrypted_archive_is_refused(an_archive):
    archive = an_archive()
    content = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    archive.write_bytes(content)
    assert refusal(read_zip, archive) == (
        f"{archive} is encrypted; unpack it yourself and import the folder."
    )


def test_an_unusual_compression_is_refused(an_archive):
    archive = an_archive(compression=zipfile.ZIP_BZIP2)
    assert refusal(read_zip, archive) == (
        f"{WEIGHTS} in {archive} is not packed by the method 'deflate'; pack it again."
    )


def test_a_wrong_crc_is_refused(an_archive):
    archive = an_archive()
    content = bytearray(archive.read_bytes())
    content[2000] ^= 1
    archive.write_bytes(content)
    assert refusal(read_zip, archive) == (
        f"{archive} is damaged (Bad CRC-32 for file '{WEIGHTS}'); get it again."
    )


def test_a_member_that_lies_about_its_size_is_refused(an_archive):
    archive = an_archive(compression=zipfile.ZIP_DEFLATED)
    content = bytearray(archive.read_bytes())
    size = content.index(b"PK\x01\x02") + 24
    content[size : size + 4] = (100).to_bytes(4, "little")
    archive.write_bytes(content)
    assert refusal(read_zip, archive).startswith(f"{archive} is damaged (")


@pytest.mark.parametrize("share", [0.2, 0.6, 0.999])
def test_half_an_archive_is_refused(an_archive, share):
    archive = an_archive()
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    assert refusal(read_zip, archive) == f"{archive} is neither a folder nor a zip archive."


@pytest.mark.parametrize("seed", range(40))
def test_no_damage_to_an_archive_ends_in_anything_but_a_sentence(an_archive, a_model, seed):
    archive = an_archive(compression=zipfile.ZIP_DEFLATED)
    content = bytearray(archive.read_bytes())
    for number in hashlib.shake_256(bytes([seed])).digest(12):
        content[-1 - number * 2] ^= number or 1  # the directory is at the end
    archive.write_bytes(content)
    files = read_folder(a_model)
    with suppress(BadInput):
        files = read_zip(archive)  # only dates and the like were hit
    assert files == read_folder(a_model)


# A store is untouched by what it refuses


def test_nothing_is_written_when_an_archive_is_refused(an_archive, tmp_path):
    store = Store(shipped=tmp_path / "none", user=tmp_path / "user")
    refusal(store.import_, an_archive({"../../evil": b"x"}))
    assert not store.user.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "model.zip"]
