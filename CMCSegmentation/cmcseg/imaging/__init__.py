"""Everything that knows how images are stored, placed, resampled and cleaned."""
