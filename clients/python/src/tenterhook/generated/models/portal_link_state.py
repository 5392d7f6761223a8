from enum import StrEnum


class PortalLinkState(StrEnum):
    OPEN = "open"
    WAITING = "waiting"

    def __str__(self) -> str:
        return str(self.value)
