"""The last stage: incidents become events for other systems and are sent to them.

Encoders are pure functions of an incident and settings: they use no file, no socket and no clock. Senders know nothing about
incidents: they take a message and return a receipt.

    incident ─┬─ ves            VES 7.2.1: fault events, measurement events, batches
              ├─ control_loop   ONSET and ABATED events for a policy engine
              ├─ tmf642         alarms and notifications; queries and tasks of the alarm API
              ├─ record         JSON lines
              └─ webhook        CloudEvents
                     └─ routes → message → senders: HTTP, Kafka, file, dry run
"""
