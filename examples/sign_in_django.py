"""Signing in with Django, in one file: its own login and logout, and a page of where else you are signed in.

pip install 'coatcheck[django]'
export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
python examples/sign_in_django.py migrate
python examples/sign_in_django.py createsuperuser
python examples/sign_in_django.py runserver

Open http://127.0.0.1:8000 in two browsers, sign in, and have one of them end the other.
The sessions are in their cookies, encrypted; revoked.db remembers which have been ended.
"""

import os
import sys
from typing import cast

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path

PAGES = {
    "login.html": '<form method="post">{% csrf_token %}{{ form }}<button>Sign in</button></form>',
    "sessions.html": """
        <h1>Hello {{ request.user }}!</h1>
        <ul>
        {% for info in sessions %}
            <li>{{ info.device|default:"something" }} at {{ info.ip }}, {{ info.seen_at|timesince }} ago
            {% if info.current %}(this one){% else %}
            <form method="post" action="/end">{% csrf_token %}
                <input type="hidden" name="handle" value="{{ info.handle }}"><button>End it</button>
            </form>{% endif %}
        {% endfor %}
        </ul>
        <form method="post" action="/end-others">{% csrf_token %}<button>End all others</button></form>
        <form method="post" action="/logout">{% csrf_token %}<button>Sign out</button></form>""",
}

settings.configure(
    DEBUG=True,
    SECRET_KEY=os.environ["SECRET_KEY"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "users.db"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MIDDLEWARE=[
        "coatcheck.django.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    SESSION_ENGINE="coatcheck.django",
    SESSION_STORE=os.environ.get("SESSION_STORE"),  # None: the cookie. Or a URL: redis://localhost:6379/0
    SESSION_REVOCATIONS=os.environ.get("SESSION_REVOCATIONS", "sqlite:///revoked.db"),
    SESSION_PRESET="aal1",
    LOGIN_URL="/login",
    LOGIN_REDIRECT_URL="/",
    LOGOUT_REDIRECT_URL="/login",
    USE_TZ=True,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [("django.template.loaders.locmem.Loader", PAGES)],
                "context_processors": ["django.template.context_processors.request"],
            },
        }
    ],
)
application = get_wsgi_application()

# These need the settings.
from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.views import LoginView, LogoutView  # noqa: E402
from django.views.decorators.http import require_POST  # noqa: E402

from coatcheck.django import SessionStore, revoke, revoke_user, sessions_of  # noqa: E402


def known(request: HttpRequest) -> tuple[str, SessionStore]:
    """Gives the user and the session of a request, typed as what they are."""
    return str(request.user.pk), cast(SessionStore, request.session)


@login_required
def index(request: HttpRequest) -> HttpResponse:
    user, session = known(request)
    return render(request, "sessions.html", {"sessions": sessions_of(user, current=session)})


@login_required
@require_POST
def end(request: HttpRequest) -> HttpResponse:
    user, _ = known(request)
    if not revoke(request.POST.get("handle", ""), user_id=user):
        raise Http404("you have no such session")
    return redirect("/")


@login_required
@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    user, session = known(request)
    revoke_user(user, keep=session)
    return redirect("/")


urlpatterns = [
    path("", index),
    path("login", LoginView.as_view(template_name="login.html")),
    path("logout", LogoutView.as_view()),
    path("end", end),
    path("end-others", end_others),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
