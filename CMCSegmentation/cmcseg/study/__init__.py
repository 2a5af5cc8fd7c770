"""Studies: a grid of trainings, each cell measured once, told as tables and figures."""
