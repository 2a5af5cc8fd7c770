"""``python -m cmcseg`` is the command ``cmcseg``."""

from cmcseg.cli import main

main()
