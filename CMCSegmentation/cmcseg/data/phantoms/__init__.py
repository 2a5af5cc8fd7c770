"""People that never lived, and what scanners would make of their tissues."""
