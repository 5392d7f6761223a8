from enum import StrEnum


class CreateWebhookTenterhookForm(StrEnum):
    NATIVE = "native"

    def __str__(self) -> str:
        return str(self.value)
