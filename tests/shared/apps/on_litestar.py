"""Litestar."""

import os
from typing import Any, cast

from litestar import Litestar, MediaType, Request, get
from shared.apps.pages import run

from coatcheck.litestar import Coatcheck


@get("/{name:str}", media_type=MediaType.TEXT)
async def page(name: str, request: Request[Any, Any, Any]) -> str:
    return run(name, cast(Any, request.session), "Litestar")


app = Litestar([page], plugins=[Coatcheck(os.environ["SECRET_KEY"], store=os.environ.get("SESSION_STORE"))])
