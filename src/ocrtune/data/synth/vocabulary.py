"""Words of the built-in texts. `receipts` keeps lists of its own, since its pictures must never change."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


COMPANIES = _words(
    "Harmony|Blue Lagoon|Miller & Sons|Lucky Star|Northgate|Green Valley|Aroma|Silverline|Oak & Stone|Pinewood|"
    "Redwood Medical|City Hardware|Golden Wok|Atlas Motors|Sunrise|Kestrel|Bayside|Crown Optical|Delta Print|"
    "Evergreen|Falcon Freight|Grand Palace|Hillcrest|Ivory Dental|Jade Garden|Kings Auto|Linden|Mercury|Nova"
)
TRADES = _words(
    "Cafe|Trading|Market|Bakery|Pharmacy|Supermarket|Restaurant|Books|Hotel|Petrol Station|Stationers|Electronics|"
    "Services|Logistics|Hardware|Clinic"
)
LEGAL = ("Ltd", "Inc.", "GmbH", "& Co", "Sdn Bhd", "S.A.", "B.V.", "LLC", "Pte Ltd", "")
STREETS = _words(
    "Station Road|High Street|Park Avenue|Harbour Lane|Mill Street|Jalan Merdeka|Taman Desa|King's Way|Elm Close|"
    "Market Square|Church Hill|River View|Lindenallee|Rue de la Gare|Via Roma|Calle Mayor|Orchard Road"
)
TOWNS = _words(
    "Springfield|Bristol|Dublin|Kuala Lumpur|Johor Bahru|Penang|Hamburg|Lyon|Utrecht|Porto|Singapore|Leeds|Cardiff|"
    "Boston|Austin|Graz|Zurich|Oslo|Turku|Gdansk"
)
FIRST_NAMES = _words(
    "Anna|Ben|Clara|David|Emma|Felix|Grace|Hugo|Iris|Jack|Karin|Liam|Mia|Noah|Olga|Paul|Rosa|Samuel|Tina|Victor|"
    "Wei|Yusuf|Zoe|Siti|Ahmad|Kumar|Mei|Hassan"
)
LAST_NAMES = _words(
    "Adams|Baker|Chan|Davies|Evans|Fischer|Garcia|Huber|Ibrahim|Jensen|Khan|Lim|Martin|Novak|Olsen|Patel|Quinn|Rossi|"
    "Smith|Tan|Ueda|Vogel|Wong|Young|Zimmer|O'Brien|McKay"
)
GOODS = _words(
    "White bread|Milk 1L|Eggs grade A|Coffee latte|Green tea|Chicken rice|Battery AA 4pcs|Cable tie 200mm|Notebook A5|"
    "Ball pen blue|Paint brush 25mm|Screw M4x20|Apple juice|Butter 250g|Olive oil 500ml|Fried noodle|Iced lemon tea|"
    "Soap bar|Tissue box|LED bulb 9W|Masking tape|Sandwich tuna|Orange 1kg|Dish wash 500ml|Cheese cake|Nasi lemak|"
    "Water 1.5L|USB-C cable 1m|Envelope DL|Hand cream|Parking|Delivery|Rice 5kg|Sugar 1kg|Pasta|Tomato sauce|Shampoo|"
    "Toothpaste|Light switch|Extension cord 3m|Drill bit 6mm|Gloves size L|Filter paper|Printer ink black|Stapler|"
    "Croissant|Double espresso|Garden hose|Door lock|Engine oil 5W-30|Wiper blade|Car wash"
)
NOTES = _words(
    "Thank you for your visit|Please come again|Goods sold are not returnable|Have a nice day|Keep this receipt|"
    "Prices include tax|Exchange within 7 days with receipt|This is a computer generated document|"
    "No signature required|Follow us online|Customer copy|Please retain for your records|See reverse for terms"
)
PLATE_FIELDS = (
    ("Model", "{C}"),
    ("Type", "{c}"),
    ("Serial No.", "{N}"),
    ("S/N", "{C}"),
    ("Input", "{v} V~ {f} Hz"),
    ("Output", "{d} V DC {a} A"),
    ("Power", "{w} W"),
    ("Rated current", "{a} A"),
    ("Weight", "{a} kg"),
    ("IP code", "IP {i}"),
    ("Year", "{y}"),
    ("Temp. range", "-20...+{t} °C"),
    ("Max. pressure", "{d} bar"),
    ("Batch", "{c}"),
    ("Part No.", "{C}"),
)
SECTIONS = ("Personal details", "Contact", "Payment", "Employment", "Delivery", "Vehicle", "Insurance", "Declaration")
FORM_TITLES = (
    "Application form",
    "Registration form",
    "Claim form",
    "Order form",
    "Change of address",
    "Delivery note",
    "Service report",
    "Membership application",
    "Customs declaration",
    "Purchase requisition",
)
TABLE_TITLES = (
    "Price list",
    "Stock report",
    "Packing list",
    "Measurement results",
    "Account statement",
    "Timesheet",
    "Bill of materials",
    "Sales by region",
    "Delivery schedule",
    "Inspection report",
)
ADJECTIVES = _words(
    "new|small|large|quick|final|local|early|annual|open|clear|former|public|simple|warm|quiet|recent|broad|green|"
    "technical|careful|previous|strong|regular|common|private"
)
NOUNS = _words(
    "report|office|market|river|engine|letter|garden|station|window|contract|project|village|machine|question|building|"
    "journey|library|harvest|bridge|customer|invoice|payment|delivery|weather|company|school|teacher|picture|kitchen|"
    "factory|island|meeting|programme|system|result|season|theatre|kingdom|journal|box|jacket|puzzle|queue"
)
VERBS = _words(
    "opened|changed|reached|followed|finished|described|improved|replaced|required|carried|moved|covered|watched|"
    "joined|examined|quoted|organised|visited|kept|explained"
)
SENTENCES = (
    "The {a} {n} {v} the {n} in {t}.",
    "In {y}, {p} {v} the {n} of the {a} {n}.",
    "{p} ({t}) {v} a {n}, but the {n} was {a}.",
    "Please return the {a} {n} to the {n} by {d}.",
    "“We {v} the {n},” said {p}, “and it was {a}.”",
    "Between {d} and {d} the {n} {v} {k} {n}s.",
    "About {k}% of each {n} is {a}; the rest is not.",
    "Does the {a} {n} belong to the {n} at {t}?",
    "For further details see page {k} or call {h}.",
    "The {n} – a {a} {n} – {v} its {n} twice.",
    "Every {n} has a {n}, and no {n} is {a}.",
    "Note: the {n} must not be {v} before {d}!",
    "{t} {v} the {n} for {m} per {n}.",
)
