"""How far off numbers are."""

import numpy as np
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error


def regression_metrics(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """`mae`, `rmse` and the coefficient of determination `r2` of `[N]` numbers."""
    return {
        "mae": float(mean_absolute_error(truth, predicted)),
        "rmse": float(root_mean_squared_error(truth, predicted)),
        "r2": float(r2_score(truth, predicted)) if len(truth) > 1 else 0.0,
    }
