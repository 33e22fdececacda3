"""Docstrings as the API page shows them: our lines `name: what it is` become lists, and options have their help."""

import ast
import re
from typing import Any

from griffe import Docstring, Extension

# The beginning of an entry: one name or several, a colon, and what they are.
ENTRY = re.compile(r"^((?:[a-z_][a-z_0-9]*)(?:, [a-z_][a-z_0-9]*)*): (.*)$")


def as_markdown(text: str) -> str:
    """A docstring's text, with its entries as a list; a paragraph that begins `Errors:` is led by the word in bold."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        inside = False
        for line in paragraph.split("\n"):
            entry = ENTRY.match(line)
            if entry:
                if not inside:
                    lines.append("")
                words = ", ".join(f"`{name}`" for name in entry[1].split(", "))
                lines.append(f"- {words}: {entry[2]}")
                inside = True
            elif inside:
                lines.append(f"    {line.strip()}")
            else:
                lines.append(re.sub(r"^Errors: ", "**Errors:** ", line))
        lines.append("")
    return "\n".join(lines)


class Docstrings(Extension):
    """For mkdocstrings: every docstring as `as_markdown` gives it."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """griffe: an object of the sources, as it is found."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_attribute(self, *, attr: Any, **_: Any) -> None:
        """griffe: an attribute; where it is an option, its help is what is said of it."""
        call = re.match(r"option\(", str(attr.value or ""))
        if call and not attr.docstring:
            node = ast.parse(str(attr.value), mode="eval").body
            assert isinstance(node, ast.Call)
            attr.value = ast.unparse(node.args[0])
            try:
                attr.docstring = Docstring(str(ast.literal_eval(node.args[1])), parent=attr)
            except ValueError:
                return  # help that is computed
