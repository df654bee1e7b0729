#!/usr/bin/env python3
"""Makes samples/recipients.csv: 10,000 recipients as customers really write them.

The numbers pass validation but belong to nobody in particular: the last seven digits are
000xxxx. The result depends on the seed alone; `--check` tells whether the committed file
is what this script makes.
"""

import csv
import io
import random
import sys
from pathlib import Path

ROWS = 10_000
INVALID = 100
REPEATED = 200
SEED = 14050830

OUTPUT = Path(__file__).with_name("recipients.csv")
PREFIXES = ["910", "912", "914", "915", "917", "919", "901", "921", "933", "935", "936", "990"]
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")

FIRST = """علی مریم رضا زهرا حسین فاطمه محمد سارا امیر نگار مهدی الهام کیان شیرین پویا آزاده بهرام
ژاله کاوه لیلا نرگس سامان هانیه یاسمن آرش گلناز داریوش مینا فرهاد پریسا علی‌اکبر محمدرضا امیرحسین
فاطمه‌زهرا عبدالرحمن""".split()
LAST = """احمدی محمدی رضایی کریمی حسینی موسوی جعفری صادقی نوری رستمی شریفی قاسمی یزدانی کاظمی ملکی
فراهانی طباطبایی نژاد‌حسینی گلپایگانی چهارمحالی‌پور شفیعی‌کدکنی میرزایی اکبرزاده هاشمی‌نسب""".split()
LONG = [
    "سرکار خانم دکتر {first} {last} اصفهانی",
    "جناب آقای مهندس {first} {last} تهرانی",
    "شرکت بازرگانی {last} و برادران به‌جز {first}",
    "مدیریت محترم فروشگاه زنجیره‌ای {last}",
    "خانواده محترم {first} و {last} شیرازی",
]
LATIN = ["Sara Smith", "John Miller", "Anna", "Ali Rezaei", "Dr. Maria Garcia", "O'Neill", "Lee, Min-jun", 'Reza "Ray" Karimi']


class Dice:
    """Only random() itself promises the same numbers in every Python version."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, limit):
        return int(self.random() * limit)

    def pick(self, items):
        return items[self.below(len(items))]

    def shuffle(self, items):
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]


def written(dice, national):
    """One of the forms in which people write the number 9xxxxxxxxx."""
    a, b, c = national[:3], national[3:6], national[6:]
    draw = dice.below(100)
    if draw < 42:
        return "0" + national
    if draw < 56:
        return "+98" + national
    if draw < 66:
        return "98" + national
    if draw < 72:
        return "0098" + national
    if draw < 80:
        return national
    if draw < 88:
        return dice.pick(["0", "+98", ""]).translate(PERSIAN) + national.translate(PERSIAN)
    if draw < 92:
        return ("0" + national).translate(ARABIC)
    return dice.pick([
        f"0{a} {b} {c}",
        f"0{a}-{b}-{c}",
        f"+98 {a} {b} {c}",
        f"+98-{a}-{b}{c}",
        f"0098 {a} {b}{c}",
        f"0{a} {b} {c}".translate(PERSIAN),
        f" 0{national} ",
    ])


def invalid(dice):
    """Something that is no Iranian mobile number."""
    digits = f"{dice.below(10_000):04d}"
    return dice.pick([
        "0912000",
        f"0912000{digits}{dice.below(10)}9",
        # One place too long, so that nobody who reads ABC as 222 (a telephone's keys) gets a
        # number that may be somebody's.
        f"09120ABC{digits}",
        "ندارد",
        f"0210000{digits}",
        f"+98210000{digits}",
        f"+120255501{dice.below(100):02d}",
        f"+447700900{dice.below(1000):03d}",
        "",
        "-",
        f"0{dice.below(10)}",
    ])


def name(dice):
    first, last = dice.pick(FIRST), dice.pick(LAST)
    draw = dice.below(100)
    if draw < 3:
        return dice.pick(LATIN)
    if draw < 15:
        return dice.pick(LONG).format(first=first, last=last)
    if draw < 35:
        return first
    return f"{first} {last}"


def rows():
    dice = Dice(SEED)
    space = [prefix + f"000{tail:04d}" for prefix in PREFIXES for tail in range(10_000)]
    dice.shuffle(space)
    numbers = space[: ROWS - INVALID - REPEATED]
    # A repeated number is often written another way the second time.
    numbers += [dice.pick(numbers) for _ in range(REPEATED)]
    recipients = [written(dice, number) for number in numbers]
    recipients += [invalid(dice) for _ in range(INVALID)]
    dice.shuffle(recipients)
    return [(recipient, name(dice)) for recipient in recipients]


def content():
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("to", "name"))
    writer.writerows(rows())
    return text.getvalue().encode()


def main(arguments):
    made = content()
    if arguments == ["--check"]:
        if not OUTPUT.exists() or OUTPUT.read_bytes() != made:
            sys.exit(f"{OUTPUT.name} is not what this script makes: run make sample")
    elif arguments:
        sys.exit("usage: make_recipients.py [--check]")
    else:
        OUTPUT.write_bytes(made)


if __name__ == "__main__":
    main(sys.argv[1:])
