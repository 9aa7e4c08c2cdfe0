"""The policy: a sequence-to-sequence model that encodes a document once, samples K summaries of it, and scores them."""
