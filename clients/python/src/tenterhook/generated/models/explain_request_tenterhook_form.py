from enum import StrEnum


class ExplainRequestTenterhookForm(StrEnum):
    NATIVE = "native"

    def __str__(self) -> str:
        return str(self.value)
