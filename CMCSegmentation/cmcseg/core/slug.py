"""A name for folders and commands out of a name for people."""

import re
import unicodedata


def slug(name: str) -> str:
    """As in "besancon-2" of "Besançon 2"; empty where no Latin letter or digit is in it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.casefold()).strip("-")
