"""Training: steps, the loop, checkpoints, scores."""
