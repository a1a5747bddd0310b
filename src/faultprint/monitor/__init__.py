"""The live monitor: minutes or transactions of many nodes in; verdicts, incidents and messages out.

    source ─batch→ watermark buffer ─minute→ scorer ─verdicts→ incidents ─changes→ state (outbox) ─message→ delivery worker → sink

`ingest` decides by event time when a minute is final; `detect` scores all nodes of a minute and runs the incident state
machine; `state` saves a minute in one transaction; `deliver` empties the outbox; `control` executes commands of operators.
`build` puts the parts together. Sources, sinks and the clock are passed in (`base.interfaces`).
"""
