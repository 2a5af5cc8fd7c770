"""The page that a clinician opens after segmenting: pictures, volumes, doubt and provenance."""
