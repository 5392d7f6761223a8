from enum import StrEnum


class Scope(StrEnum):
    ANSWERSREAD = "answers:read"
    EVENTSPUBLISH = "events:publish"
    WEBHOOKSMANAGE = "webhooks:manage"
    WEBHOOKSREAD = "webhooks:read"

    def __str__(self) -> str:
        return str(self.value)
