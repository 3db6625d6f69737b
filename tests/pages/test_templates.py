"""Templates of the application in the place of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from jinja2 import DictLoader
from pages.guest import LIST
from pages.site import Site
from pages.sites import flask_site

from coatcheck import UsageError
from coatcheck.pages.rendering import find_templates

LAYOUT = """<!doctype html><html lang="{{ words.lang }}"><title>Shop</title><body>
<header>The shop</header>{% block content %}{% endblock %}</body></html>"""
SESSIONS = """{% extends "coatcheck/layout.html" %}{% block content %}<form method="post">
<input name="csrf" value="{{ csrf }}">
{% for row in rows %}<button name="end" value="{{ row.handle }}">{{ row.device }}</button>{% endfor %}
</form>{% endblock %}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "coatcheck").mkdir()
    (tmp_path / "coatcheck" / "layout.html").write_text(LAYOUT)
    return tmp_path


def test_a_folder_of_the_application_has_the_layout(site: Site, folder: Path) -> None:
    site.start({"templates": folder})
    page = site.open().sign_in().get().page
    assert page.texts("title") == ["Shop"]
    assert page.texts("header") == ["The shop"]
    assert [card.device for card in page.cards] == ["Firefox on Windows"]


def test_a_refusal_has_the_layout_too(site: Site, folder: Path) -> None:
    site.start({"templates": str(folder)})
    page = site.open().sign_in().post({}).page
    assert page.texts("header") == ["The shop"]
    assert page.notice.startswith("This form is too old")


def test_a_loader_of_jinja_has_the_list(site: Site) -> None:
    site.start({"templates": DictLoader({"coatcheck/layout.html": LAYOUT, "coatcheck/sessions.html": SESSIONS})})
    laptop = site.open("<b>Firefox/1 on Windows").sign_in()
    page = laptop.get().page
    ((button, text),) = page.find("button")
    assert text == "Firefox on Windows"
    assert laptop.post({"csrf": page.csrf, "end": button["value"]}).status == 303
    assert laptop.greeting == "nobody has nothing"


def test_what_a_template_of_the_application_shows_is_escaped(site: Site) -> None:
    site.start(
        {
            "templates": DictLoader({"coatcheck/sessions.html": "{{ rows[0].place }}|{{ words.title }}"}),
            "place": lambda _: "<i>here</i>",
        }
    )
    assert site.open().sign_in().get().text == "&lt;i&gt;here&lt;/i&gt;|Where you are signed in"


def test_a_template_sees_the_request(site: Site) -> None:
    site.start({"templates": DictLoader({"coatcheck/sessions.html": "{{ request.method }}"})})
    assert site.open().sign_in().get().text == "GET"


def test_the_templates_of_a_flask_application_come_first(folder: Path) -> None:
    other = DictLoader({"coatcheck/layout.html": "other", "coatcheck/refusal.html": "{{ reason }} ({{ shop }})"})
    app = flask_site.make({"templates": other}, store="memory://")
    app.jinja_loader = DictLoader({"coatcheck/layout.html": LAYOUT + "{{ url_for('index') }}"})
    app.context_processor(lambda: {"shop": "figs"})
    client = app.test_client()
    # What the application has not is looked for where the page was told to.
    assert client.get(LIST).text == "You are not signed in. (figs)"
    client.get("/login?user=ada")
    text = client.get(LIST).text
    assert "<header>The shop</header>" in text
    assert text.endswith("</html>/")


def test_ours_are_escaped_in_a_flask_application_that_escapes_nothing() -> None:
    app = flask_site.make({"place": lambda _: "<i>here</i>"}, store="memory://")
    app.jinja_options = {"autoescape": False}
    client = app.test_client()
    client.get("/login?user=ada")
    text = client.get(LIST).text
    assert "<i>" not in text
    assert "&lt;i&gt;here" in text


def test_what_is_neither_a_folder_nor_a_loader_is_refused() -> None:
    with pytest.raises(UsageError, match="templates= takes a folder, or a loader of Jinja2"):
        find_templates(cast(Any, 5))
