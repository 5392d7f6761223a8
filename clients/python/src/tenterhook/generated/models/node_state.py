from enum import StrEnum


class NodeState(StrEnum):
    GONE = "gone"
    WAITING = "waiting"
    WORKING = "working"

    def __str__(self) -> str:
        return str(self.value)
