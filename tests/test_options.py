"""What a type checker is told of the options is what there is."""

from __future__ import annotations

from coatcheck.core.settings import OPTIONS
from coatcheck.options import Options


def test_every_option_is_named_and_no_other() -> None:
    assert sorted([*Options.__annotations__, "secret_key"]) == sorted(OPTIONS)
