from enum import StrEnum


class AuditRowResult(StrEnum):
    CHECKED = "checked"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"

    def __str__(self) -> str:
        return str(self.value)
