"""[incidents]: the rules by which incidents start and end, and their severities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.publish.incident import Severity
from faultprint.tables import NO_TRAFFIC, UNKNOWN


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """[incidents]: when incidents start and end, and their severities."""

    onset_minutes: Annotated[
        int, SettingDoc("consecutive minutes with a fault verdict before an incident starts", 1)
    ] = 1
    clear_minutes: Annotated[
        int, SettingDoc("consecutive minutes without the fault before an incident is cleared", 1)
    ] = 1
    flap_count: Annotated[
        int, SettingDoc("clears within `flap_minutes` after which a node counts as flapping; 0: never", 0)
    ] = 3
    flap_minutes: Annotated[int, SettingDoc("period in which clears are counted", 1)] = 180
    damped_minutes: Annotated[int, SettingDoc("`clear_minutes` of a flapping node", 1)] = 30
    severity: Annotated[Severity, SettingDoc("severity of known conditions")] = Severity.MAJOR
    unknown_severity: Annotated[Severity, SettingDoc("severity of `unknown`")] = Severity.MINOR
    no_traffic_severity: Annotated[Severity, SettingDoc("severity of `no-traffic`")] = Severity.CRITICAL
    severities: Annotated[Mapping[str, Severity], SettingDoc("severity by condition, instead of `severity`")] = field(
        default_factory=dict
    )

    def severity_of(self, condition: str) -> Severity:
        """The severity of a condition."""
        by_word = {UNKNOWN: self.unknown_severity, NO_TRAFFIC: self.no_traffic_severity}
        return self.severities.get(condition, by_word.get(condition, self.severity))
