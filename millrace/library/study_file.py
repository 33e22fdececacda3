"""Studies: files that name several variants of one configuration.

base:       keys that all variants share, as in a configuration
variants:   name → keys of its own, which go before those of the base

A policy of a variant that names a preset takes the place of the base's; one without changes some ranges of it.
"""

from collections.abc import Mapping
from pathlib import Path

from millrace import yaml_text
from millrace.errors import UsageError
from millrace.settings import layers
from millrace.settings.keys import spread

KEYS = ("base", "variants")


def read_study(path: Path) -> dict[str, dict[str, object]] | None:
    """The variants of a study, each as key → value; None for another file. UsageError where it is damaged."""
    document = yaml_text.read(path, "the study")
    if not isinstance(document, Mapping) or "variants" not in document:
        return None
    unknown = [key for key in document if key not in KEYS]
    variants = document["variants"]
    if unknown or not isinstance(variants, Mapping) or not variants:
        raise UsageError(f"{path} is no study", expected="base, and variants by name", got=unknown or variants)
    base = _keys(document.get("base"), path, "base")
    return {str(name): _over(base, own, _keys(own, path, f"variant {name}")) for name, own in variants.items()}


def _over(base: Mapping[str, object], nested: object, own: dict[str, object]) -> dict[str, object]:
    """The base with a variant's own keys, given as it stands in the file and as key → value."""
    policy = nested.get("policy") if isinstance(nested, Mapping) else None
    if "policy" in base and isinstance(policy, Mapping) and "preset" not in policy:
        del own["policy"]
    return layers.over(base, own)


def _keys(nested: object, path: Path, where: str) -> dict[str, object]:
    if nested is None:
        return {}
    if not isinstance(nested, Mapping):
        raise UsageError(f"{path}: {where} is no configuration", expected="keys and values", got=repr(nested))
    try:
        return spread(nested)
    except UsageError as error:
        raise error.within(f"{path}: {where}") from error
