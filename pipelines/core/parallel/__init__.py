"""Training by several processes, to the result of one.

Every worker reads the same global batches and takes its rows of each. Gradients are
weighed by what the rows count in the loss, summed over the workers, and then clipped
and applied by each worker for itself, so that all keep the same weights.

`workers` has what a worker does, `noise` the noise of its rows, `processes` the workers
of one machine, `cluster_training` those of a cluster of Ray. `pool` is for work that
falls into items: by processes of this machine (`children`) or of a cluster (`nodes`,
to which `cluster` is the way).
"""
