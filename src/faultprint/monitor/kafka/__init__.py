"""Monitors that share the nodes of one Kafka topic: a consumer group, at most one monitor for each partition.

    producers ─rows, watermarks→ topic ─one partition each→ monitors ─checkpoints→ topic of states

Each partition has a complete monitor with its own buffers, incidents, outbox and state file; the name of the state file is
`state` and the partition. The read position is written in the same transaction as the verdicts of a minute. Only afterwards it
is committed to the group, so that Kafka tools show the lag. A monitor that joins or leaves changes only which process serves a
partition; the state moves with the partition. After a crash another monitor continues from the last checkpoint. It reads the
later records again and produces the same verdicts, incidents and messages with the same identifiers, so that receivers can
drop duplicates.

Do not change the number of partitions: nodes would move to other partitions. Each monitor needs its own `state` and its own
`path` of file sinks. A new model needs a new `group` and a new topic of states, because vectors of different models cannot be
compared. Protect the topic of states like a state file: anyone who can write to it can change what the monitors know.
"""
