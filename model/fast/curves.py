"""exp, tanh and erf in float32, for arrays and in kernels, from + − × ÷ alone: the same bits on every machine.

tanh and erf are quotients of polynomials on a clamped range, with the coefficients of Eigen (Benoit Steiner and
others, MPL 2.0; tests compare them with exact values). Errors: see the functions. Not-a-number goes through.
"""

from typing import Any

import numpy as np

from millrace.compiled import F32 as F
from millrace.elementary import choose, shared

LOG2_E, HALF = F(1.44269504), F(0.5)
LN2_HIGH, LN2_LOW = F(0.693359375), F(-2.12194440e-4)  # the first has nine bits: its product with a power is exact
E1, E2, E3, E4, E5, E6 = F(1), F(1 / 2), F(1 / 6), F(1 / 24), F(1 / 120), F(1 / 720)
LOWEST = F(-87.0)

T_LIMIT = F(7.90531110763549805)
T1, T3, T5, T7 = F(4.89352455891786e-03), F(6.37261928875436e-04), F(1.48572235717979e-05), F(5.12229709037114e-08)
T9, T11, T13 = F(-8.60467152213735e-11), F(2.00018790482477e-13), F(-2.76076847742355e-16)
U0, U2, U4, U6 = F(4.89352518554385e-03), F(2.26843463243900e-03), F(1.18534705686654e-04), F(1.19825839466702e-06)

R_LIMIT = F(4.0)
R1, R3, R5, R7 = F(-1.60960333262415e-02), F(-2.95459980854025e-03), F(-7.34990630326855e-04), F(-5.69250639462346e-05)
R9, R11, R13 = F(-2.10102402082508e-06), F(2.77068142495902e-08), F(-2.72614225801306e-10)
S0, S2, S4 = F(-1.42647390514189e-02), F(-7.37332916720468e-03), F(-1.68282697438203e-03)
S6, S8 = F(-2.13374055278905e-04), F(-1.45660718464996e-05)


@shared
def exp_below(x: Any) -> Any:
    """exp(x) for x ≤ 0, float32; relative error below 2e-7, from −87 on constant."""
    x = choose(x < LOWEST, LOWEST, x)
    power = np.int32(x * LOG2_E - HALF)
    whole = np.float32(power)
    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
    series = E1 + r * (E1 + r * (E2 + r * (E3 + r * (E4 + r * (E5 + r * E6)))))
    return series * np.int32((power + np.int32(127)) << np.int32(23)).view(np.float32)


@shared
def tanh(x: Any) -> Any:
    """tanh(x), float32; relative error below 1e-6."""
    x = choose(x > T_LIMIT, T_LIMIT, x)
    x = choose(x < -T_LIMIT, -T_LIMIT, x)
    z = x * x
    above = x * (T1 + z * (T3 + z * (T5 + z * (T7 + z * (T9 + z * (T11 + z * T13))))))
    return above / (U0 + z * (U2 + z * (U4 + z * U6)))


@shared
def erf(x: Any) -> Any:
    """erf(x), float32; relative error below 1e-6."""
    x = choose(x > R_LIMIT, R_LIMIT, x)
    x = choose(x < -R_LIMIT, -R_LIMIT, x)
    z = x * x
    above = x * (R1 + z * (R3 + z * (R5 + z * (R7 + z * (R9 + z * (R11 + z * R13))))))
    return above / (S0 + z * (S2 + z * (S4 + z * (S6 + z * S8))))
