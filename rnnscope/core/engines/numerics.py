"""Elementary functions that a compiler can vectorise, inlined into every kernel.

In float32, within about 3e-7 of the exact value: exp by a polynomial of what is left of the argument after Cephes (Moshier
1989), infinite from 2.4e38 on; log by one on [sqrt(1/2), sqrt(2)]; tanh by a quotient of two on [-9, 9], none beyond 1; all
fitted here. In float64 the library's.
"""

SINGLE = """
def exp(x):
    n = np.floor(x * F(1.44269504088896341) + F(0.5))
    r = (x - n * F(0.693359375)) - n * F(-2.12194440e-4)
    p = F(1.3814540106e-3)
    p = p * r + F(8.3687451362e-3)
    p = p * r + F(4.1668390787e-2)
    p = p * r + F(1.6666520399e-1)
    p = p * r + F(4.9999993432e-1)
    power = np.int32(np.int32(np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    y = (p * r * r + r + F(1)) * power
    y = F(0) if x < F(-87.3) else y
    return F(INFINITY) if x > F(88.37) else y


def sigmoid(x):
    return F(1) / (F(1) + exp(-x))


def tanh(x):
    c = F(9) if x > F(9) else x
    c = F(-9) if c < F(-9) else c
    z = c * c
    p = F(1.3353412598e-8)
    p = p * z + F(2.0608184059e-5)
    p = p * z + F(3.4955344163e-3)
    p = p * z + F(1.3380980492e-1)
    p = p * z + F(1)
    q = F(7.7760466866e-7)
    q = q * z + F(3.2855462632e-4)
    q = q * z + F(2.5876779109e-2)
    q = q * z + F(4.6714296937e-1)
    q = q * z + F(1)
    y = c * p / q
    y = F(1) if y > F(1) else y
    return F(-1) if y < F(-1) else y


def log(x):
    bits = F(x).view(np.int32)
    shifted = np.int32(bits - np.int32(0x3F3504F3))  # exponent and mantissa around sqrt(1/2)
    n = np.int32(shifted >> np.int32(23))
    m = np.int32(bits - np.int32(n << np.int32(23))).view(np.float32) - F(1)
    p = F(8.7004252393e-2)
    p = p * m + F(-1.4267475647e-1)
    p = p * m + F(1.4914767166e-1)
    p = p * m + F(-1.6577586313e-1)
    p = p * m + F(1.9963064027e-1)
    p = p * m + F(-2.5001336984e-1)
    p = p * m + F(3.3333910731e-1)
    y = F(n) * F(0.69314718056) + (m * m * (p * m - F(0.5)) + m)
    y = F(INFINITY) if x == F(INFINITY) else y
    y = F(-INFINITY) if x == F(0) else y
    return y if x >= F(0) else F(NAN)


def log1p(x):
    u = F(1) + x
    d = u - F(1)
    return x if d == F(0) or x == F(INFINITY) else log(u) * (x / d)
"""

DOUBLE = """
def exp(x):
    return math.exp(x)


def sigmoid(x):
    return F(1) / (F(1) + math.exp(-x))


def tanh(x):
    return math.tanh(x)


def log(x):
    return math.log(x)


def log1p(x):
    return math.log1p(x)
"""
