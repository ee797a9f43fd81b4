"""How models mark their thinking in text, by vLLM's names of the parsers that read it (`delimiters.py`)."""
