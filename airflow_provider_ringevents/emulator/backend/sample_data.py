"""Names and answers of invented people from many places."""

from __future__ import annotations

from typing import Final

FIRST_NAMES: Final = (
    ("Ada", "ada"),
    ("José", "jose"),
    ("Zoë", "zoe"),
    ("Søren", "soren"),
    ("Łukasz", "lukasz"),
    ("Anaïs", "anais"),
    ("Jürgen", "jurgen"),
    ("Noor", "noor"),
    ("Chiara", "chiara"),
    ("Siân", "sian"),
    ("Kofi", "kofi"),
    ("美咲", "misaki"),
    ("伟", "wei"),
    ("Юлия", "yulia"),
    ("محمد", "mohamed"),
    ("Priya", "priya"),
    ("Mateo", "mateo"),
    ("Grace", "grace"),
    ("Thị Hương", "thi.huong"),
    ("Jean-Luc", "jean-luc"),
    ("Ngozi", "ngozi"),
    ("Ólafur", "olafur"),
    ("Ιωάννα", "ioanna"),
)
"""First names, each with the form that goes into an e-mail address."""

LAST_NAMES: Final = (
    ("Lovelace", "lovelace"),
    ("García Márquez", "garcia"),
    ("O'Brien", "obrien"),
    ("Ångström", "angstrom"),
    ("Wójcik", "wojcik"),
    ("van der Berg", "vandenberg"),
    ("Müller, Dr.", "muller"),
    ("田中", "tanaka"),
    ("Иванова", "ivanova"),
    ("الفارسي", "alfarsi"),
    ("Okafor", "okafor"),
    ("Nguyễn", "nguyen"),
    ('Smith "Smitty"', "smith"),
    ("Silva", "silva"),
    ("Hopper", "hopper"),
    ("Þórsdóttir", "thorsdottir"),
    ("Παπαδοπούλου", "papadopoulou"),
    ("Kowalski", "kowalski"),
    ("Çelik", "celik"),
)
"""Last names; some have commas, quotes or spaces, which a CSV must carry."""

COMPANIES: Final = (
    "Northwind Traders",
    "Ünal & Söhne GmbH",
    "Café Fermé",
    "Global, Local; Inc.",
    "株式会社サンプル",
    "Dunder 'n' Co",
    "Acme",
    "Blue\tOcean",
    "Umbrella Events",
    "=1+1 Holdings",
    'Quote "Unquote" Ltd',
    "Line\nBreak Studios",
)
TITLES: Final = ("Data engineer", "Head of events", "CTO", "Étudiante", "Designer 🎨", "Analyst", "コンサルタント")
ZONES: Final = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Eastern Time (US & Canada)",
    "UTC",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "London",
)
SOURCES: Final = ("web", "magic_link", "import", "embed", "api")
PHONES: Final = ("+49 30 901820", "+1-202-555-0173", "+81 3-1234-5678", "0044 20 7946 0958")
CHOICES: Final = ("Talks", "Workshops", "Networking", "Expo 🏛️", "Food; drinks, music")
DIETS: Final = ("vegan", "halal", "no nuts, please")
