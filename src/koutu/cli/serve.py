"""`koutu serve`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from koutu.cli import options


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8000,
    model: options.Model = "koutu",
    engine: options.Engine = "",
    device: options.Device = "cpu",
    token: Annotated[
        str, typer.Option(envvar="KOUTU_TOKEN", help="Secret that clients must send; better in KOUTU_TOKEN.")
    ] = "",
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen beyond this machine without a token.")] = False,
    allow_host: Annotated[list[str], typer.Option(help="Further name of this server, as in its address.")] = [],  # noqa: B006
    allow_origin: Annotated[list[str], typer.Option(help="Further site whose pages may call, https://….")] = [],  # noqa: B006
    jobs_folder: Annotated[
        Path | None, typer.Option(readable=False, help="Finished videos are kept here over a restart.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Pictures worked on at one time; 0: one a core.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Of the engine, for each of them; 0: its own choice.")] = 1,
    cert: Annotated[Path | None, typer.Option(readable=False, help="TLS certificate, for cameras of others.")] = None,
    key: Annotated[Path | None, typer.Option(readable=False, help="Its key.")] = None,
    ice_server: Annotated[list[str], typer.Option(help="stun: or turn: address, for WebRTC from afar.")] = [],  # noqa: B006
    trust_proxy: Annotated[str, typer.Option(help="Address of a proxy whose X-Forwarded-… count.")] = "",
    upload_mb: Annotated[int, typer.Option(min=1, help="Of a picture.")] = 32,
    megapixels: Annotated[int, typer.Option(min=1, help="Of a picture.")] = 40,
    requests: Annotated[int, typer.Option(min=1, help="Pictures at one time, waiting ones too.")] = 64,
    video_mb: Annotated[int, typer.Option(min=1, help="Of a video.")] = 512,
    video_seconds: Annotated[int, typer.Option(min=1, help="Of a video.")] = 600,
    jobs: Annotated[int, typer.Option(min=1, help="Videos at one time, waiting ones too.")] = 16,
    keep_minutes: Annotated[int, typer.Option(min=1, help="Of a video's result.")] = 60,
    viewers: Annotated[int, typer.Option(min=1, help="Live viewers at one time.")] = 8,
    idle_seconds: Annotated[int, typer.Option(min=1, help="Patience with clients that stall.")] = 30,
) -> None:
    """Serve a page, an HTTP API and live matting. Safe by default: only this machine, with limits.

    \b
    koutu serve                                   # then open http://127.0.0.1:8000
    KOUTU_TOKEN=… koutu serve --host 0.0.0.0 --cert cert.pem --key key.pem
    curl -F file=@portrait.jpg http://127.0.0.1:8000/api/remove -o cut.png
    """
    require_server()
    from koutu.server.run import run
    from koutu.server.settings import Limits, Settings

    limits = Limits(
        upload_mb=upload_mb, megapixels=megapixels, requests=requests, video_mb=video_mb, video_seconds=video_seconds,
        jobs=jobs, keep_minutes=keep_minutes, viewers=viewers, idle_seconds=idle_seconds,
    )  # fmt: skip
    settings = Settings(
        host=host, port=port, model=model, engine=engine or None, device=device, token=token,
        allow_hosts=tuple(allow_host), allow_origins=tuple(allow_origin), jobs_folder=jobs_folder,
        workers=workers, threads=threads, limits=limits, cert=cert, key=key,
        trust_proxy=trust_proxy, ice_servers=tuple(ice_server), insecure=insecure,
    )  # fmt: skip
    os.umask(0o077)  # what the server writes is nobody else's
    run(settings)


def require_server() -> None:
    """Raise ModelError, with the remedy, if what serving needs is not installed."""
    from importlib.util import find_spec

    from koutu.types import ModelError

    for module in ("fastapi", "uvicorn", "h11", "websockets", "python_multipart"):
        if find_spec(module) is None:
            raise ModelError(f"serving needs {module}, which is not installed; pip install 'koutu[serve]'")
