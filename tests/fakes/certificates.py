"""Certificates made while a test runs, by the openssl of the machine: each signs itself and is for loopback."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files in PEM."""

    certificate: Path
    key: Path

    @property
    def flags(self) -> tuple[str, ...]:
        return ("--tls-certificate", str(self.certificate), "--tls-key", str(self.key))

    @property
    def trusting(self) -> ssl.SSLContext:
        """Of a client that accepts this certificate alone."""
        return ssl.create_default_context(cafile=str(self.certificate))


def make_pair(folder: Path, name: str = "server", *, names: str = NAMES, passphrase: str = "") -> Pair:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    pair = Pair(folder / f"{name}-cert.pem", folder / f"{name}-key.pem")
    locked = ("-passout", f"pass:{passphrase}") if passphrase else ("-nodes",)
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", f"/CN={name}", "-addext", names),
            *("-keyout", str(pair.key), "-out", str(pair.certificate), *locked),
        ],
        check=True,
        capture_output=True,
    )
    return pair
