"""Decisions: who may, and where to. PURE; the state they need is passed in."""
