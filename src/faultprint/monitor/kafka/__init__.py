"""Minutes or transactions of many nodes on a topic, and monitors that share them out: as many as there are partitions.

    feeds ─rows, marks→ topic ─a partition each→ monitors ─checkpoints→ topic of states

A partition is judged as a monitor of its own, with rings, incidents and outbox in a state file of its own, beside `state`.
How far its log was read is written in the same transaction as each minute's verdicts, and only afterwards told to the group,
for the field's tools to show the lag. A monitor that is added or removed changes nothing but who judges a partition: its
state goes before it. After a kill, another goes on from the last checkpoint, reads again what came since, and comes to the
same verdicts, incidents and messages, under the same identities: a receiver that looks at them sees nothing twice.

The number of partitions must not change: the nodes' places would. Each monitor needs a `state`, and a file sink's `path`, of
its own; a new model needs a `group` and a topic of states of its own, for vectors of different models cannot be mixed. Whoever
may write to the topic of states may alter what monitors remember: guard it as you guard the state file.
"""
