from enum import StrEnum


class ReplayState(StrEnum):
    CANCELLED = "cancelled"
    COLLECTING = "collecting"
    DONE = "done"
    FAILED = "failed"
    RUNNING = "running"

    def __str__(self) -> str:
        return str(self.value)
