from enum import StrEnum


class StartBackfillTenterhookForm(StrEnum):
    NATIVE = "native"

    def __str__(self) -> str:
        return str(self.value)
