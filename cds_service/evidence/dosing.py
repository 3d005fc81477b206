"""How much of a medicine is taken in a day, as its order states it in structured doses."""

from __future__ import annotations

from fractions import Fraction

from cds_service.evidence import fields
from cds_service.record.model import Resource

DAYS_OF_UNIT = {"h": Fraction(1, 24), "d": Fraction(1), "wk": Fraction(7), "mo": Fraction(30)}
TIMES_A_DAY = {"QD": 1, "AM": 1, "PM": 1, "BID": 2, "TID": 3, "QID": 4, "Q6H": 4, "Q8H": 3}

Daily = tuple[Fraction, str]


def daily_dose(resource: Resource) -> Daily | None:
    """Return (amount a day, unit) over all doses; None when one is not stated in numbers."""
    doses = [_daily(one) for one in fields.items(resource, "dosageInstruction")]
    stated = [dose for dose in doses if dose]
    if not stated or len(stated) < len(doses) or len({unit for _, unit in stated}) > 1:
        return None
    return sum((amount for amount, _ in stated), Fraction(0)), stated[0][1]


def _daily(instruction: Resource) -> Daily | None:
    rate = next(iter(fields.items(instruction, "doseAndRate")), instruction)
    given = fields.item(rate, "doseQuantity") or fields.item(fields.item(rate, "doseRange"), "high")
    amount = fields.number(given.get("value"))
    unit = fields.text(given, "code") or fields.text(given, "unit")
    often = _times_a_day(fields.item(instruction, "timing"))
    if amount is None or amount < 0 or not unit or often is None:
        return None
    return amount * often, unit.lower()


def _times_a_day(timing: Resource) -> Fraction | None:
    repeat = fields.item(timing, "repeat")
    times = fields.number(repeat.get("frequencyMax")) or fields.number(repeat.get("frequency"))
    period = fields.number(repeat.get("period"))
    unit = DAYS_OF_UNIT.get(fields.text(repeat, "periodUnit") or "")
    if times is not None and times >= 0 and period and period > 0 and unit:
        return times / (period * unit)
    named = fields.codes([timing.get("code")]) & TIMES_A_DAY.keys()
    return Fraction(TIMES_A_DAY[min(named)]) if named else None
