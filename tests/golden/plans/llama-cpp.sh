# openai/gpt-oss-20b on 1 x Apple 36GB (27 GiB): 131,072 tokens, 3.7 sessions of that length at once
# gpt-oss-20b-MXFP4.gguf, weights mxfp4, cache q8_0, for llama.cpp builds of October 2026, family gpt-oss
# the longest context for one session: 131,072 tokens
#
# weights per card                     12.8 GiB  estimated
# left for the cache                   11.8 GiB  estimated
# cache per token                      25.5 KiB  estimated
# one session of 131,072 tokens         3.2 GiB  estimated
# cache in all                   487,279 tokens  estimated
# sessions of that length           3.7 at once  estimated
#
# --host 127.0.0.1     this machine alone
# --port 8080          for landline: --backend http://127.0.0.1:8080
# --jinja              the model's own chat template; without it there are no tools
# --n-gpu-layers 999   all layers on the card
# --ctx-size 262144    tokens of all sessions together
# --parallel 4         a title, a search or a subagent gets a slot of its own instead of that of the long prompt
# --kv-unified         slots share the context; else each has its part of it alone
# --cache-reuse 256    pieces of a prompt that moved are not read again
# --flash-attn on      a smaller cache needs it
# --cache-type-k q8_0  about half the memory of f16
# --cache-type-v q8_0  about half the memory of f16
# --swa-full           keeps whole windows: else each turn is read from its beginning
# --metrics            landline reads what came from the cache
#
# ! the file name is an example: give the path of your GGUF file

llama-server --model gpt-oss-20b-MXFP4.gguf \
  --host 127.0.0.1 \
  --port 8080 \
  --jinja \
  --n-gpu-layers 999 \
  --ctx-size 262144 \
  --parallel 4 \
  --kv-unified \
  --cache-reuse 256 \
  --flash-attn on \
  --cache-type-k q8_0 \
  --cache-type-v q8_0 \
  --swa-full \
  --metrics
