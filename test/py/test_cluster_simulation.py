"""The simulation of several nodes (test/unit/sim_cluster.c), a million deliveries long. With sanitizers that takes minutes, so it is
the release build that runs it."""

import os
import re
import subprocess

import pytest

from harness.server import binary_path

DELIVERIES = int(os.environ.get("TENTERHOOK_SIMULATED", "1000000"))


@pytest.mark.release
def test_a_million_deliveries_over_several_nodes():
    run = subprocess.run([binary_path().parent / "test" / "unit_sim_cluster"], capture_output=True, text=True, timeout=1400,
                         env=os.environ | {"TH_SIM_DELIVERIES": str(DELIVERIES)})
    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-2000:]
    total = re.search(r"^(\d+) worlds, (\d+) events, (\d+) deliveries, (\d+) requests", said, re.MULTILINE)
    assert total and int(total[3]) >= DELIVERIES, said[-500:]
