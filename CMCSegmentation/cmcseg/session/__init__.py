"""What a user can do, without a window: two hosts, Slicer and the browser, lay it out."""
