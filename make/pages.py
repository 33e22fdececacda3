"""The hooks of `make docs`: pages link to files of the repository as they lie there, and the site has what they mean.

A link in a page is relative to the page's own place in the repository, so it works wherever the repository is shown.
In the site it leads to the page of that file, where it has one (`PAGES`), else to a page with its text. `FILE.py#NAME`
is the function, class or constant of that name, also `CLASS.NAME`: the link leads to its lines, whose numbers are put
behind it. What does not exist is a warning, and the build is strict.
"""

import ast
import logging
import posixpath
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

LOG = logging.getLogger("mkdocs.hooks.pages")
ROOT = Path(__file__).resolve().parents[1]
# Files outside of docs/ that are pages of the site.
PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "benchmarks/scaling.md": "scaling.md",
    "datasets/README.md": "datasets.md",
    "pretrained/README.md": "pretrained.md",
}
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".mjs": "javascript", ".toml": "toml"}
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCE = re.compile(r"^\s*(```+|~~~+)")
FENCE_OF_SOURCE = "~" * 12


def links_replaced(text: str, replace: Callable[[str], tuple[str, str]]) -> str:
    """Markdown, each link's target outside of fenced code as `replace` gives it, with what it puts behind the link."""
    lines, fence = [], ""
    for line in text.splitlines():
        mark = FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence:

            def new(found: re.Match[str]) -> str:
                target, behind = replace(found[1])
                return f"]({target}){behind}"

            line = LINK.sub(new, line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def meant(page: str, target: str) -> tuple[str, str] | None:
    """What a link in the file `page` means: a path in the repository and a fragment; None where it leads elsewhere."""
    path, _, fragment = target.partition("#")
    if not path or "://" in path or path.startswith(("mailto:", "/")):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)), fragment


@cache
def names(path: str) -> dict[str, tuple[int, int]]:
    """Names that a Python file defines, dotted within classes, with their first and last lines."""
    found: dict[str, tuple[int, int]] = {}

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
                found[prefix + node.name] = first, node.end_lineno or first
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name):
                    found[prefix + target.id] = node.lineno, node.end_lineno or node.lineno
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{prefix}{node.name}.")

    collect(ast.parse((ROOT / path).read_text(encoding="utf-8")).body, "")
    return found


def place_of(path: str) -> str | None:
    """Where a file of the repository stands in the site, as mkdocs names it; None where there is no such file."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/") if (ROOT / path).is_file() else None
    if path in PAGES:
        return PAGES[path]
    return f"source/{path}.md" if (ROOT / path).is_file() else None


def in_site(page: str, target: str) -> tuple[str, str]:
    """A link of the file `page` as it is in the site, and what is put behind it."""
    found = meant(page, target)
    if found is None:
        return target, ""
    (path, fragment), here = found, place_of(page)
    place = place_of(path)
    if place is None or here is None:
        LOG.warning("%s: no such file: %s", page, target)
        return target, ""
    link = posixpath.relpath(place, posixpath.dirname(here) or ".")
    if not (fragment and place.startswith("source/")):
        return link + (f"#{fragment}" if fragment else ""), ""
    lines = names(path).get(fragment)
    if lines is None:
        LOG.warning("%s: %s defines no %s", page, path, fragment)
        return link, ""
    numbers = f"{lines[0]}–{lines[1]}" if lines[1] > lines[0] else f"{lines[0]}"
    return f'{link} "line {numbers}"', f" <small>{numbers}</small>"


def linked(pages: dict[str, str]) -> Iterator[str]:
    """The files that stand in the site for their text alone: what these pages, text by path, link to."""
    for page, text in pages.items():
        targets: list[str] = []
        links_replaced(text, lambda target: (target, "") if targets.append(target) is None else ("", ""))  # noqa: B023
        for target in targets:
            found = meant(page, target)
            if found and (place_of(found[0]) or "").startswith("source/"):
                yield found[0]


def source_page(path: str) -> str:
    """The page that shows a file: its text, with numbered lines."""
    text = (ROOT / path).read_text(encoding="utf-8").rstrip("\n")
    language = LANGUAGES.get(Path(path).suffix, "text")
    front = "---\nsearch:\n  exclude: true\nhide: [toc, feedback]\n---\n"
    head = f'{FENCE_OF_SOURCE} {{.{language} linenums="1"}}'
    return f"{front}# {path}\n\n{head}\n{text}\n{FENCE_OF_SOURCE}\n"


def on_page_content(html: str, **_: Any) -> str:
    """mkdocs: links to lines, which its own check of anchors does not know."""
    return re.sub(r'(href="[^"#]+)" title="line (\d+)', r'\1#__codelineno-0-\2" title="line \2', html)


def on_files(files: Any, config: Any) -> Any:
    """mkdocs: the pages that do not lie in docs/."""
    from mkdocs.structure.files import File

    texts = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    for path, page in PAGES.items():
        texts[path] = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=texts[path]))
    for path in sorted(set(linked(texts))):
        files.append(File.generated(config, f"source/{path}.md", content=source_page(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """mkdocs: links as they are in the site."""
    place = page.file.src_uri
    if place.startswith("source/"):
        return markdown
    repository = {page: path for path, page in PAGES.items()}
    path = repository.get(place, f"docs/{place}")
    return links_replaced(markdown, lambda target: in_site(path, target))
