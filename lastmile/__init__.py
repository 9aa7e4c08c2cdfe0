"""lastmile: the last mile of summarization fine-tuning."""

__version__ = "0.1.0"
