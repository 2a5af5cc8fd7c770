"""Inference: windows, probabilities, labels and doubt."""
