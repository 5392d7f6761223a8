from enum import StrEnum


class ReplayKind(StrEnum):
    BACKFILL = "backfill"

    def __str__(self) -> str:
        return str(self.value)
