"""Data for the pipelines: users' files, tensorflow-datasets, embedded samples."""
