"""What uv is told of pip's settings, so that it asks the same indexes."""

import importlib.util
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parents[1] / "make" / "install.py"
# As `pip config list` prints them.
LISTED = """:env:.disable-pip-version-check='1'
global.cert='/etc/ca.crt'
global.constraint='/etc/constraints.txt'
global.extra-index-url='https://one.example/simple https://two.example/simple'
global.find-links='/wheels'
global.index-url='https://index.example/simple?a=b'
install.trusted-host='index.example'
"""


def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_uv_asks_where_pip_asks() -> None:
    assert install().settings(LISTED) == {
        "SSL_CERT_FILE": "/etc/ca.crt",
        "UV_CONSTRAINT": "/etc/constraints.txt",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_FIND_LINKS": "/wheels",
        "UV_DEFAULT_INDEX": "https://index.example/simple?a=b",
        "UV_INSECURE_HOST": "index.example",
    }


def test_hashes_stand_alone_and_the_callers_settings_are_stronger() -> None:
    found = install().environment({"UV_DEFAULT_INDEX": "https://mine.example"}, LISTED, True)
    assert found["UV_DEFAULT_INDEX"] == "https://mine.example"
    assert "UV_CONSTRAINT" not in found
    assert install().environment({}, LISTED, False)["UV_CONSTRAINT"] == "/etc/constraints.txt"
