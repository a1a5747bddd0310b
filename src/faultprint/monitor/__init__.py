"""The live flow: minutes or transactions of many nodes in; verdicts, incidents and messages to others out.

    source ─batch→ gate ─finished minute→ judge ─verdicts→ incidents ─changes→ store (outbox) ─message→ courier → sink

`gate` decides by event time when a minute is final; `judge` gives all nodes' verdicts of it at once; `incidents` is a state
machine; `store` keeps all of it in one SQLite transaction a minute; `courier` empties the outbox. Sources, sinks, the clock
and the judgement of the recent past are handed in as objects (`ports`).
"""
