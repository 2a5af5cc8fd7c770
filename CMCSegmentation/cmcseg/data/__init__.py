"""From cohorts to batches: reading, caching, cropping, augmenting, synthesising."""
