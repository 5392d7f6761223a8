from enum import StrEnum


class ConsentState(StrEnum):
    ALLOWED = "allowed"
    PENDING = "pending"
    REFUSED = "refused"

    def __str__(self) -> str:
        return str(self.value)
