from enum import StrEnum


class DeliveryDetailReason(StrEnum):
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    FINAL_STATUS = "final_status"

    def __str__(self) -> str:
        return str(self.value)
