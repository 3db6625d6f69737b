"""A session that is a pydantic model, as a dependency.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
uvicorn --app-dir examples typed_fastapi:app

curl -c jar -b jar -X POST 'localhost:8000/cart?name=pear&price=120'
curl -c jar -b jar localhost:8000/cart
"""

from __future__ import annotations

import os
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field

from coatcheck.asgi import SessionMiddleware
from coatcheck.typed import TypedSession


class Item(BaseModel):
    name: str
    price: int = Field(ge=0)


class Visitor(BaseModel):
    user: str | None = None
    cart: list[Item] = []


def upgrade(content: dict[str, Any]) -> None:
    """The first version of this program called the cart `basket`."""
    if "basket" in content:
        content["cart"] = content.pop("basket")


visitor = TypedSession(Visitor, invalid="empty", upgrade=upgrade)
CurrentVisitor = Annotated[Visitor, Depends(visitor.dependency)]

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"])


@app.get("/cart")
async def show(visitor: CurrentVisitor) -> Visitor:
    return visitor


@app.post("/cart")
def add(item: Annotated[Item, Depends()], visitor: CurrentVisitor) -> int:
    # Nothing is to be saved: what changed is found when the response leaves.
    visitor.cart.append(item)
    return sum(item.price for item in visitor.cart)
