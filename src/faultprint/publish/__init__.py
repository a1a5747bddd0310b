"""The last stage: an incident becomes events that other systems understand, and is sent to them.

Encoders are pure: an incident and settings in, a dictionary out; no file, no socket, no clock. Senders are thin and
know nothing of incidents: a message in, a receipt out.

    incident ─┬─ ves            VES 7.2.1 fault events, ves_measurement for counters, ves_batch for many at once
              ├─ control_loop   ONSET and ABATED
              ├─ alarm          TMF642 alarms and notifications; alarm_query and alarm_task for a read API
              ├─ record         JSON lines
              └─ webhook        CloudEvents
                     └─ routes → messages → http_sender, file_sender, dry_run
"""
