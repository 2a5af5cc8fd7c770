"""Models as folders: find, import, check, load and save them."""
