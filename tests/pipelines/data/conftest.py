"""What tests of several readers need."""

import json

import pytest


def _write_tfds_info(data_dir, name, version, splits, examples):
    """The metadata that tfds keeps beside a prepared set: it names the splits."""
    folder = data_dir / name / version
    folder.mkdir(parents=True)
    info = {
        "name": name.partition("/")[0],
        "version": version,
        "fileFormat": "tfrecord",
        "splits": [
            {
                "name": split,
                "shardLengths": [str(examples)],
                "numBytes": "1",
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
            for split in splits
        ],
    }
    if "/" in name:
        info["configName"] = name.partition("/")[2]
    (folder / "dataset_info.json").write_text(json.dumps(info))


@pytest.fixture(scope="session")
def write_tfds_info():
    return _write_tfds_info
