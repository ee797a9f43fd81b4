"""Anthropic Messages, as clients speak it (version 2023-06-01 and later; the version header is not checked)."""
