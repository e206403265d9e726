"""Who asks: the bearer token of a request."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_stub.problems import Unauthenticated
from worker import accounts
from worker.principal import Principal
from worker.runtime import Runtime

bearer = HTTPBearer(auto_error=False, description="A token made by `claimd token create` or shown by `claimd up`.")


def runtime_of(request: Request) -> Runtime:
    """What the application was made with."""
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]


def principal_of(
    runtime: RuntimeDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Principal:
    """The bearer of the request's token.

    Raises:
        Unauthenticated: there is no token, or it is unknown, expired or revoked.
    """
    if credentials is None:
        raise Unauthenticated("Send the header “Authorization: Bearer …” with a token.")
    principal = accounts.authenticate(runtime, credentials.credentials)
    if principal is None:
        raise Unauthenticated("This token is unknown, expired or revoked.")
    return principal


PrincipalDep = Annotated[Principal, Depends(principal_of)]
