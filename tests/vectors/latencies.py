"""Times of runs, and the percentiles that `deimv2 benchmark` gives of such.

latencies.json: `milliseconds`: of each run, in no order; `p50`, `p95`: of all, between two runs in
proportion.
"""

import numpy as np

from deimv2.tests.vectors.text import to_bytes

MADE_BY = "python -m deimv2.tests.vectors: numpy.quantile in tests/vectors/latencies.py"


def make() -> dict[str, bytes]:
    rng = np.random.default_rng(11)
    runs = [
        [7.0], [9.0, 4.0], [3.0, 1.0, 2.0], [5.0, 5.0, 5.0, 5.0], [1.0, 2.0, 3.0, 1000.0],
        *(rng.gamma(9, 2, count).round(3).tolist() for count in (20, 21, 99, 100)),
    ]  # fmt: skip
    cases = [
        {
            "milliseconds": times,
            "p50": float(np.quantile(times, 0.5)),
            "p95": float(np.quantile(times, 0.95)),
        }
        for times in runs
    ]
    return {"latencies.json": to_bytes({"made_by": MADE_BY, "cases": cases})}
