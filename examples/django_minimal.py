"""Django in one file, with sessions that the browser can neither read nor change.

export SECRET_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')
python examples/django_minimal.py runserver
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    DEBUG=True,
    SECRET_KEY=os.environ["SECRET_KEY"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["coatcheck.django.SessionMiddleware"],
    SESSION_ENGINE="coatcheck.django",
    SESSION_STORE=os.environ.get("SESSION_STORE"),  # None: the cookie. Or a URL: redis://localhost:6379/0
)


def index(request: HttpRequest) -> HttpResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(f"Visit {request.session['visits']}")


def show(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"You were here {request.session.get('visits', 0)} times")


def logout(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse("Goodbye")


urlpatterns = [path("", index), path("show", show), path("logout", logout)]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
