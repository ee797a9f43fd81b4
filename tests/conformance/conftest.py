"""Fixtures of the conformance tests: real backends."""

from tests.fixtures_real import embedded_model, weights

__all__ = ["embedded_model", "weights"]
