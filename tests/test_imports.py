"""The core is pure, imports point down, and nothing needs what is not there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import coatcheck

PACKAGE = Path(str(coatcheck.__file__)).parent
CORE = sorted((PACKAGE / "core").glob("*.py"))
FILES = sorted(PACKAGE.rglob("*.py"))
# What a module of the core may import from the core, top to bottom.
LAYERS: dict[str, set[str]] = {
    module: set(below.split())
    for module, below in {
        "engine": "accounts committer confined cookie events keeper keys loaded loader moves operations owners register"
        " revocations roster session settings token",
        "loader": "codec confined cookie events facts loaded moves opaque operations record records register session"
        " settings text token",
        "keeper": "codec committer events loaded merge moves opaque operations record register session settings token",
        "committer": "codec confined content cookie events facts loaded operations record register session"
        " settings token",
        "accounts": "confined endings events facts operations record register roster session",
        "register": "confined endings facts opaque operations record revocations roster session settings",
        "roster": "codec confined facts keys operations owners record seal",
        "moves": "codec endings events merge opaque operations record records",
        "records": "codec confined events keys merge opaque operations owners record settings",
        "revocations": "endings operations owners record",
        "endings": "confined events facts owners record",
        "session": "codec confined content loaded merge opaque record sign_in",
        "content": "codec merge opaque",
        "loaded": "facts opaque record",
        "sign_in": "events facts text",
        "owners": "confined facts keys",
        "opaque": "confined events facts keys record seal text",
        "token": "confined events facts keys record seal text",
        "cookie": "settings",
        "spelling": "settings",
        "settings": "merge",
        "merge": "codec confined facts",
        "operations": "record",
        "seal": "confined",
        "keys": "confined strength",
        "text": "events",
        "codec": "extensions",
        "confined": "",
        "strength": "",
        "record": "facts",
        "facts": "",
        "extensions": "",
        "headers": "",
        "events": "",
        "__init__": "",
    }.items()
}
STANDARD = {
    *("__future__", "binascii", "collections.abc", "copy", "dataclasses", "datetime", "decimal", "difflib", "enum"),
    *("itertools", "math", "re", "struct", "typing", "uuid", "zoneinfo"),
}
OTHERS = {"cryptography", "ormsgpack", "markupsafe"}
# And in some modules alone. `gmtime` of an instant that is given is arithmetic; `time` has the clock too.
FURTHER = {
    "cookie": {"time"},
    "opaque": {"hashlib"},
    "owners": {"hmac"},
    "endings": {"threading"},
    "revocations": {"hashlib"},
    "sign_in": {"hmac"},
}


class _Run(ast.NodeTransformer):
    """Leaves out what stands there for type checkers alone."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)


