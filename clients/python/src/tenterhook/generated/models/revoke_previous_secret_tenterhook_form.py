from enum import StrEnum


class RevokePreviousSecretTenterhookForm(StrEnum):
    NATIVE = "native"

    def __str__(self) -> str:
        return str(self.value)
