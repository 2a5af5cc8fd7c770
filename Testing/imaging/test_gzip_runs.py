import gzip
import io
from contextlib import suppress

import numpy as np
import pytest
from cmcseg.imaging.gzip_runs import GzipRuns


def packed(*pieces: bytes) -> bytes:
    file = io.BytesIO()
    with GzipRuns(file) as packer:
        for piece in pieces:
            assert packer.write(piece) == len(piece)
    return file.getvalue()


def test_any_gzip_reads_what_was_packed_and_equal_bytes_give_equal_files():
    noise = np.random.default_rng(0).integers(256, size=70_000, dtype=np.uint8).tobytes()
    pieces = (bytes(100_000), noise, b"", bytes([3]) * 5000)
    assert gzip.decompress(packed(*pieces)) == b"".join(pieces)
    assert packed(*pieces) == packed(*pieces)


def test_a_file_that_was_given_up_does_not_pass_for_a_whole_one():
    file = io.BytesIO()
    with suppress(KeyError), GzipRuns(file) as packer:
        packer.write(bytes(1000))
        raise KeyError
    with pytest.raises(EOFError):
        gzip.decompress(file.getvalue())
