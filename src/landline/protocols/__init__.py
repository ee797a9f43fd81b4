"""The wire protocols, one folder each with the same files: wire, request, stream, errors. PURE."""
