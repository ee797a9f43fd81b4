"""The real clients for every test of this folder."""

from __future__ import annotations

from tests.fixtures_real import claude_programs

__all__ = ["claude_programs"]
