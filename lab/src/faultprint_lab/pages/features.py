"""docs/reference/features.md, from the tables that the features are computed by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from faultprint.features import outcomes
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.operations import INDICATORS, KINDS, OPERATIONS, STATISTICS
from faultprint.features.report import DROP_REASONS
from faultprint_lab.pages.markdown import table

_RULES: Final = """\
## From transactions to minutes

- Intervals (a minute, unless configured otherwise) are aligned to the epoch, 1970-01-01 UTC.
- A request counts in the interval in which it starts; its outcome, with delays, retransmissions, messages and bytes,
  in the interval in which it completes. So an interval is final when it ends.
- A transaction that completes without a status got no answer: it timed out. A transaction without completion was still
  open when the capture ended: it is an attempt without outcome.
- A node that forwards a request has two transactions, one in, one out; each counts in its own direction. The
  interface (Gm, Mw) makes no difference.
- Coverage is the time in which the node was captured, as intervals, start inclusive, end exclusive; the transactions file
  holds it. A minute that is covered, fully or in part, has a row, and `observed` is the covered share. A covered minute
  without traffic has counts of 0 and no ratios. A minute that is not covered has no row. In a file without coverage, each
  node is taken as covered from its first start to its last completion, and the report says so.
- `node.open` counts from the start of the covered interval; transactions that were open before a gap are not counted.
- Live and batch agree bit for bit: counts and sums are integers, times integer microseconds. A q-quantile is the
  nearest-rank quantile, the ceil(q·n)-th smallest of the n values. A fraction is one division of two integers in float64,
  rounded to float32.
"""

_OTHERS: Final = """\
## Catalogues of other sources

A minutes file may follow another catalogue. It is JSON: `name`, `version` (a whole number) and `features`, each with
`name`, `unit` and `kind`, and if known `support` (the count feature with the number of events behind a value), `term` and
`meaning`. Its hash covers everything except terms and meanings.

```json
{"name": "pm", "version": 1, "features": [{"name": "cpu.busy", "unit": "", "kind": "ratio"}]}
```
"""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _statuses(classes: Iterable[outcomes.TransactionOutcome]) -> str:
    """The final statuses of these classes, in words."""
    return "; ".join(outcomes.OUTCOME_DESCRIPTIONS[outcome] for outcome in classes)


def page() -> str:
    """The page, Markdown."""
    features = SIP_CATALOGUE.features
    parts = [
        "# The features of a minute\n",
        f"Catalogue `{SIP_CATALOGUE.name}`, version {SIP_CATALOGUE.version}: {len(features)} features, "
        f"{len(OPERATIONS)} operations × {len(STATISTICS)} statistics and {len(INDICATORS)} indicators of the node. "
        f"Hash `{SIP_CATALOGUE.hash}`.\n\nThis page is generated from the tables in `faultprint.features`.\n",
        "## Kinds\n",
        table(("kind", "meaning"), ((f"`{kind}`", meaning) for kind, meaning in KINDS.items())),
        _RULES,
        "## Operations\n",
        table(
            ("operation", "direction", "methods", "meaning"),
            ((_code(o.key), o.direction, ", ".join(o.methods), o.meaning) for o in OPERATIONS),
        ),
        "## Statistics of an operation\n",
        table(
            ("statistic", "unit", "kind", "meaning"),
            ((_code(s.key), s.unit, s.kind, s.meaning) for s in STATISTICS),
        ),
        "Outcomes are the transactions that complete in the interval. Each is in exactly one of the six shares:\n",
        table(
            ("share", "final status"), ((_code(key), _statuses(classes)) for key, classes in outcomes.SHARES.items())
        ),
        "## Indicators of the node\n",
        table(
            ("indicator", "unit", "kind", "term", "meaning"),
            ((_code(i.key), i.unit, i.kind, i.term, i.meaning) for i in INDICATORS),
        ),
        "SER, SEER, ISA, IRA, SRD and SDT are RFC 6076's. ISA and IRA count a timeout as a failure; IRA counts 401 and "
        "407 as challenges, and every other final 4xx, 5xx and 6xx as a failure.\n",
        "## What is left out\n",
        "A transaction is not counted in these cases; the report counts it under the first reason that applies:\n",
        table(("reason", "transactions"), ((_code(reason), meaning) for reason, meaning in DROP_REASONS.items())),
        f"## All {len(features)} features\n",
        "Terms are counters of TS 32.409 (`UR.`, `SC.`) or metrics of RFC 6076. Support is the feature "
        "with the number of events behind a value.\n",
        table(
            ("#", "feature", "unit", "kind", "term", "support"),
            ((str(index), _code(f.name), f.unit, f.kind, f.term, _code(f.support)) for index, f in enumerate(features)),
        ),
        _OTHERS,
    ]
    return "\n".join(parts)
