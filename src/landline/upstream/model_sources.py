"""Where the planner's models come from: landline's tables, a folder or a config.json, the hub's cache, the hub itself.

Files are read with care, for a folder of weights comes from strangers. The hub is asked last, for two small files of
one model, and only where nothing nearer knows its layers; no key is sent.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import msgspec
from msgspec import Struct

from landline.config.display import printable
from landline.errors import ErrorKind, LandlineError
from landline.planner.catalogue import Catalogue, Checkpoint, Model, read_catalogue
from landline.planner.model_config import MOST_BYTES, model_of_config

CONFIG = "config.json"
TEMPLATE = "chat_template.jinja"
TOKENIZER = "tokenizer_config.json"
INDEX = "model.safetensors.index.json"
HUB = "https://huggingface.co"
HUB_TIMEOUT_S = 5.0
MOST_FILES = 10_000
_MODEL_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


class _Metadata(Struct, frozen=True):
    total_size: int = 0


class _Tokenizer(Struct, frozen=True):
    chat_template: str | None = None


class _Index(Struct, frozen=True):
    metadata: _Metadata = _Metadata()


def shipped_catalogue() -> Catalogue:
    folder = resources.files("landline.planner")
    return read_catalogue(folder.joinpath("hardware.toml").read_bytes(), folder.joinpath("models.toml").read_bytes())


class ModelSources:
    """`report` is told of each connection before it is made."""

    def __init__(
        self, catalogue: Catalogue, *, environ: Mapping[str, str], offline: bool, report: Callable[[str], None]
    ) -> None:
        self._catalogue = catalogue
        self._environ = environ
        self._offline = offline or environ.get("HF_HUB_OFFLINE", "") in ("1", "true", "TRUE", "yes")
        self._report = report

    def find(self, name: str) -> Model:
        """Raises LandlineError with what to do where nothing knows it, or what is known is no config."""
        path = Path(name).expanduser()
        if _exists(path):
            return _of_path(path)
        row = self._catalogue.model(name)
        if row is not None and row.shape is not None:
            return self._with_weights(row)
        wanted = row.checkpoints[0].id if row is not None else name
        found = self._of_hub(wanted) if _MODEL_ID.fullmatch(wanted) else None
        if found is None:
            raise self._unknown(name, row)
        return found if row is None else self._with_weights(msgspec.structs.replace(row, shape=found.shape))

    def _with_weights(self, row: Model) -> Model:
        """With the exact size of those of its checkpoints that are in the hub's cache."""
        checkpoints = tuple(
            one if (file := _cached(one.id, self._environ)) is None else _weighed(one, file.parent)
            for one in row.checkpoints
        )
        return msgspec.structs.replace(row, checkpoints=checkpoints)

    def _of_hub(self, model_id: str) -> Model | None:
        """From the hub's cache on this machine, else from the hub."""
        cached = _cached(model_id, self._environ)
        if cached is not None:
            return _of_folder(cached.parent, cached, name=model_id)
        if self._offline:
            return None
        base = self._environ.get("HF_ENDPOINT", HUB).rstrip("/")
        config = self._fetch(f"{base}/{quote(model_id)}/resolve/main/{CONFIG}")
        if config is None:
            return None
        index = self._fetch(f"{base}/{quote(model_id)}/resolve/main/{INDEX}")
        return model_of_config(config, name=model_id, weights_bytes=_total_size(index))

    def _fetch(self, url: str) -> bytes | None:
        """None where it is not there, or nobody answers: what then is said is the same."""
        if urlsplit(url).scheme not in ("https", "http"):
            return None
        self._report(f"asking {printable(url)} (not with --offline)")
        request = Request(url, headers={"user-agent": "landline"})  # noqa: S310 (http or https, see above)
        try:
            with urlopen(request, timeout=HUB_TIMEOUT_S) as answer:  # noqa: S310
                return answer.read(MOST_BYTES + 1)
        except (OSError, ValueError, HTTPException):  # URLError is an OSError
            return None

    def _unknown(self, name: str, row: Model | None) -> LandlineError:
        shown = printable(name[:100])
        asked = "and the hub was not asked" if self._offline else "and the hub did not tell"
        what = f"{shown} is not in landline's table" if row is None else f"The layers of {row.id} are in no table"
        return LandlineError(
            ErrorKind.NOT_FOUND,
            f"{what}, {asked}.",
            hint="Give the folder with its weights or its config.json as MODEL, or its whole name on the Hugging Face "
            "hub (ORG/NAME). What the table knows: landline plan --list --vram 1000.",
        )


