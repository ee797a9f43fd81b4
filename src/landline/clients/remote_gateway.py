"""What a running gateway says of its models: `GET /v1/models`, as OpenAI shapes it. Blocking: run it in a thread."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from landline.clients.claude_code import is_loopback
from landline.config.settings import Settings
from landline.errors import ErrorKind, LandlineError, SettingsError

_BYTES_READ = 4 * 1024 * 1024
CERTIFICATE_HINT = (
    "Call it by a name that stands in its certificate: --gateway https://NAME:PORT, or that name in gateway.hosts. "
    "For a certificate of your own making: SSL_CERT_FILE=FILE here, NODE_EXTRA_CA_CERTS=FILE for clients."
)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """`window` in tokens, 0: the gateway does not say."""

    id: str
    window: int


def gateway_base(url: str) -> str:
    """`url` without a trailing slash or /v1, which clients add themselves. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"--gateway: {url} is not a URL.", hint="Example: --gateway http://127.0.0.1:4000")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def served_models(base_url: str, *, key: str, timeout_s: float = 10) -> tuple[ServedModel, ...]:
    """The models of the gateway at `base_url`, in its order. Raises LandlineError."""
    # Scheme and host were checked by `gateway_base`.
    request = urllib.request.Request(f"{base_url}/v1/models", headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    handlers = [urllib.request.ProxyHandler({})] if is_loopback(urlsplit(base_url).hostname or "") else []
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout_s) as answer:
            body = json.loads(answer.read(_BYTES_READ))
    except urllib.error.HTTPError as error:
        raise _refused(base_url, error.code) from error
    except OSError as error:
        if refused := tls_refused(base_url, error):
            raise refused from error
        raise LandlineError(
            ErrorKind.BACKEND_UNAVAILABLE,
            f"No gateway answers at {base_url}.",
            hint="Start one with `landline serve`, or leave --gateway out: launch then starts its own.",
        ) from error
    except ValueError as error:
        raise _no_list(base_url) from error
    return _models(body, base_url)


def _refused(base_url: str, status: int) -> LandlineError:
    if status in {401, 403}:
        return key_refused(base_url, status)
    return _no_list(base_url)


def key_refused(base_url: str, status: int) -> LandlineError:
    return LandlineError(
        ErrorKind.AUTHENTICATION,
        f"The gateway at {base_url} wants another key (HTTP {status}).",
        hint="Give it in LANDLINE_GATEWAY_KEYS.",
    )


def tls_refused(base_url: str, error: Exception) -> LandlineError | None:
    """What to tell where https, or the want of it, keeps us from asking; None where it is something else."""
    reason = getattr(error, "reason", error)  # urllib wraps it
    if isinstance(reason, ssl.SSLCertVerificationError):
        message = f"The certificate at {base_url} is not accepted: {reason.verify_message.rstrip('.')}."
        return LandlineError(ErrorKind.BACKEND_UNAVAILABLE, message, hint=CERTIFICATE_HINT)
    if isinstance(reason, http.client.RemoteDisconnected) and base_url.startswith("http://"):
        message = f"What listens at {base_url} hangs up on plain http."
        hint = "A gateway with a certificate speaks https alone: --gateway https://NAME:PORT."
        return LandlineError(ErrorKind.BACKEND_UNAVAILABLE, message, hint=hint)
    return None


def _no_list(base_url: str) -> LandlineError:
    return LandlineError(
        ErrorKind.BAD_BACKEND,
        f"{base_url}/v1/models did not answer with a list of models.",
        hint="Is this a landline gateway? For a model server use --backend.",
    )


def _models(body: object, base_url: str) -> tuple[ServedModel, ...]:
    rows = cast("dict[str, object]", body).get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise _no_list(base_url)
    models: list[ServedModel] = []
    for row in cast("list[object]", rows):
        entry = cast("dict[str, object]", row) if isinstance(row, dict) else {}
        name, window = entry.get("id"), entry.get("max_model_len")
        if isinstance(name, str) and name:
            models.append(ServedModel(name, window if isinstance(window, int) and window > 0 else 0))
    if not models:
        raise _no_list(base_url)
    return tuple(models)


def own_address(settings: Settings) -> str:
    """Where `landline serve` is found by these settings; with https by the first of its names, as certificates want."""
    own = settings.gateway
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(own.host, own.host)  # noqa: S104 - where it listens, not we
    if own.scheme == "https" and own.hosts:
        host = own.hosts[0]
    return f"{own.scheme}://[{host}]:{own.port}" if ":" in host else f"{own.scheme}://{host}:{own.port}"
