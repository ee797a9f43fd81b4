"""`landline serve`: the gateway in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from landline.cli.output import notice, reports_errors


@click.command(
    epilog="\b\nExamples:\n  landline serve --backend http://127.0.0.1:8000\n"
    "  landline serve --embedded --port 4100\n"
    "  landline serve --config team.toml --host 10.0.0.5      (needs gateway.keys)\n"
    "  landline serve --tls-certificate cert.pem --tls-key key.pem"
)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Settings file instead of the user's own."
)
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 picks a free one.  [default: 4000]")
@click.option("--backend", help="Base URL of the model server, with or without /v1.  [default: http://127.0.0.1:8000]")
@click.option("--model", help="Served model that answers for names nothing else maps.")
@click.option("--embedded", is_flag=True, help="Run a small local model inside landline instead of a backend.")
@click.option("--workers", type=int, help="Processes that share the port.  [default: 1]")
@click.option("--tls-certificate", metavar="FILE", help="Certificate with its chain, in PEM: https in place of http.")
@click.option("--tls-key", metavar="FILE", help="Its private key, in PEM.")
@reports_errors
def serve(
    config_file: Path | None,
    host: str | None,
    port: int | None,
    backend: str | None,
    model: str | None,
    embedded: bool,
    workers: int | None,
    tls_certificate: str | None,
    tls_key: str | None,
) -> None:
    """Run the gateway until Ctrl-C or SIGTERM; running requests are allowed to finish.

    One line per request goes to standard error. GET /ready tells whether the backend answers.
    """
    import os

    import msgspec

    from landline.config.sources import load_settings
    from landline.server.run import listen
    from landline.server.run import serve as run
    from landline.upstream.families import known_families

    flags: dict[str, object] = {"gateway.host": host, "gateway.port": port, "gateway.workers": workers}
    flags |= {"gateway.tls_certificate": tls_certificate, "gateway.tls_key": tls_key}
    flags |= {"backend.url": backend, "models.default": model}
    loaded = load_settings(flags=flags, environ=os.environ, cwd=Path.cwd(), explicit_file=config_file)
    for text in loaded.notices:
        notice(text)
    settings = loaded.settings
    known_families(settings.models.families)  # before anything is started: each worker reads them again
    sock = listen(settings.gateway)
    local = None
    if embedded:
        from landline.cli.embedded import open_embedded

        local = open_embedded(settings, report=notice)
        settings = msgspec.structs.replace(
            settings,
            backend=msgspec.structs.replace(settings.backend, url=local.url, replicas=(), protocol="openai_chat"),
        )
    address = sock.getsockname()
    notice(f"landline listens on {settings.gateway.scheme}://{address[0]}:{address[1]}, backend {settings.backend.url}")
    try:
        run(settings, sock)
    finally:
        sock.close()
        if local is not None:
            local.close()
