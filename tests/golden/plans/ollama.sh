# Qwen/Qwen3.6-27B on 1 x Apple 64GB (48 GiB): 131,072 tokens, 3.6 sessions of that length at once
# qwen3.6:27b, weights q4_k_m, cache f16, for ollama 2026-08, family qwen3.6
# the longest context for one session: 262,144 tokens
#
# weights per card                     15.2 GiB  estimated
# left for the cache                   29.4 GiB  estimated
# cache per token                      64.0 KiB  exact
# state                               146.8 MiB  exact
# one session of 131,072 tokens         8.1 GiB  estimated
# cache in all                   481,062 tokens  estimated
# sessions of that length           3.6 at once  estimated
#
# OLLAMA_CONTEXT_LENGTH=131072  its defaults cut prompts in silence
# OLLAMA_NUM_PARALLEL=2         requests at once; each has a whole context of its own
# OLLAMA_KEEP_ALIVE=-1          the model stays loaded, and its cache with it
# OLLAMA_FLASH_ATTENTION=1      needed for a smaller cache
# OLLAMA_KV_CACHE_TYPE=f16      type of the cache
#
# ! the tag says which quantisation Ollama fetches: ollama show must name the one planned here
# ! states cannot be cut back: a prompt that changes in its middle is read again from its beginning

# then, in another shell: ollama pull qwen3.6:27b
OLLAMA_CONTEXT_LENGTH=131072 \
OLLAMA_NUM_PARALLEL=2 \
OLLAMA_KEEP_ALIVE=-1 \
OLLAMA_FLASH_ATTENTION=1 \
OLLAMA_KV_CACHE_TYPE=f16 \
ollama serve
