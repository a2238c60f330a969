# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as exact decimal text, dates as ISO text, units as exact ratios."""
import datetime as dt
from decimal import Decimal
from fractions import Fraction

from trytond.modules.product.uom import uom_conversion_digits


def decimal_text(value):
    "A Decimal as it is (trailing zeros are digits Tryton rounded to)."
    return None if value is None else format(value, 'f')


def quantity_text(value):
    "A float quantity as the shortest decimal that reads back the same."
    text = format(Decimal(repr(float(value))), 'f')
    if '.' in text:
        text = text.rstrip('0').rstrip('.')
    return '0' if text == '-0' else text


def parse_date(value):
    "A date, a typed RPC date or ISO text."
    if isinstance(value, dt.datetime):
        return value.date()
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


def unit_ratio(unit, base):
    """How many `base` one `unit` is, as a Fraction, from whichever of the two
    stored coefficients Tryton itself computes with."""
    def in_reference(uom):
        name = uom.accurate_field
        coefficient = Fraction(
            f'{getattr(uom, name):.{uom_conversion_digits[1]}f}')
        return coefficient if name == 'factor' else 1 / coefficient
    return in_reference(unit) / in_reference(base)


def ratio_text(ratio):
    "The exact decimal of a Fraction; None when it never ends (a third)."
    rest, digits = ratio.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        digits = max(digits, count)
    if rest != 1:
        return None
    sign, whole = ('-' if ratio < 0 else ''), str(
        abs(ratio.numerator) * 10 ** digits // ratio.denominator)
    if not digits:
        return sign + whole
    whole = whole.rjust(digits + 1, '0')
    return f'{sign}{whole[:-digits]}.{whole[-digits:]}'
