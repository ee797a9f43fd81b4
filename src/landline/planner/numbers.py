"""A number of a plan, with how sure it is and how it was made. Knows nothing of models or servers."""

from __future__ import annotations

from msgspec import Struct

GIB = 1024**3
MIB = 1024**2
KIB = 1024


class Number(Struct, frozen=True, kw_only=True):
    """`exact` follows from the configuration alone; the others rest on an assumption that `formula` names."""

    name: str
    value: float
    unit: str
    exact: bool
    formula: str

    @property
    def shown(self) -> str:
        if self.unit in ("tokens", "bytes"):
            return f"{int(self.value):,} {self.unit}"
        return f"{self.value:,.1f} {self.unit}".rstrip()


def divided(whole: int, parts: int) -> int:
    """Rounded up."""
    return -(-whole // parts)
