"""I/O out: the model server, what it is, what it counts, and how it fails."""
