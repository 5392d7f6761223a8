from enum import StrEnum


class AuthenticationClientAuthenticationType1(StrEnum):
    BASIC = "basic"
    POST = "post"

    def __str__(self) -> str:
        return str(self.value)
