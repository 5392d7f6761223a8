from enum import StrEnum


class ListWebhookDeliveriesTenterhookForm(StrEnum):
    NATIVE = "native"

    def __str__(self) -> str:
        return str(self.value)
