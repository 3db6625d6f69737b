"""The templates of the page, and those that an application puts in their place."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, TypeAlias

try:
    from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
except ImportError as _error:
    raise ImportError("coatcheck.pages needs Jinja2: pip install 'coatcheck[pages]'") from _error

from coatcheck.errors import UsageError

Templates: TypeAlias = str | PathLike[str] | BaseLoader | None
"""A folder, or a loader of Jinja2, with templates of the application's own."""


def find_templates(own: Templates) -> BaseLoader:
    """Gives a loader that looks for a template at the application's first, and has ours."""
    ours = PackageLoader("coatcheck.pages")
    if own is None:
        return ours
    if not isinstance(own, (str, PathLike, BaseLoader)):
        raise UsageError("templates= takes a folder, or a loader of Jinja2")
    return ChoiceLoader([own if isinstance(own, BaseLoader) else FileSystemLoader(own), ours])


class Renderer:
    """Renders templates outside of a framework that does."""

    def __init__(self, templates: Templates = None) -> None:
        self._environment = Environment(
            loader=find_templates(templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, template: str, context: Mapping[str, Any], request: object) -> str:
        """Gives the page as text. The templates see the framework's request too."""
        return self._environment.get_template(template).render(context, request=request)
