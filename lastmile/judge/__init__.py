"""What is a good summary: rewards, flags, and their composition."""
