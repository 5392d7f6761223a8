from enum import StrEnum


class Reenable(StrEnum):
    BY_HAND = "by_hand"
    ON_TEST = "on_test"

    def __str__(self) -> str:
        return str(self.value)