def imports(path: Path) -> set[str]:
    """Gives the modules that a file imports, wherever in it, when it runs."""
    found: set[str] = set()
    for node in ast.walk(_Run().visit(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import names the whole way"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= set(names) if node.module == "coatcheck.core" else {str(node.module)}
    return found


def names_used(path: Path) -> set[str]:
    tree = list(ast.walk(ast.parse(path.read_text())))
    return {node.id for node in tree if isinstance(node, ast.Name)} | {
        node.attr for node in tree if isinstance(node, ast.Attribute)
    }


def run(program: str, *blocked: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process of its own that cannot import some modules."""
    head = f"import sys\nsys.modules.update(dict.fromkeys({blocked!r}))\n"
    command = [sys.executable, "-W", "error", "-c", head + dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# The core


def test_every_module_of_the_core_has_its_layer() -> None:
    assert {path.stem for path in CORE} == set(LAYERS)


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_imports_inside_the_core_point_down(path: Path) -> None:
    own = {name.removeprefix("coatcheck.core.") for name in imports(path) if name.startswith("coatcheck.core.")}
    assert own <= LAYERS[path.stem]
    assert {name for name in imports(path) if name.split(".")[0] == "coatcheck"} - {"coatcheck.errors"} == {
        f"coatcheck.core.{name}" for name in own
    }


def test_the_layers_have_no_cycle() -> None:
    done: set[str] = set()
    while len(done) < len(LAYERS):
        ready = {name for name, below in LAYERS.items() if below <= done} - done
        assert ready, f"a cycle among {set(LAYERS) - done}"
        done |= ready


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_imports_no_socket_clock_framework_or_environment(path: Path) -> None:
    foreign = {name for name in imports(path) if name.split(".")[0] not in {*OTHERS, "coatcheck"}}
    assert foreign <= STANDARD | FURTHER.get(path.stem, set())
    assert not names_used(path) & {"environ", "getenv", "urandom", "now", "today", "utcnow", "open"} - OWN_NAMES.get(
        path.stem, set()
    )


# What the core itself calls so: the verb of a sealer, and the instant that it was given.
OWN_NAMES = {
    "accounts": {"now"},
    "register": {"now"},
    "endings": {"now"},
    "revocations": {"now"},
    "roster": {"now", "open"},
    "sign_in": {"now"},
    "engine": {"now"},
    "loader": {"now", "open"},
    "committer": {"now"},
    "keeper": {"now"},
    "moves": {"now"},
    "records": {"now", "open"},
    "merge": {"now"},
    "opaque": {"now", "open"},
    "token": {"now", "open"},
    "seal": {"now", "open"},
    "session": {"now"},
    "loaded": {"now"},
    "cookie": {"now"},
}


def test_only_gmtime_is_taken_from_the_clock_s_module() -> None:
    tree = ast.parse((PACKAGE / "core" / "cookie.py").read_text())
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "time"]
    assert [[alias.name for alias in node.names] for node in taken] == [["gmtime"]]


def test_the_core_runs_without_sockets_frameworks_and_environment() -> None:
    program = """
        import os
        import time
        from datetime import datetime

        class NoEnvironment(dict):
            def __getitem__(self, key):
                raise AssertionError(f"the environment was asked for {key}")
            get = __contains__ = __getitem__

        # What the interpreter and the libraries below ask for, they have asked for now.
        import cryptography.hazmat.primitives.ciphers.aead, cryptography.hazmat.primitives.kdf.hkdf
        import cryptography.hazmat.primitives.kdf.kbkdf, ormsgpack, zoneinfo

        def no_clock(*_):
            raise AssertionError("the clock was asked")

        os.environ = NoEnvironment()
        time.time = time.monotonic = time.perf_counter = time.sleep = no_clock
        os.urandom = no_clock

        from coatcheck.core.engine import Engine
        from coatcheck.core.headers import add_no_store, add_vary
        from coatcheck.core.keys import Keyring
        from coatcheck.core.session import Session
        from coatcheck.core.settings import Settings
        from coatcheck.drive import run

        count = iter(range(1, 1000))
        random = lambda length: next(count).to_bytes(length, "big")
        engine = Engine(Settings(), Keyring("9f3c1b7ad0e84c52b6e1f70a2d95c843"), random=random, emit=print)

        class Visit(Session):
            header = ""
            def _load(self):
                return run(engine.load(self.header, now=1_800_000_000))

        session = Visit(random)
        session["at"] = datetime(2030, 1, 1)
        session.permanent = True
        (cookie,) = run(engine.commit(session, now=1_800_000_000, https=True)).cookies
        after = Visit(random)
        after.header = cookie.partition(";")[0]
        assert after["at"] == datetime(2030, 1, 1)
        assert add_vary([]) and add_no_store([])
        assert "ssl" not in sys.modules and "asyncio" not in sys.modules
        """
    done = run(program, "socket", "_socket", "flask", "werkzeug", "jinja2", "select", "selectors", "http", "logging")
    assert done.returncode == 0, done.stderr


# The package


def test_the_package_imports_without_any_framework() -> None:
    program = """
        import coatcheck
        import coatcheck.drive, coatcheck.errors, coatcheck.log

        assert {getattr(coatcheck, name).__name__ for name in coatcheck.__all__} == set(coatcheck.__all__)
        assert not [name for name in sys.modules if name.split(".")[0] in ("starlette", "django", "quart", "aiohttp")]
        """
    done = run(program, "flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "framework", "missing"),
    [
        ("flask", "Flask", "flask"),
        ("flask", "Flask", "flask.sessions"),
        ("quart", "Quart", "quart"),
        ("litestar", "Litestar", "litestar"),
        ("aiohttp", "aiohttp", "aiohttp"),
        ("pyramid", "Pyramid", "pyramid.interfaces"),
        ("django", "Django", "django"),
        ("typed", "pydantic", "pydantic"),
    ],
)
def test_without_a_framework_its_module_says_what_to_install(module: str, framework: str, missing: str) -> None:
    done = run(f"import warnings; warnings.simplefilter('ignore'); import coatcheck.{module}", missing)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: coatcheck.{module} needs {framework}"), done.stderr
    assert f"pip install 'coatcheck[{module}]'" in done.stderr


@pytest.mark.parametrize("module", ["asgi", "wsgi"])
def test_the_middleware_needs_no_framework(module: str) -> None:
    frameworks = ("flask", "werkzeug", "quart", "starlette", "litestar", "aiohttp", "pyramid", "webob", "django")
    done = run(f"import coatcheck.{module}", *frameworks, "pydantic", "markupsafe")
    assert done.returncode == 0, done.stderr


def test_a_sync_program_does_without_asyncio() -> None:
    done = run("import coatcheck.wsgi; assert 'asyncio' not in sys.modules", "flask")
    assert done.returncode == 0, done.stderr


def test_the_public_names_are_those_of_the_documentation() -> None:
    assert sorted(coatcheck.__all__) == [
        *("CoatcheckError", "CsrfError", "Event", "InvalidSession", "Keyring", "Kind", "Reason"),
        *(
            "ReauthenticationRequired",
            "Session",
            "SessionInfo",
            "SessionTooLarge",
            "Settings",
            "StoreError",
            "TooManySessions",
        ),
        *("Unserializable", "UsageError"),
    ]


def test_public_names_say_where_they_are_from() -> None:
    for name in coatcheck.__all__:
        assert getattr(coatcheck, name).__module__.startswith("coatcheck")
        assert getattr(coatcheck, name).__doc__


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_unpickles_guesses_randomness_or_compares_macs_by_hand(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml"}
    assert not roots & {"random", "crypt"}
    # What stands for a user, and a comparison that takes the same time for all.
    assert "hmac" not in roots or path.stem in {"owners", "sign_in"}
    # The key of a record and of a list, which server has a key, and how Redis names a script and a list its file:
    # none of them authenticates anything.
    assert "hashlib" not in roots or path.stem in {"opaque", "revocations", "memcached_ring", "redis_record", "bell"}
    # A driver of a database is imported by a name that stands in a table.
    importers = {"import_module"} if path.stem == "drivers" else set()
    assert (
        not names_used(path)
        & {
            "eval",
            "exec",
            "__import__",
            "import_module",
            "loads",
            "getrandbits",
            "literal_eval",
        }
        - importers
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_prints_or_asserts(path: Path) -> None:
    if path.parent.stem == "testing":
        # A contract is made of assertions.
        return
    # Assertions go with `python -O`, and with them what they would have refused.
    tree = list(ast.walk(ast.parse(path.read_text())))
    assert not [node for node in tree if isinstance(node, ast.Assert)]
    assert "print" not in names_used(path)
