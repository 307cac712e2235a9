"""Models of each kind of answer, loaded and warmed up as a server does it."""

import answer_models
import pytest
import served_models

WRITERS = {
    "labels": answer_models.write_labels,
    "label_sets": answer_models.write_label_sets,
    "forecast": answer_models.write_forecast,
    "text": answer_models.write_text,
    "kinds": served_models.write_kinds,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Models by their kind of answer, and `kinds`, which has no card."""
    from recurra.apps.serving.models.loading import LoadedModel
    from recurra.apps.serving.models.warmup import warm_up
    from recurra.apps.serving.protocols.prediction_log import ANSWERS
    from recurra.apps.serving.settings import Settings

    loaded = {}
    for name, write in WRITERS.items():
        folder = write(tmp_path_factory.mktemp("models") / name)
        loaded[name] = LoadedModel(folder, Settings(), lambda rows: None)
        warm_up(loaded[name], folder, ANSWERS)
    yield loaded
    for model in loaded.values():
        model.close()
