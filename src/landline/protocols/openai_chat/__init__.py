"""OpenAI chat completions, as model servers speak it (vLLM, llama.cpp, SGLang, Ollama, LM Studio)."""
