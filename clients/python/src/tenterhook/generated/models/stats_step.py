from enum import StrEnum


class StatsStep(StrEnum):
    VALUE_0 = "1m"
    VALUE_1 = "1h"
    VALUE_2 = "1d"

    def __str__(self) -> str:
        return str(self.value)
