"""What uv is told of pip's settings, so that it asks the same indexes."""

import importlib.util
import os
import subprocess
import sys
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


def test_what_is_stronger_for_pip_is_stronger_here() -> None:
    listed = """:env:.find-links='/from/the/environment'
:env:.default-timeout='180'
:env:.no-index='yes'
download.index-url='https://another.command'
global.default-timeout='9'
global.find-links='/from/a/file'
global.index-url='https://weak.example'
global.no-index='0'
global.proxy='http://proxy.example:1'
install.index-url='https://strong.example'
install.proxy=''
"""
    script = install()
    own = {"HTTPS_PROXY": "http://general.example", "https_proxy": "http://general.example", "UV_INDEX": "https://u"}
    found = script.environment(own, listed, True)
    assert found["UV_FIND_LINKS"] == "/from/the/environment"
    assert found["UV_HTTP_TIMEOUT"] == "180"
    assert found["UV_DEFAULT_INDEX"] == "https://strong.example"
    assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://proxy.example:1"
    assert found["UV_INDEX"] == "https://u"
    assert script.options(listed) == ["--no-index"]
    assert script.options(LISTED) == []


def test_the_order_is_that_of_pip_itself(tmp_path: Path) -> None:
    """What pip itself lists of a file and a variable."""
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text("[global]\ntimeout = 5\nindex-url = https://user.example\n")
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PIP_TIMEOUT": "77"}
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    found = install().settings(listed)
    assert found["UV_HTTP_TIMEOUT"] == "77"
    assert found["UV_DEFAULT_INDEX"] == "https://user.example"
