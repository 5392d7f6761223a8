from enum import StrEnum


class EventTypeOf(StrEnum):
    INSTALLATION = "installation"
    TENANT = "tenant"

    def __str__(self) -> str:
        return str(self.value)
