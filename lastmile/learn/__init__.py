"""Pure tensor mathematics of learning: advantages, KL, losses. No model, no files, no clock."""
