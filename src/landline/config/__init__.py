"""Settings of landline: the only package that reads our own settings files and environment."""
