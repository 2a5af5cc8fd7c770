"""The nouns of the project: frozen values that need nothing but numpy."""
