"""A server of SavedModels that speaks TensorFlow Serving's REST and gRPC APIs.

It knows SavedModels alone: neither the layers nor the pipelines are imported.
"""
