"""OpenAI chat completions as clients speak it (OpenCode, Qwen Code, the SDKs)."""
