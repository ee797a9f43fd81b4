"""The OpenAI Responses API as clients speak it (Codex, the SDKs)."""
