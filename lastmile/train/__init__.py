"""Training: the two stages as Lightning modules, and the run folder that they write."""
