"""What ``import cmcseg`` offers: segment, train and the queue, in memory or from files."""
