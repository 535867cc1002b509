"""Serve until killed: python -m tests.athena_server --port 5555 [--lake FOLDER] [--engine trino|duckdb]."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.athena_server.server import Server


def main() -> None:
    """Start moto, Trino over it, and Athena before both; say READY with the address."""
    words = argparse.ArgumentParser(prog="python -m tests.athena_server", description=__doc__)
    words.add_argument("--port", type=int, default=0, help="0 takes a free one")
    words.add_argument("--engine", choices=["trino", "duckdb"], default="trino")
    words.add_argument("--lake", type=Path, help="a lake folder to upload to s3://lake and to register in Glue")
    words.add_argument("--until-stdin-ends", action="store_true", help="stop when the parent closes standard input")
    given = words.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that Trino is stopped too

    import moto.server
    from werkzeug.serving import make_server

    from tests.athena_server.app import App
    from tests.athena_server.executions import Executions

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = App(moto.server.DomainDispatcherApplication(moto.server.create_backend_app))
    server: Any = make_server(
        "127.0.0.1", given.port, app, threaded=True, request_handler=moto.server.MotoRequestHandler
    )
    url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    s3 = _client("s3", url)
    for bucket in ("lake", "results"):
        s3.create_bucket(Bucket=bucket)
    glue = _client("glue", url)
    if given.engine == "duckdb":
        from tests.athena_server.duckdb_runner import DuckDbRunner

        app.open(Executions(DuckDbRunner(url, glue), s3, glue), glue)
        _register(given.lake, url)
        _say(url, app.engine_name, "-")
        _wait(given.until_stdin_ends)
        return
    with tempfile.TemporaryDirectory() as folder:
        from tests.athena_server.trino_runner import TrinoRunner
        from tests.trino.launch import start_trino

        trino = start_trino(Path(folder), endpoint=url)
        try:
            app.open(Executions(TrinoRunner(trino.url), s3, glue), glue, trino_url=trino.url)
            _register(given.lake, url)
            _say(url, app.engine_name, trino.url)
            _wait(given.until_stdin_ends)
        finally:
            trino.stop()


def _say(url: str, engine: str, trino: str) -> None:
    """Say that all is up, and how a client finds it."""
    print(f"READY {url} {engine} {trino}", flush=True)
    for name, value in Server(url, engine, trino, None).environment.items():
        print(f"export {name}={value}", flush=True)


def _register(lake: Path | None, url: str) -> None:
    """Put a lake on S3 and into Glue."""
    if lake is None:
        return
    from tests.athena_server.lakes import register

    register(lake, url)


def _wait(until_stdin_ends: bool) -> None:
    """Go on for ever; or until standard input ends: the parent is gone."""
    try:
        if until_stdin_ends:
            sys.stdin.read()
        else:
            threading.Event().wait()
    except KeyboardInterrupt:
        return


def _client(service: str, url: str) -> Any:
    import boto3

    from tests.trino.launch import KEY

    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=KEY
    )


if __name__ == "__main__":
    main()
