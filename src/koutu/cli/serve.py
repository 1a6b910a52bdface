"""`koutu serve`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from koutu.cli import options
from koutu.server.settings import Limits, ServerSettings


def parse_workers(given: str | int) -> int | str:
    """A number, or the address of a cluster; the default comes through here as well."""
    text = str(given)
    if text.isdecimal():
        return int(text)
    if ":" not in text and text != "auto":
        raise typer.BadParameter(f"expected a number, auto, HOST:PORT or ray://HOST, got {text!r}; write one of them")
    return text


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on: 127.0.0.1 is this machine alone, 0.0.0.0 every network of it.")
    ] = ServerSettings.host,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")
    ] = ServerSettings.port,
    model: options.Model = ServerSettings.model,
    engine: options.Engine = "",
    device: options.Device = ServerSettings.device,
    token: Annotated[
        str, typer.Option(envvar="KOUTU_TOKEN", help="Secret that clients must send; better given in KOUTU_TOKEN.")
    ] = ServerSettings.token,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine without a token.")
    ] = ServerSettings.insecure,
    allow_host: Annotated[
        list[str], typer.Option(help="Further name that this server is reached by; give it again for more.")
    ] = [],  # noqa: B006
    allow_origin: Annotated[
        list[str], typer.Option(help="Further site, https://…, whose pages may call; give it again for more.")
    ] = [],  # noqa: B006
    jobs_folder: Annotated[
        Path | None,
        typer.Option(readable=False, help="Folder that keeps finished videos over a restart; none does if not given."),
    ] = ServerSettings.jobs_folder,
    workers: Annotated[
        Any,
        typer.Option(
            metavar="NUMBER|ADDRESS",
            parser=parse_workers,
            help="Pictures and live frames worked on at one time; 0 is one for each core. Or the address of a cluster "
            "of Ray, HOST:PORT or ray://HOST, whose machines work on videos.",
        ),
    ] = ServerSettings.workers,
    threads: Annotated[
        int, typer.Option(min=0, help="Threads of the engine for each of them; 0 leaves their number to it.")
    ] = ServerSettings.threads,
    cert: Annotated[
        Path | None, typer.Option(readable=False, help="TLS certificate (PEM), which other people's cameras need.")
    ] = ServerSettings.cert,
    key: Annotated[
        Path | None, typer.Option(readable=False, help="Private key (PEM) of the certificate.")
    ] = ServerSettings.key,
    ice_server: Annotated[
        list[str], typer.Option(help="stun: or turn: address for WebRTC from afar; give it again for more.")
    ] = [],  # noqa: B006
    trust_proxy: Annotated[
        str, typer.Option(help="Address of the proxy whose X-Forwarded headers count; nobody's if not given.")
    ] = ServerSettings.trust_proxy,
    upload_mb: Annotated[int, typer.Option(min=1, help="Largest picture taken, in megabytes.")] = Limits.upload_mb,
    megapixels: Annotated[int, typer.Option(min=1, help="Largest picture taken, in megapixels.")] = Limits.megapixels,
    requests: Annotated[
        int, typer.Option(min=1, help="Most pictures at one time, worked on and waiting.")
    ] = Limits.requests,
    video_mb: Annotated[int, typer.Option(min=1, help="Largest video taken, in megabytes.")] = Limits.video_mb,
    video_seconds: Annotated[int, typer.Option(min=1, help="Longest video taken, in seconds.")] = Limits.video_seconds,
    jobs: Annotated[int, typer.Option(min=1, help="Most videos at one time, worked on and waiting.")] = Limits.jobs,
    keep_minutes: Annotated[
        int, typer.Option(min=1, help="Minutes that a video's result is kept.")
    ] = Limits.keep_minutes,
    viewers: Annotated[int, typer.Option(min=1, help="Most live viewers at one time.")] = Limits.viewers,
    idle_seconds: Annotated[
        int, typer.Option(min=1, help="Seconds after which a client that stalls is let go.")
    ] = Limits.idle_seconds,
) -> None:
    """Serve a page, an HTTP API and live matting. Safe by default: only this machine, with limits.

    \b
    koutu serve                                   # then open http://127.0.0.1:8000
    KOUTU_TOKEN=… koutu serve --host 0.0.0.0 --cert cert.pem --key key.pem
    curl -F file=@portrait.jpg http://127.0.0.1:8000/api/remove -o cut.png
    """
    require_server()
    from koutu.server.run import run

    limits = Limits(
        upload_mb=upload_mb, megapixels=megapixels, requests=requests, video_mb=video_mb, video_seconds=video_seconds,
        jobs=jobs, keep_minutes=keep_minutes, viewers=viewers, idle_seconds=idle_seconds,
    )  # fmt: skip
    settings = ServerSettings(
        host=host, port=port, model=model, engine=engine or None, device=device, token=token,
        allow_hosts=tuple(allow_host), allow_origins=tuple(allow_origin), jobs_folder=jobs_folder,
        workers=0 if isinstance(workers, str) else workers, cluster=workers if isinstance(workers, str) else "",
        threads=threads, limits=limits, cert=cert, key=key,
        trust_proxy=trust_proxy, ice_servers=tuple(ice_server), insecure=insecure,
    )  # fmt: skip
    os.umask(0o077)  # what the server writes is nobody else's
    run(settings)


def require_server() -> None:
    """Raise ModelError, with the remedy, if what serving needs is not installed."""
    from importlib.util import find_spec

    from koutu.extras import pip_line
    from koutu.types import ModelError

    for module in ("fastapi", "uvicorn", "h11", "websockets", "python_multipart"):
        if find_spec(module) is None:
            raise ModelError(f"serving needs {module}, which is not installed; {pip_line('serve')}")
