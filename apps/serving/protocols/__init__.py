"""The APIs: TensorFlow Serving's REST and gRPC, KServe's v2, and their description."""
