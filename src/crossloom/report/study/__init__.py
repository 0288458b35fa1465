"""What a report says of a search: its Pareto front, its progress, its best points, and those that failed."""
