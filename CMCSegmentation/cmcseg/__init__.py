"""CMCSeg: robust multimodal segmentation of misaligned scan pairs."""

__version__ = "0.1.0"
