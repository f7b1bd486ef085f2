"""One self-contained HTML page: no script, no network, light and dark, wide and narrow."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; --ink: #1d2125; --soft: #667079; --line: #dfe3e6; --ground: #fdfdfc;
  --card: #f4f5f4; --accent: #b4501a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e6e8; --soft: #98a2aa; --line: #343a40;
  --ground: #15181b; --card: #1d2125; --accent: #f0a06c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif; }
main, header { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3.5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.015em; }
h2 { font-size: 1.35rem; margin: 3.5rem 0 .3rem; letter-spacing: -.01em; }
p { margin: .5rem 0 1rem; max-width: 44rem; }
.lead, .source, figcaption, caption, small { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 1.2rem 0; font-size: .93rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
ol.flow { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 1.6rem 0 0; list-style: none; }
ol.flow li { flex: 1 1 6.5rem; background: var(--card); border-radius: .5rem; padding: .55rem .75rem; }
ol.flow b { display: block; font-size: .93rem; } ol.flow span { font-size: .8rem; color: var(--soft); }
figure { margin: 1.4rem 0 2rem; } figcaption { font-size: .88rem; margin-top: .5rem; max-width: 44rem; }
figure img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; border-radius: 3px; }
figure.plot { overflow-x: auto; } figure svg { display: block; width: 100%; min-width: min(27rem, var(--natural)); max-width: var(--natural); height: auto; }
.scroll { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .88rem; padding-bottom: .4rem; max-width: 44rem; }
th, td { padding: .38rem .8rem .38rem 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; }
thead th { color: var(--soft); font-weight: 500; } tbody th { font-weight: 500; }
tr.floor td, tr.floor th { color: var(--soft); font-style: italic; }
td small { font-size: .8em; } td b { color: var(--accent); }
.source { font-size: .8rem; margin-top: -.6rem; }
code, pre { font: .86em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { overflow-x: auto; background: var(--card); padding: 1rem; border-radius: .5rem; }
details summary { cursor: pointer; color: var(--accent); }
footer { margin: 4rem 0 3rem; font-size: .85rem; color: var(--soft); overflow-wrap: anywhere; }
"""


PIXELS = 1.4  # of the page for each point of a plot, so that all have letters of one size


@dataclass(frozen=True)
class Row:
    """One line of a table: a name and its cells, already HTML; floors are set apart."""

    name: str
    cells: Sequence[str]
    floor: bool = False


@dataclass(frozen=True)
class Section:
    """A chapter: its anchor, title, one paragraph of text, and blocks of HTML."""

    anchor: str
    title: str
    text: str
    blocks: Sequence[str]


def page(title: str, lead: str, flow: Sequence[tuple[str, str]], sections: Sequence[Section], footer: str) -> str:
    """The whole document.

    Args:
        title: heading and window title.
        lead: one sentence below it.
        flow: (stage, what it made) in order.
        sections: the chapters, also the table of contents.
        footer: one line at the end.
    """
    steps = "".join(f"<li><b>{escape(stage)}</b><span>{escape(made)}</span></li>" for stage, made in flow)
    links = "".join(f'<a href="#{escape(s.anchor)}">{escape(s.title)}</a>' for s in sections)
    chapters = "".join(
        f'<section id="{escape(s.anchor)}"><h2>{escape(s.title)}</h2><p>{escape(s.text)}</p>{"".join(s.blocks)}</section>'
        for s in sections
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p><ol class="flow">{steps}</ol>'
        f'<nav aria-label="Contents">{links}</nav></header>'
        f"<main>{chapters}<footer>{escape(footer)}</footer></main></body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Row], caption: str, source: str) -> str:
    """A table that scrolls inside its own box; ``source`` says where every number is from."""
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "".join(
        f'<tr{" class=floor" if row.floor else ""}><th scope="row">{escape(row.name)}</th>'
        + "".join(f"<td>{cell}</td>" for cell in row.cells)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead>'
        f'<tbody>{lines}</tbody></table></div><p class="source">From {escape(source)}.</p>'
    )


def figure(path: Path, caption: str, alt: str) -> str:
    """A picture (PNG, inlined) or a plot (SVG, inlined, in the page's own ink)."""
    if path.suffix == ".svg":
        drawing = re.sub(r"^.*?(?=<svg)", "", path.read_text(), flags=re.DOTALL)
        drawing = _own_names(drawing, f"{path.parent.name}-{path.stem}").replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
        natural = PIXELS * float(re.search(r'width="([\d.]+)pt"', drawing)[1])
        return f'<figure class="plot" style="--natural: {natural:.0f}px" tabindex="0">{drawing}{_caption(caption)}</figure>'
    data = base64.b64encode(path.read_bytes()).decode()
    drawing = f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'
    return f"<figure>{drawing}{_caption(caption)}</figure>"


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>"


def _own_names(svg: str, prefix: str) -> str:
    """Make the identifiers of one drawing its own: several share the page."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)


def folded(title: str, text: str) -> str:
    """Text behind a click."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def spread(summary: dict, digits: int = 1, percent: bool = True) -> str:
    """``mean ± sd`` of a summary over seeds, the spread in smaller type."""
    scale = 100 if percent else 1
    sd = "" if summary["sd"] is None else f" <small>± {scale * summary['sd']:.{digits}f}</small>"
    return f"{scale * summary['mean']:.{digits}f}{sd}"
