"""Tables as corpora publish them: no quoting, rows numbered, every row as wide as it should be."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainer.manifest import DataError


def spaced(path: Path, *, columns: tuple[int, ...]) -> Iterator[tuple[int, list[str]]]:
    """(row, cells) of a table without a header whose cells stand between blanks or tabs."""
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) not in columns:
            wide = " or ".join(map(str, columns))
            raise DataError(f"{path}, row {number}: want {wide} cells, found {len(cells)}")
        yield number, cells


def parted(
    path: Path, separator: str, needed: Sequence[str], *, quoted: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    """(row, cells by name) of a table with a header; a quotation mark is a letter unless `quoted`.

    A row may be shorter than the header by what is not `needed`: releases add columns at the end.
    """
    rows = csv.reader(
        _lines(path),
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    header: list[str] | None = None
    try:
        for cells in rows:
            if header is None:
                header = [name.strip() for name in cells]
                lacking = [name for name in needed if name not in header]
                if lacking:
                    raise DataError(
                        f"{path}, row 1: wrong columns: missing {lacking} between {separator!r}; "
                        f"found {header}"
                    )
                continue
            if not cells:
                continue
            told = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            if len(cells) > len(header) or any(name not in told for name in needed):
                raise DataError(
                    f"{path}, row {rows.line_num}: want {len(header)} cells between "
                    f"{separator!r}, found {len(cells)}"
                )
            yield rows.line_num, told
    except csv.Error as cause:
        raise DataError(f"{path}, row {rows.line_num}: {cause}") from cause
    if header is None:
        raise DataError(f"{path}: is empty; want a header with {', '.join(needed)}")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise DataError(f"{path}: cannot be read: {cause}") from cause
