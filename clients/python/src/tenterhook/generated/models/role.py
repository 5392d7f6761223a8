from enum import StrEnum


class Role(StrEnum):
    ADMIN = "admin"
    READ_ONLY = "read-only"
    SUPPORT = "support"

    def __str__(self) -> str:
        return str(self.value)
