"""What the embedded weather sample holds for a model to learn.

Forecasts of the temperature, evaluated on the sample's test part: the last value, the
value of a day before, ridge regression and boosted trees, both on the same inputs,
which are lagged values of all variables, the mask of what is missing and the calendar.
Where trees do better than ridge, there is something to be learned beyond a linear rule.

    python benchmarks/weather_sample.py
"""

import argparse

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from recurra.pipelines.weather.config import WeatherDataConfig
from recurra.pipelines.weather.data import WindowDataModule, load_weather_data
from recurra.pipelines.weather.windows import Windows

LAGS = (0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 23, 24, 30, 36, 47, 48, 60, 72, 95)
ALPHAS = (1.0, 10.0, 100.0, 1000.0)


def main() -> None:
    """Prints a line for each lead time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leads", type=int, nargs="+", default=[6, 12, 24])
    for lead in parser.parse_args().leads:
        config = WeatherDataConfig(
            targets=["T"], history=max(LAGS) + 1, horizon=1, first_lead=lead
        )
        data = load_weather_data(config)
        scaling = data.fit_scaling()
        data_module = WindowDataModule(data, scaling, config, 2048, seed=0)
        parts = [
            lagged(windows, data.shape.targets[0])
            for windows in (
                data_module.training,
                data_module.evaluation("validation"),
                data_module.evaluation("test"),
            )
        ]
        degrees = float(scaling.scale[data.shape.targets[0]])
        errors = {
            name: degrees * float(np.abs(forecast - parts[2]["target"]).mean())
            for name, forecast in forecasts(*parts, lead).items()
        }
        shown = ", ".join(f"{name} {error:.2f}" for name, error in errors.items())
        print(f"MAE of T (degC) {lead} h ahead: {shown}", flush=True)


def lagged(windows: Windows, target: int) -> dict[str, np.ndarray]:
    """Inputs, target and history of the target, of all windows that have one."""
    inputs, targets, histories = [], [], []
    back = [-1 - lag for lag in LAGS]
    for features, values, weights in windows.batches(2048):
        history = features["history"].numpy()
        observed = features["observed"].numpy()
        kept = weights.numpy()[:, 0, 0] > 0
        parts = [
            history[:, back].reshape(len(history), -1),
            observed[:, -1],
            features["known_future"].numpy()[:, 0],
        ]
        inputs.append(np.concatenate(parts, axis=1)[kept])
        targets.append(values.numpy()[kept, 0, 0])
        histories.append(history[kept, :, target])
    return {
        "inputs": np.concatenate(inputs),
        "target": np.concatenate(targets),
        "history": np.concatenate(histories),
    }


def forecasts(
    train: dict[str, np.ndarray],
    validation: dict[str, np.ndarray],
    test: dict[str, np.ndarray],
    lead: int,
) -> dict[str, np.ndarray]:
    """Of the test part, by name."""
    ridges = [
        Ridge(alpha).fit(train["inputs"], train["target"].astype(np.float64))
        for alpha in ALPHAS
    ]
    ridge = min(
        ridges,
        key=lambda fitted: np.abs(
            fitted.predict(validation["inputs"]) - validation["target"]
        ).mean(),
    )
    trees = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=150, random_state=0
    ).fit(train["inputs"], train["target"] - train["history"][:, -1])
    whole_days = 24 * -(-lead // 24)
    return {
        "last value": test["history"][:, -1],
        "day before": test["history"][:, -1 - whole_days + lead],
        "ridge": ridge.predict(test["inputs"]),
        "boosted trees": trees.predict(test["inputs"]) + test["history"][:, -1],
    }


if __name__ == "__main__":
    main()
