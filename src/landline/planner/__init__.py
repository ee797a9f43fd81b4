"""Plans how a model is served: whether it fits, how long and for how many, and the line that starts it."""
