"""I/O in: the gateway. `proxy.py` is the life of one request, `app.py` puts everything together."""
