"""One formula a file."""
