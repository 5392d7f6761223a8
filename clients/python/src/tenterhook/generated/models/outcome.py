from enum import StrEnum


class Outcome(StrEnum):
    CANCELLED = "cancelled"
    CLIENT_CERTIFICATE_ERROR = "client_certificate_error"
    CONNECTION_RESET = "connection_reset"
    CONNECT_ERROR = "connect_error"
    DENIED = "denied"
    DNS_ERROR = "dns_error"
    FAILED_STATUS = "failed_status"
    INTERNAL_ERROR = "internal_error"
    PROTOCOL_ERROR = "protocol_error"
    SUCCESS = "success"
    TIMEOUT = "timeout"
    TLS_ERROR = "tls_error"
    TOKEN_ERROR = "token_error"

    def __str__(self) -> str:
        return str(self.value)
