"""Pages for the users of an application.

`sessions_page` of `coatcheck.pages.flask`, `.starlette` and `.django` shows where a user is signed
in, and signs out elsewhere. `handler.py` answers, and the three translate.
"""
