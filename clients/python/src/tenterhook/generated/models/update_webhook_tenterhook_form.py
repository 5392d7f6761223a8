from enum import StrEnum


class UpdateWebhookTenterhookForm(StrEnum):
    NATIVE = "native"

    def __str__(self) -> str:
        return str(self.value)
