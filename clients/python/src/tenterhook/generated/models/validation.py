from enum import StrEnum


class Validation(StrEnum):
    DEFAULT = "default"
    OFF = "off"
    REFUSE = "refuse"
    WARN = "warn"

    def __str__(self) -> str:
        return str(self.value)
