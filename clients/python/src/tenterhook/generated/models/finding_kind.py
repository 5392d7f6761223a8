from enum import StrEnum


class FindingKind(StrEnum):
    DELIVERY = "delivery"
    ENDPOINT = "endpoint"
    EVENT = "event"
    REPLAY = "replay"
    TENANT = "tenant"

    def __str__(self) -> str:
        return str(self.value)
