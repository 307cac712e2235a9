"""What a user would pick instead: the mean, and ridge regression on tf-idf."""

from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from recurra.pipelines.core.optional import of_baselines


def fit_baselines(texts: np.ndarray, stars: np.ndarray) -> dict[str, Any]:
    """Estimators of scikit-learn, fitted to the training part, by name."""
    baselines = {
        "mean": DummyRegressor(),
        "tfidf_ridge": make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), Ridge()),
    }
    return of_baselines(baselines, lambda each: each.fit(texts, stars))
