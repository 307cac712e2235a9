"""Trackers of experiments: told of a run's configuration, metrics, figures and model.

`training.trackers` names them. Each is a package of others, which an extra of the same
name brings; nothing of one that is not named is imported.
"""

from .tracking import refuse_missing, track_model, tracked

__all__ = ["refuse_missing", "track_model", "tracked"]
