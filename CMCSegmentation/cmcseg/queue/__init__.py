"""Corrected pairs as new labelled data: folders on a plain disk, without a server."""
