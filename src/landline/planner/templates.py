"""Chat templates that a recipe names and vLLM's wheel lacks: where each is, and the hash of the one that was looked at.

They are vLLM's (Apache-2.0) and are fetched by whoever starts the server; landline ships none. Hashes are of the files
in vLLM's source distribution of that release.
"""

from __future__ import annotations

from msgspec import Struct

_RELEASE = "v0.32.0"
_EXAMPLES = f"https://raw.githubusercontent.com/vllm-project/vllm/{_RELEASE}/examples"


class Template(Struct, frozen=True, kw_only=True):
    name: str
    url: str
    sha256: str


_KNOWN = {
    "tool_chat_template_gemma4.jinja": "afdbb2abe3667ccde95cc2f86919f05370339399bab5f750950a4390523b8927",
    "tool_chat_template_deepseekv31.jinja": "8b99b81c2f0d3ab06c63a6e615429167869ca2713bd5c05d8a001176d4d262be",
}


def template_of(path: str) -> Template | None:
    """By the path that a recipe gives, as it lies in vLLM's repository."""
    name = path.rpartition("/")[2]
    if path != f"examples/{name}" or name not in _KNOWN:
        return None
    return Template(name=name, url=f"{_EXAMPLES}/{name}", sha256=_KNOWN[name])
