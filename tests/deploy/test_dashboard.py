"""deploy/grafana.json: what Grafana needs to import it, and no metric that nobody sets."""

import ast
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    return loaded


def defined() -> set[str]:
    """The metrics of gauges.py under the names that Ray gives them; its source is read, as importing it imports Ray."""
    names: dict[str, Any] = {}
    for line in ast.parse((ROOT / "workers" / "ray_runtime" / "gauges.py").read_text()).body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            names[line.targets[0].id] = ast.literal_eval(line.value)
    return {f"ray_{name}" for name in (*names["GAUGES"], names["IN_FLIGHT"])} | {f"ray_{names['STEPS']}_total"}


def test_every_expression_names_a_metric_that_is_set_and_every_metric_has_a_panel() -> None:
    used: set[str] = set()
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            names = set(re.findall(r"ray_\w+", target["expr"]))
            assert names, target["expr"]
            assert names <= defined(), target["expr"]
            used |= names
    assert used == defined()
    variables = dashboard()["templating"]["list"]
    asked = re.findall(r"ray_\w+", json.dumps([variable["query"] for variable in variables]))
    assert set(asked) <= defined()


def test_grafana_finds_what_it_needs_to_import() -> None:
    board = dashboard()
    assert board["title"] == "Millrace"
    assert isinstance(board["schemaVersion"], int)
    assert board.get("id") is None  # an id is of one Grafana alone; with one, an import writes over another dashboard
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] == "timeseries"
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["refId"] and target["legendFormat"] for target in panel["targets"])
        used = set(re.findall(r"\$(\w+)", json.dumps(panel["targets"])))
        assert used <= variables.keys()


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        own = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not own & taken
        taken |= own
