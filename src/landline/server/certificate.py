"""The certificate that the gateway answers https with: whether it can be used, said before anything listens.

uvicorn loads it again in each process that serves; here it is only tried, so that an error has words and not a trace.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from landline.config.settings import Gateway
from landline.errors import SettingsError

_MAKE = "`openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=NAME` makes a pair to try"


def check_certificate(gateway: Gateway) -> None:
    """Raises SettingsError where https was asked for and cannot be spoken."""
    certificate, key = gateway.tls_certificate, gateway.tls_key
    if not certificate and not key:
        return
    if not (certificate and key):
        given, missing = ("tls_certificate", "tls_key") if certificate else ("tls_key", "tls_certificate")
        raise SettingsError(
            f"gateway.{given} is set and gateway.{missing} is not: https needs both.",
            hint=f"Set gateway.{missing} too (--{missing.replace('_', '-')}); a file that holds both is named twice. "
            "Without either, landline speaks plain http.",
        )
    for name, file in (("tls_certificate", certificate), ("tls_key", key)):
        _check_readable(name, file)
    _check_pair(certificate, key)


def _check_readable(name: str, file: str) -> None:
    try:
        with Path(file).open("rb") as opened:
            opened.read(1)
    except OSError as error:
        hint = "Let the user that runs landline read it." if isinstance(error, PermissionError) else "Correct the path."
        raise SettingsError(
            f"gateway.{name}: {file} cannot be read: {error.strerror}.", hint=f"{hint} {_MAKE}."
        ) from None


def _check_pair(certificate: str, key: str) -> None:
    locked: list[bool] = []

    def passphrase() -> str:
        locked.append(True)
        return ""  # else it would be asked for on the terminal, by each process

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is one; ValueError: of a passphrase
        if locked:
            raise SettingsError(
                f"gateway.tls_key: {key} has a passphrase, which landline does not ask for.",
                hint="Write the key without one, readable for you alone: `openssl pkey -in KEY -out PLAIN`.",
            ) from None
        raise _no_pair(certificate, key, getattr(error, "reason", None)) from None


def _no_pair(certificate: str, key: str, reason: object) -> SettingsError:
    if reason == "KEY_VALUES_MISMATCH":
        return SettingsError(
            f"gateway.tls_key: {key} is not the key of the certificate in {certificate}.",
            hint="Name the two files that were made together; of a chain, the server's own certificate stands first.",
        )
    return SettingsError(
        f"{certificate} and {key} are not a certificate and its key in PEM ({reason or 'no reason is told'}).",
        hint=f"gateway.tls_certificate is the file with BEGIN CERTIFICATE, gateway.tls_key the one with BEGIN PRIVATE "
        f"KEY. {_MAKE}.",
    )
