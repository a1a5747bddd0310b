"""docs/reference/tables.md: the tables that one stage hands to the next."""

from __future__ import annotations

from faultprint.tables import CATALOGUE_KEY, COVERAGE_KEY, TABLES, Column, Table
from faultprint_lab.pages.markdown import table


def page() -> str:
    """The page, Markdown."""
    parts = [
        "# Tables\n",
        "Every stage turns one table into the next. A table is a Parquet file, and every stage checks its input against the "
        "columns on this page. Times are in µs, UTC. This page is generated from `faultprint.tables`.\n",
        *(_section(each) for each in TABLES),
        "## Metadata\n",
        f"A transactions file has the metadata `{COVERAGE_KEY}`: JSON [[node, network, start µs, end µs], …], the intervals "
        "that were captured, end exclusive. It separates a minute without traffic from a minute without data.\n",
        f'A minutes file has the metadata `{CATALOGUE_KEY}`: JSON {{"name", "hash", "interval_us"}} of the catalogue of its '
        "columns; see [features](features.md).\n",
    ]
    return "\n".join(parts)


def _section(described: Table) -> str:
    more = ""
    if described.open_ended:
        more = "\nThe features of a catalogue follow these columns: float32, null where a feature has no value.\n"
    rows = (
        (f"`{column.name}`", column.kind, column.unit, "yes" if column.nullable else "", _meaning(column))
        for column in described.columns
    )
    columns = table(("column", "type", "unit", "may be null", "meaning"), rows)
    return f"## {described.name}\n\n{described.meaning}\n\n{columns}{more}"


def _meaning(column: Column) -> str:
    return f"{column.meaning}: {', '.join(column.values)}" if column.values else column.meaning
