"""A short form of ``kill_at_random.py``."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_at_random_moments_the_queue_and_the_model_stay_whole():
    script = Path(__file__).with_name("kill_at_random.py")
    done = subprocess.run(
        [sys.executable, str(script), "8", "3"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("8 kills (")
    assert " in finetune" in done.stdout
    assert re.search(r" [1-9]\d* fine-tunings ended as one that nobody interrupted", done.stdout)
    assert "): nothing lost, nothing half there; " in done.stdout
