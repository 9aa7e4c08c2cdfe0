"""Where reports look for measures; they live in the judge's room because training measures its checkpoints too."""

from lastmile.judge.measure import Measures, Statistic, measure

__all__ = ["Measures", "Statistic", "measure"]
