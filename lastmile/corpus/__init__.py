"""Documents in: named data sets, files, checks, the built-in demo corpus, token batches."""
