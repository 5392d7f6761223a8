from enum import StrEnum


class PortalScope(StrEnum):
    WEBHOOKSMANAGE = "webhooks:manage"
    WEBHOOKSREAD = "webhooks:read"
    WEBHOOKSSECRETS = "webhooks:secrets"

    def __str__(self) -> str:
        return str(self.value)
