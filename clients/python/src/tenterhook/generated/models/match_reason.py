from enum import StrEnum


class MatchReason(StrEnum):
    CHANNELS = "channels"
    CREATED_LATER = "created_later"
    DISABLED = "disabled"
    EVENT_TYPE = "event_type"
    FILTER = "filter"
    FILTER_ERROR = "filter_error"
    MATCHES = "matches"

    def __str__(self) -> str:
        return str(self.value)
