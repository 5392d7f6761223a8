from enum import StrEnum


class ListWebhooksTenterhookForm(StrEnum):
    NATIVE = "native"

    def __str__(self) -> str:
        return str(self.value)
