from enum import StrEnum


class DeliveryStatus(StrEnum):
    CANCELLED = "cancelled"
    DELIVERED = "delivered"
    FAILED = "failed"
    HELD = "held"
    PENDING = "pending"
    RETRYING = "retrying"
    SCHEDULED = "scheduled"

    def __str__(self) -> str:
        return str(self.value)
