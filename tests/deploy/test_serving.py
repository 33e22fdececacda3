"""How the service is deployed: the flags are ours, ports, probes and limits fit each other, systemd takes the unit."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from millrace.commands.serve import ServeOptions
from millrace.library.serving import KEYS
from millrace.settings import flags

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = (DEPLOY / "millrace-serve.service").read_text()
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def options(words: list[str]) -> ServeOptions:
    """What `millrace serve` reads these words as; a flag that it does not know is an error."""
    assert words[0] == "serve"
    return flags.parse("serve", ServeOptions, words[1:], KEYS)[0]


def deployed() -> tuple[dict[str, Any], dict[str, Any]]:
    deployment, service = yaml.safe_load_all((DEPLOY / "serve.yaml").read_text())
    return deployment, service


def test_kubernetes_serves_with_token_and_tls_and_drains_in_time() -> None:
    deployment, _ = deployed()
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    served = options(container["args"])
    assert served.host == served.metrics_host == "0.0.0.0"
    assert served.tls_cert
    assert served.tls_key
    assert container["env"][0]["name"] == "MILLRACE_TOKEN"
    assert "secretKeyRef" in container["env"][0]["valueFrom"]
    assert served.drain + 15 <= pod["terminationGracePeriodSeconds"]
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) << 30
    assert limit >= 2 * (served.memory << 20)
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_kubernetes_ports_and_probes_meet_what_listens() -> None:
    deployment, service = deployed()
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    served = options(container["args"])
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "grpc": served.port,
        "metrics": served.metrics_port,
    }
    assert {port["targetPort"] for port in service["spec"]["ports"]} == {"grpc", "metrics"}
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "metrics"
        assert container[probe]["httpGet"]["path"] in ("/healthz", "/livez")
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"  # others reach the port, and there is a certificate
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(served.metrics_port)
    assert annotations["prometheus.io/scheme"] == "https"


def test_kubernetes_knows_every_field_of_it() -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate, with the schemas, is not installed"
    )
    for one in deployed():
        for version in ("1.30", "1.34"):
            validate.validate(one, version, strict=True)


def test_a_linter_has_nothing_against_the_image() -> None:
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, DEPLOY / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_built_from_the_lock_for_a_supported_python() -> None:
    assert "--require-hashes -r /src/requirements/run.txt" in DOCKERFILE
    supported = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["requires-python"]
    least, most = (tuple(map(int, found)) for found in re.findall(r"(\d+)\.(\d+)", supported))
    for version in re.findall(r"^FROM python:(\d+)\.(\d+)-", DOCKERFILE, re.MULTILINE):
        assert least <= tuple(map(int, version)) < most
    assert "USER 10001" in DOCKERFILE
    deployment, _ = deployed()
    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 10001


def test_what_the_image_needs_is_in_its_context() -> None:
    """Everything is left out that is not named: no environment, no run and no token gets into an image."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    named = {line[1:] for line in lines if line.startswith("!")}
    assert all((DEPLOY.parent / name).exists() for name in named)
    project = DEPLOY.parent / "millrace"
    links = {path.name for path in project.iterdir() if path.is_symlink()}
    assert {"millrace", "requirements", "pyproject.toml", "README.md", "LICENSE", *links} <= named


def test_the_unit_serves_with_what_systemd_hands_it() -> None:
    [command] = re.findall(r"^ExecStart=\S+/millrace (.*)$", UNIT, re.MULTILINE)
    served = options(shlex.split(command))
    handed = set(re.findall(r"^LoadCredential=([\w.]+):", UNIT, re.MULTILINE))
    used = {served.token_file, served.tls_cert, served.tls_key}
    assert {f"%d/{name}" for name in handed} == used
    [patience] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert served.drain + 15 <= int(patience)
    assert served.metrics_host == "127.0.0.1"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd here")
    unit = tmp_path / "millrace-serve.service"
    unit.write_text(UNIT.replace("/opt/millrace/bin/millrace", "/bin/true"))  # which has to be there
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
