"""A page of HTML that needs nothing else: no network, no script; light and dark, for phones and paper."""

import base64
import io
from html import escape

import numpy as np
import numpy.typing as npt
from PIL import Image

# Every pair of ink and paper has a contrast of at least 4.5 to 1, the lines of at least 3 to 1.
STYLE = """
:root{--paper:#fff;--ink:#1b1f24;--faint:#57606a;--rule:#d8dee4;--soft:#f3f5f7;--good:31 95 168;--bad:196 98 10;
--c1:#1f5fa8;--c2:#b4540a;--c3:#1a7f4b;--c4:#8a3ffc;--c5:#a2195b;--c6:#6a5d00;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--faint:#9aa4af;--rule:#30363d;--soft:#161b22;
--good:88 166 255;--bad:255 166 87;--c1:#79b8ff;--c2:#ffab70;--c3:#56d38f;--c4:#c8a2ff;--c5:#ff9bce;--c6:#e3c94b}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
p{margin:.4rem 0}small,.faint{color:var(--faint);font-size:.875rem}
.big{font-size:2.2rem;font-weight:650;letter-spacing:-.02em;margin:.2rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.6rem 0}dt{color:var(--faint)}
dd{margin:0;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1rem}
figure{margin:0}figcaption{font-weight:600;font-size:.95rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--faint);font-size:12px}
.grid{stroke:var(--rule);stroke-width:1}.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
path.c1{stroke:var(--c1)}path.c2{stroke:var(--c2)}path.c3{stroke:var(--c3)}path.c4{stroke:var(--c4)}
path.c5{stroke:var(--c5)}path.c6{stroke:var(--c6)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.2rem 0;padding:0;font-size:.875rem}
.legend li::before{content:"";display:inline-block;width:1.2em;height:.25em;border-radius:1px;vertical-align:middle;
margin-right:.4em;background:currentColor}
li.c1::before{background:var(--c1)}li.c2::before{background:var(--c2)}li.c3::before{background:var(--c3)}
li.c4::before{background:var(--c4)}li.c5::before{background:var(--c5)}li.c6::before{background:var(--c6)}
.wide{overflow-x:auto}.wide:focus-visible{outline:2px solid var(--c1)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.25rem .55rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:600}th[scope=row],td.text,th.text{text-align:left}
table.matrix td{min-width:2.4rem}
.right{background:rgb(var(--good)/calc(.08 + .3*var(--a)))}.wrong{background:rgb(var(--bad)/calc(.08 + .3*var(--a)))}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(7rem,1fr));gap:.8rem}
.pictures figcaption{font-weight:400;font-size:.85rem;line-height:1.3}
img{max-width:100%;height:auto;display:block}.pixels{image-rendering:pixelated;width:100%;border:1px solid var(--rule)}
.row{display:grid;grid-template-columns:repeat(6,1fr);gap:.4rem;margin-bottom:.4rem}
.command{white-space:pre-wrap;overflow-wrap:anywhere}
pre{background:var(--soft);padding:.8rem;overflow-x:auto;font-size:.85rem;border-radius:.3rem;margin:.4rem 0}
summary{cursor:pointer;font-weight:600}
@media(max-width:34rem){table{font-size:.8rem}th,td{padding:.25rem .3rem}table.matrix td{min-width:1.8rem}
.wide th[scope=row]{position:sticky;left:0;background:var(--paper)}}
@media print{body{max-width:none}details>*{display:block}}
"""


def page(title: str, body: str) -> str:
    """The whole document around a body of HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A section with its heading; nothing at all where it has no content."""
    content = "\n".join(part for part in parts if part)
    return f"<section><h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def facts(pairs: list[tuple[str, str]]) -> str:
    """Names and values."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in pairs)}</dl>"


def table(heads: list[str], rows: list[list[str]], *, label: str) -> str:
    """A table whose first column names the rows; wide ones scroll by themselves."""
    top = "".join(f'<th scope="col"{_text(k)}>{escape(head)}</th>' for k, head in enumerate(heads))
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return scrolling(f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>", label)


def scrolling(content: str, label: str) -> str:
    """What may be wider than the page, reachable with the keyboard."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(label)}">{content}</div>'


def picture(pixels: npt.NDArray[np.uint8], alt: str, *, pixelated: bool = True) -> str:
    """An image, uint8 (C, H, W) with 1 or 3 channels, inside the page."""
    planes = np.moveaxis(pixels, 0, -1)
    made = Image.fromarray(np.ascontiguousarray(planes[..., 0] if planes.shape[-1] == 1 else planes))
    return embedded(made, alt, pixelated=pixelated)


def embedded(made: Image.Image, alt: str, *, pixelated: bool = False) -> str:
    """A picture inside the page, as PNG."""
    data = io.BytesIO()
    made.save(data, format="PNG", optimize=True)
    source = base64.b64encode(data.getvalue()).decode()
    kind = ' class="pixels"' if pixelated else ""
    size = f'width="{made.width}" height="{made.height}"'
    return f'<img{kind} {size} alt="{escape(alt)}" src="data:image/png;base64,{source}">'


def _text(column: int) -> str:
    return ' class="text"' if column == 0 else ""
