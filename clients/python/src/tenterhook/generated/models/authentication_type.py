from enum import StrEnum


class AuthenticationType(StrEnum):
    API_KEY = "api_key"
    BASIC = "basic"

    def __str__(self) -> str:
        return str(self.value)
