"""Compare: post-processing, baselines, metrics with intervals, and the report that says who won."""
