from enum import StrEnum


class HealthState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    FAILING = "failing"
    PAUSED = "paused"

    def __str__(self) -> str:
        return str(self.value)
