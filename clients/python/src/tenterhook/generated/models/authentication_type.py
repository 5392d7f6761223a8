from enum import StrEnum


class AuthenticationType(StrEnum):
    API_KEY = "api_key"
    BASIC = "basic"
    OAUTH2 = "oauth2"

    def __str__(self) -> str:
        return str(self.value)
