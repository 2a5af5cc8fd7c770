"""Folders of pairs: many scans, on one computer or on many."""
