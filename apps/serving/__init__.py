"""A server of SavedModels that speaks TensorFlow Serving's REST and gRPC APIs.

It knows SavedModels and their cards alone: of the pipelines it imports the cards and
nothing else. Imports go one way: server -> ui (the page) -> protocols (the APIs) ->
models -> settings.
"""
