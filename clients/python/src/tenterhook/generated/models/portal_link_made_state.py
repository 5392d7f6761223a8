from enum import StrEnum


class PortalLinkMadeState(StrEnum):
    OPEN = "open"
    WAITING = "waiting"

    def __str__(self) -> str:
        return str(self.value)
