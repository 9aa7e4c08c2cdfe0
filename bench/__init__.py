"""Ratios in one run, for anyone: `python -m bench rollout`, `update`, `step`, … time ours and a peer in turns."""
