"""[incidents]: the rules by which incidents start and end, and their severities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.publish.incident import Severity
from faultprint.tables import UNKNOWN


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
    severities: Annotated[Mapping[str, Severity], SettingDoc("severity by condition, instead of `severity`")] = field(
        default_factory=dict
    )

    def severity_of(self, condition: str) -> Severity:
        """The severity of a condition."""
        return self.severities.get(condition, self.unknown_severity if condition == UNKNOWN else self.severity)
