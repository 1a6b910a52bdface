"""Every refusal in one form, remove.bg's: {"errors": [{"title", "detail", "code"}]} with a fitting status."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from koutu.types import InputError, KoutuError, OutputError

RETRY_SECONDS = 5


class Problem(BaseModel):
    """One thing that was wrong. detail: what was expected, what came and what to do; code: for programs."""

    title: str
    detail: str
    code: str


class Problems(BaseModel):
    """Why a request was refused."""

    errors: list[Problem]


class Refused(Exception):
    """Answered with `status` instead of a result."""

    def __init__(self, status: int, code: str, title: str, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """The answer."""
        return answer(self.status, self.code, self.title, self.detail, self.headers)


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


def answer(status: int, code: str, title: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal as JSON."""
    problems = Problems(errors=[Problem(title=title, detail=detail, code=code)])
    return JSONResponse(problems.model_dump(), status, dict(headers or {}))


def invalid(detail: str, code: str = "invalid_request") -> Refused:
    """400: the request itself is wrong."""
    return Refused(400, code, "Invalid request", detail)


def too_large(detail: str) -> Refused:
    """413: more than the limits allow. The connection is closed, since the rest of the body is not read."""
    return Refused(413, "too_large", "Too large", detail, {"Connection": "close"})


def busy(detail: str) -> Refused:
    """429: come again later."""
    return Refused(429, "rate_limit_exceeded", "Too many requests", detail, {"Retry-After": str(RETRY_SECONDS)})


def not_found(detail: str) -> Refused:
    """404: nothing, or nothing any more, under this address."""
    return Refused(404, "not_found", "Not found", detail)


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problems, "description": text}
    for status, text in {
        400: "The request or its image cannot be used",
        401: "A token is missing or wrong",
        403: "Another site's page, an unknown host name, or an address that is not fetched",
        408: "The body did not arrive in time",
        413: "Larger than the limits allow",
        422: "The request is not of the form described here",
        429: "Too much at one time; Retry-After says when to come again",
    }.items()
}


def install(app: FastAPI) -> None:
    """Answer every exception of the app in the one form."""

    @app.exception_handler(Refused)
    async def _refused(request: Request, error: Refused) -> JSONResponse:
        return error.response()

    @app.exception_handler(ClientGone)
    async def _gone(request: Request, error: ClientGone) -> Response:
        return Response(status_code=499)  # as nginx counts them; nobody reads it

    @app.exception_handler(InputError)
    async def _input(request: Request, error: InputError) -> JSONResponse:
        return answer(400, "invalid_input", "The input cannot be used", str(error))

    @app.exception_handler(OutputError)
    async def _output(request: Request, error: OutputError) -> JSONResponse:
        return answer(400, "invalid_output", "The result cannot be made in this form", str(error))

    @app.exception_handler(KoutuError)
    async def _failed(request: Request, error: KoutuError) -> JSONResponse:
        return answer(500, "failed", "The work failed", str(error))

    @app.exception_handler(RequestValidationError)
    async def _form(request: Request, error: RequestValidationError) -> JSONResponse:
        detail = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return answer(422, "invalid_request", "Invalid request", detail)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not_found", 405: "method_not_allowed"}
        title = str(error.detail)
        detail = f"{request.method} {request.url.path}: {title}; /docs lists what there is"
        return answer(error.status_code, codes.get(error.status_code, "invalid_request"), title, detail, error.headers)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        return answer(500, "internal", "Internal error", f"{type(error).__name__}; the server's log has the rest")