def _exists(path: Path) -> bool:
    try:
        return path.is_file() or (path / CONFIG).is_file() or (path.is_absolute() and path.exists())
    except (OSError, ValueError):
        return False


def _of_path(path: Path) -> Model:
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.suffix == ".gguf":
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"{printable(str(path))} is a GGUF file, which is not read.",
            hint="Name the model that it was made of, with --engine llama.cpp and --quantization.",
        )
    return _of_folder(folder, path if path.is_file() else folder / CONFIG, name=str(folder.resolve()))


def _of_folder(folder: Path, config: Path, *, name: str) -> Model:
    model = model_of_config(_read(config), name=name, weights_bytes=_weights_bytes(folder))
    return msgspec.structs.replace(model, template=_template(folder))


def _template(folder: Path) -> str:
    """A file of its own, or a field of the tokenizer's settings. Empty where there is none, or it cannot be read."""
    try:
        if (folder / TEMPLATE).is_file():
            return _read(folder / TEMPLATE).decode(errors="replace")
        settings = msgspec.json.decode(_read(folder / TOKENIZER), type=_Tokenizer)
    except (LandlineError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return settings.chat_template or ""


def _weighed(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    return msgspec.structs.replace(checkpoint, weights_bytes=_weights_bytes(folder))


def _cached(model_id: str, environ: Mapping[str, str]) -> Path | None:
    """The newest snapshot of a model in the hub's own cache."""
    home = Path(environ["HF_HOME"]) if environ.get("HF_HOME") else Path("~/.cache/huggingface").expanduser()
    hub = Path(environ["HF_HUB_CACHE"]) if environ.get("HF_HUB_CACHE") else home / "hub"
    folder = hub / f"models--{model_id.replace('/', '--')}" / "snapshots"
    try:
        found = [path for path in folder.glob(f"*/{CONFIG}") if path.is_file()]
        return max(found, key=lambda path: path.parent.stat().st_mtime, default=None)
    except OSError:
        return None


def _read(path: Path) -> bytes:
    """A regular file, never a pipe, and not more of it than a config can have."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            content = file.read(MOST_BYTES + 1) if regular else None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if content is None:
        raise _unreadable(path, None)
    return content


def _unreadable(path: Path, error: Exception | None) -> LandlineError:
    reason = (
        "it is not a regular file" if error is None else getattr(error, "strerror", None) or "its name is not valid"
    )
    return LandlineError(
        ErrorKind.NOT_FOUND,
        f"{printable(str(path)[:200])} cannot be read: {reason}.",
        hint="Give a model's folder, or the config.json in it.",
    )


def _weights_bytes(folder: Path) -> int:
    """Tensors in its safetensors files: all but 8 bytes and the header, whose length these bytes are."""
    total = 0
    try:
        for number, path in enumerate(sorted(folder.glob("*.safetensors"))):
            if number >= MOST_FILES:
                break
            with path.open("rb") as file:
                header = int.from_bytes(file.read(8), "little")
            total += max(path.stat().st_size - 8 - header, 0)
    except OSError:
        return 0
    return total


def _total_size(index: bytes | None) -> int:
    if index is None or len(index) > MOST_BYTES:
        return 0
    try:
        return max(msgspec.json.decode(index, type=_Index).metadata.total_size, 0)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
