"""A report as a list of parts, written as Markdown or as one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1040px; margin: 2rem auto; }
body { padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.2em; border-bottom: 1px solid #8884; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25em .6em; border-bottom: 1px solid #8883; text-align: left; }
th { border-bottom: 2px solid #8886; vertical-align: bottom; } .wide { overflow-x: auto; }
figure { margin: 1em 0; } figcaption { color: #808080; } svg { max-width: 100%; height: auto; }
li { margin: .2em 0; } code { font-size: .92em; }
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """`level` 1 is the document's own."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """Sentences that stand side by side."""

    each: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing; a file beside the Markdown if it has a name, else for the page alone."""

    svg: str
    caption: str
    file: str = ""


Part = Heading | Text | Points | Grid | Picture


def to_markdown(parts: Sequence[Part]) -> str:
    """Pictures without a file are left to the page, and so is a heading over nothing else."""
    written: list[str] = []
    last = 0  # the level of the heading that nothing stands under yet
    for part in parts:
        if isinstance(part, Picture) and not part.file:
            continue
        if isinstance(part, Heading) and 0 < part.level <= last:
            written.pop()
        last = part.level if isinstance(part, Heading) else 0
        match part:
            case Heading(text, level):
                written.append(f"{'#' * level} {text}")
            case Text(text):
                written.append(text)
            case Points(each):
                written.append("\n".join(f"- {one}" for one in each))
            case Grid(header, rows):
                lines = [header, ("---",) * len(header), *rows]
                written.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
            case Picture(_, caption, file):
                if file:
                    written.append(f"![{caption}]({file})")
    return "\n\n".join(written) + "\n"


def to_html(parts: Sequence[Part]) -> str:
    """One file: no script, no font, no address of anything else."""
    title = next((part.text for part in parts if isinstance(part, Heading)), "report")
    body = "\n".join(_html(part) for part in parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html(part: Part) -> str:
    match part:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{_words(text)}</p>"
        case Points(each):
            return "<ul>" + "".join(f"<li>{_words(one)}</li>" for one in each) + "</ul>"
        case Grid(header, rows):
            head = "".join(f"<th>{_words(cell)}</th>" for cell in header)
            body = "\n".join(
                "<tr>" + "".join(f"<td>{_words(cell)}</td>" for cell in row) + "</tr>"
                for row in rows
            )
            return (
                f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
                f"<tbody>{body}</tbody></table></div>"
            )
        case Picture(svg, caption, _):
            # Inside a page the browser knows what an svg is without being told an address.
            inline = svg.replace(' xmlns="http://www.w3.org/2000/svg"', "")
            return f"<figure>{inline}<figcaption>{_words(caption)}</figcaption></figure>"


def _words(text: str) -> str:
    """Code between backticks, strong words between pairs of stars; all else as it is."""
    text = escape(text)
    for mark, tag in (("`", "code"), ("**", "strong")):
        pieces = text.split(mark)
        if len(pieces) % 2:
            text = "".join(
                f"<{tag}>{piece}</{tag}>" if place % 2 else piece
                for place, piece in enumerate(pieces)
            )
    return text
