"""The names of time zones that the API documents, and the zone of the tz database behind each.

597 of the 746 names are tz database names themselves, the others ("Eastern Time (US & Canada)", "Abu Dhabi") are not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.types import closest_matches

# Names of the tz database that the API documents, by region; "" holds those without one.
_IANA: dict[str, str] = {
    "": """
        CET CST6CDT Cuba EET EST EST5EDT Egypt Eire Factory GB GB-Eire GMT GMT+0 GMT-0 GMT0 Greenwich HST Hongkong
        Iceland Iran Israel Jamaica Japan Kwajalein Libya MET MST MST7MDT NZ NZ-CHAT Navajo PRC PST8PDT Poland
        Portugal ROC ROK Singapore Turkey UCT UTC Universal W-SU WET Zulu
    """,
    "Africa": """
        Abidjan Accra Addis_Ababa Algiers Asmara Asmera Bamako Bangui Banjul Bissau Blantyre Brazzaville Bujumbura
        Cairo Casablanca Ceuta Conakry Dakar Dar_es_Salaam Djibouti Douala El_Aaiun Freetown Gaborone Harare
        Johannesburg Juba Kampala Khartoum Kigali Kinshasa Lagos Libreville Lome Luanda Lubumbashi Lusaka Malabo
        Maputo Maseru Mbabane Mogadishu Monrovia Nairobi Ndjamena Niamey Nouakchott Ouagadougou Porto-Novo Sao_Tome
        Timbuktu Tripoli Tunis Windhoek
    """,
    "America": """
        Adak Anchorage Anguilla Antigua Araguaina Aruba Asuncion Atikokan Atka Bahia Bahia_Banderas Barbados Belem
        Belize Blanc-Sablon Boa_Vista Bogota Boise Buenos_Aires Cambridge_Bay Campo_Grande Cancun Caracas Catamarca
        Cayenne Cayman Chicago Chihuahua Ciudad_Juarez Coral_Harbour Cordoba Costa_Rica Creston Cuiaba Curacao
        Danmarkshavn Dawson Dawson_Creek Denver Detroit Dominica Edmonton Eirunepe El_Salvador Ensenada Fort_Nelson
        Fort_Wayne Fortaleza Glace_Bay Godthab Goose_Bay Grand_Turk Grenada Guadeloupe Guatemala Guayaquil Guyana
        Halifax Havana Hermosillo Indianapolis Inuvik Iqaluit Jamaica Jujuy Juneau Knox_IN Kralendijk La_Paz Lima
        Los_Angeles Louisville Lower_Princes Maceio Managua Manaus Marigot Martinique Matamoros Mazatlan Mendoza
        Menominee Merida Metlakatla Mexico_City Miquelon Moncton Monterrey Montevideo Montreal Montserrat Nassau
        New_York Nipigon Nome Noronha Nuuk Ojinaga Panama Pangnirtung Paramaribo Phoenix Port-au-Prince Port_of_Spain
        Porto_Acre Porto_Velho Puerto_Rico Punta_Arenas Rainy_River Rankin_Inlet Recife Regina Resolute Rio_Branco
        Rosario Santa_Isabel Santarem Santiago Santo_Domingo Sao_Paulo Scoresbysund Shiprock Sitka St_Barthelemy
        St_Johns St_Kitts St_Lucia St_Thomas St_Vincent Swift_Current Tegucigalpa Thule Thunder_Bay Tijuana Toronto
        Tortola Vancouver Virgin Whitehorse Winnipeg Yakutat Yellowknife
    """,
    "America/Argentina": """
        Buenos_Aires Catamarca ComodRivadavia Cordoba Jujuy La_Rioja Mendoza Rio_Gallegos Salta San_Juan San_Luis
        Tucuman Ushuaia
    """,
    "America/Indiana": "Indianapolis Knox Marengo Petersburg Tell_City Vevay Vincennes Winamac",
    "America/Kentucky": "Louisville Monticello",
    "America/North_Dakota": "Beulah Center New_Salem",
    "Antarctica": "Casey Davis DumontDUrville Macquarie Mawson McMurdo Palmer Rothera South_Pole Syowa Troll Vostok",
    "Arctic": "Longyearbyen",
    "Asia": """
        Aden Almaty Amman Anadyr Aqtau Aqtobe Ashgabat Ashkhabad Atyrau Baghdad Bahrain Baku Bangkok Barnaul Beirut
        Bishkek Brunei Calcutta Chita Choibalsan Chongqing Chungking Colombo Dacca Damascus Dhaka Dili Dubai Dushanbe
        Famagusta Gaza Harbin Hebron Ho_Chi_Minh Hong_Kong Hovd Irkutsk Istanbul Jakarta Jayapura Jerusalem Kabul
        Kamchatka Karachi Kashgar Kathmandu Katmandu Khandyga Kolkata Krasnoyarsk Kuala_Lumpur Kuching Kuwait Macao
        Macau Magadan Makassar Manila Muscat Nicosia Novokuznetsk Novosibirsk Omsk Oral Phnom_Penh Pontianak Pyongyang
        Qatar Qostanay Qyzylorda Rangoon Riyadh Saigon Sakhalin Samarkand Seoul Shanghai Singapore Srednekolymsk
        Taipei Tashkent Tbilisi Tehran Tel_Aviv Thimbu Thimphu Tokyo Tomsk Ujung_Pandang Ulaanbaatar Ulan_Bator Urumqi
        Ust-Nera Vientiane Vladivostok Yakutsk Yangon Yekaterinburg Yerevan
    """,
    "Atlantic": """
        Azores Bermuda Canary Cape_Verde Faeroe Faroe Jan_Mayen Madeira Reykjavik South_Georgia St_Helena Stanley
    """,
    "Australia": """
        ACT Adelaide Brisbane Broken_Hill Canberra Currie Darwin Eucla Hobart LHI Lindeman Lord_Howe Melbourne NSW
        North Perth Queensland South Sydney Tasmania Victoria West Yancowinna
    """,
    "Brazil": "Acre DeNoronha East West",
    "Canada": "Atlantic Central Eastern Mountain Newfoundland Pacific Saskatchewan Yukon",
    "Chile": "Continental EasterIsland",
    "Etc": """
        GMT GMT+0 GMT+1 GMT+10 GMT+11 GMT+12 GMT+2 GMT+3 GMT+4 GMT+5 GMT+6 GMT+7 GMT+8 GMT+9 GMT-0 GMT-1 GMT-10 GMT-11
        GMT-12 GMT-13 GMT-14 GMT-2 GMT-3 GMT-4 GMT-5 GMT-6 GMT-7 GMT-8 GMT-9 GMT0 Greenwich UCT UTC Universal Zulu
    """,
    "Europe": """
        Amsterdam Andorra Astrakhan Athens Belfast Belgrade Berlin Bratislava Brussels Bucharest Budapest Busingen
        Chisinau Copenhagen Dublin Gibraltar Guernsey Helsinki Isle_of_Man Istanbul Jersey Kaliningrad Kiev Kirov Kyiv
        Lisbon Ljubljana London Luxembourg Madrid Malta Mariehamn Minsk Monaco Moscow Nicosia Oslo Paris Podgorica
        Prague Riga Rome Samara San_Marino Sarajevo Saratov Simferopol Skopje Sofia Stockholm Tallinn Tirane Tiraspol
        Ulyanovsk Uzhgorod Vaduz Vatican Vienna Vilnius Volgograd Warsaw Zagreb Zaporozhye Zurich
    """,
    "Indian": "Antananarivo Chagos Christmas Cocos Comoro Kerguelen Mahe Maldives Mauritius Mayotte Reunion",
    "Mexico": "BajaNorte BajaSur General",
    "Pacific": """
        Apia Auckland Bougainville Chatham Chuuk Easter Efate Enderbury Fakaofo Fiji Funafuti Galapagos Gambier
        Guadalcanal Guam Honolulu Johnston Kanton Kiritimati Kosrae Kwajalein Majuro Marquesas Midway Nauru Niue
        Norfolk Noumea Pago_Pago Palau Pitcairn Pohnpei Ponape Port_Moresby Rarotonga Saipan Samoa Tahiti Tarawa
        Tongatapu Truk Wake Wallis Yap
    """,
    "US": """
        Alaska Aleutian Arizona Central East-Indiana Eastern Hawaii Indiana-Starke Michigan Mountain Pacific Samoa
    """,
}

# The rest are the names of Ruby on Rails: the city of a tz database zone alone, with its spaces, ...
_CITIES: dict[str, str] = {
    "Africa": "Cairo Casablanca Harare Monrovia Nairobi",
    "America": """
        Bogota Caracas Chihuahua La_Paz Lima Mazatlan Mexico_City Monterrey Montevideo Puerto_Rico Santiago Tijuana
    """,
    "America/Argentina": "Buenos_Aires",
    "Asia": """
        Almaty Baghdad Baku Bangkok Dhaka Hong_Kong Irkutsk Jakarta Jerusalem Kabul Kamchatka Karachi Kathmandu
        Kolkata Krasnoyarsk Kuala_Lumpur Kuwait Magadan Muscat Novosibirsk Riyadh Seoul Srednekolymsk Taipei Tashkent
        Tbilisi Tehran Tokyo Ulaanbaatar Urumqi Vladivostok Yakutsk Yerevan
    """,
    "Atlantic": "Azores",
    "Australia": "Adelaide Brisbane Canberra Darwin Hobart Melbourne Perth Sydney",
    "Europe": """
        Amsterdam Athens Belgrade Berlin Bratislava Brussels Bucharest Budapest Copenhagen Dublin Helsinki Istanbul
        Kaliningrad Kyiv Lisbon Ljubljana London Madrid Minsk Moscow Paris Prague Riga Rome Samara Sarajevo Skopje
        Sofia Stockholm Tallinn Vienna Vilnius Volgograd Warsaw Zagreb Zurich
    """,
    "Pacific": "Auckland Fiji Guam Port_Moresby",
}

# ... or a name of its own. Where a city changed its clock after Rails chose a zone for it ("Astana" in 2024), the
# clock on the wall there decides.
_OTHERS: dict[str, str] = {
    "Abu Dhabi": "Asia/Muscat",
    "Alaska": "America/Juneau",
    "American Samoa": "Pacific/Pago_Pago",
    "Arizona": "America/Phoenix",
    "Astana": "Asia/Almaty",
    "Atlantic Time (Canada)": "America/Halifax",
    "Beijing": "Asia/Shanghai",
    "Bern": "Europe/Zurich",
    "Brasilia": "America/Sao_Paulo",
    "Cape Verde Is.": "Atlantic/Cape_Verde",
    "Central America": "America/Guatemala",
    "Central Time (US & Canada)": "America/Chicago",
    "Chatham Is.": "Pacific/Chatham",
    "Chennai": "Asia/Kolkata",
    "Chongqing": "Asia/Shanghai",
    "Eastern Time (US & Canada)": "America/New_York",
    "Edinburgh": "Europe/London",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Georgetown": "America/Guyana",
    "Greenland": "America/Nuuk",
    "Guadalajara": "America/Mexico_City",
    "Hanoi": "Asia/Bangkok",
    "Hawaii": "Pacific/Honolulu",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "International Date Line West": "Etc/GMT+12",
    "Islamabad": "Asia/Karachi",
    "Marshall Is.": "Pacific/Majuro",
    "Mid-Atlantic": "Atlantic/South_Georgia",
    "Midway Island": "Pacific/Midway",
    "Mountain Time (US & Canada)": "America/Denver",
    "Mumbai": "Asia/Kolkata",
    "New Caledonia": "Pacific/Noumea",
    "New Delhi": "Asia/Kolkata",
    "Newfoundland": "America/St_Johns",
    "Nuku'alofa": "Pacific/Tongatapu",
    "Osaka": "Asia/Tokyo",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Pretoria": "Africa/Johannesburg",
    "Quito": "America/Lima",
    "Rangoon": "Asia/Yangon",
    "Samoa": "Pacific/Apia",
    "Sapporo": "Asia/Tokyo",
    "Saskatchewan": "America/Regina",
    "Solomon Is.": "Pacific/Guadalcanal",
    "Sri Jayawardenepura": "Asia/Colombo",
    "St. Petersburg": "Europe/Moscow",
    "Tokelau Is.": "Pacific/Fakaofo",
    "Wellington": "Pacific/Auckland",
    "West Central Africa": "Africa/Algiers",
}

_BY_NAME: dict[str, str] = {
    **{
        name: name
        for region, places in _IANA.items()
        for name in (f"{region}/{place}" if region else place for place in places.split())
    },
    **{city.replace("_", " "): f"{region}/{city}" for region, cities in _CITIES.items() for city in cities.split()},
    **_OTHERS,
}

TIME_ZONES: tuple[str, ...] = tuple(sorted(_BY_NAME))
"""Every documented name."""


def iana_name(name: str) -> str:
    """Give the tz database name of a documented name.

    :raises RingEventsConfigError: the name is not documented; the message suggests some that are.
    """
    return _BY_NAME[check_timezone("timezone", name)]


def get_zone(name: str, parameter: str = "timezone", *, allow_undocumented: bool = False) -> ZoneInfo:
    """Load the zone of a documented name.

    :param parameter: the name to use in the error.
    :param allow_undocumented: read an undocumented name as one of the tz database.
    :raises RingEventsConfigError: the name is not documented, or the tz database does not know it.
    """
    check_timezone(parameter, name, allow_undocumented)
    found = _load(_BY_NAME.get(name, name))
    if found is None:
        raise RingEventsConfigError(
            f"{parameter}: the tz database has no zone for {name!r}; give times with an offset, or install `tzdata`"
        )
    return found


def check_timezone(parameter: str, name: str, allow_undocumented: bool = False) -> str:
    """Return ``name`` if the API documents it.

    :param parameter: the name to use in the error.
    :param allow_undocumented: let any non-empty string through.
    :raises RingEventsConfigError: not a string, empty, or (unless ``allow_undocumented``) not documented.
    """
    if not isinstance(name, str) or not name:
        raise RingEventsConfigError(
            f'{parameter}: expected the name of a time zone, such as "Europe/Berlin", got {name!r}'
        )
    if name in _BY_NAME or allow_undocumented:
        return name
    close = _suggestions(name)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise RingEventsConfigError(
        f"{parameter}: {name!r} is not one of the {len(TIME_ZONES)} documented time zones.{hint}"
        " Pass allow_undocumented=True for a zone newer than this package."
    )


def _load(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Not only "not found": a path that leaves the database is a ValueError, a directory in it an OSError.
        return None


def _suggestions(name: str, limit: int = 3) -> list[str]:
    """Name documented zones that may be meant: of the same city, with the same clock, or of similar spelling."""
    city = name.casefold().replace(" ", "_")
    same_city = [known for known in TIME_ZONES if known.rpartition("/")[2].casefold() == city]
    same_clock = _same_clock(name) if not same_city else []
    return list(dict.fromkeys([*same_city, *same_clock, *closest_matches(name, TIME_ZONES, limit)]))[:limit]


def _same_clock(name: str) -> list[str]:
    """Name the documented tz database zones of the same region that show the same time as ``name`` for two years."""
    wanted = _load(name)
    if wanted is None:
        return []
    now = datetime.now(UTC)
    moments = [now + timedelta(days=7 * week) for week in range(104)]
    region = name.partition("/")[0] + "/"
    candidates = (known for known in TIME_ZONES if known.startswith(region))
    return [
        known
        for known in candidates
        if all(
            moment.astimezone(wanted).utcoffset() == moment.astimezone(ZoneInfo(known)).utcoffset()
            for moment in moments
        )
    ]
