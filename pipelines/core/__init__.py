"""What every run shares: the contract of tasks, training, evaluation, export."""
