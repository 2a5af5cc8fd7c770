"""The command ``cmcseg``: a file per verb, whose fields are the options and whose text is the help.

Exit codes: 0 done, 2 what was given cannot be used, 1 our fault.
"""

from cmcseg.cli.main import main

__all__ = ["main"]
