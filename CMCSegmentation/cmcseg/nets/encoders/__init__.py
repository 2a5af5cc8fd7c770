"""Encoders: from one scan's window to a pyramid of features."""
