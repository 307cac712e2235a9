"""Words in times: months, days of the week, zones, in lower case without accents."""

_MONTHS = (
    "january jan januar janner jaenner janvier janv enero ene",
    "february feb februar febr feber fevrier fevr fev febrero",
    "march mar marz maerz mrz mars marzo",
    "april apr avril avr abril abr",
    "may mai mayo",
    "june jun juni juin junio",
    "july jul juli juillet juil julio",
    "august aug aout agosto ago",
    "september sep sept septembre septiembre set",
    "october oct oktober okt octobre octubre",
    "november nov novembre noviembre",
    "december dec dezember dez decembre diciembre dic",
)
#: English, German, French and Spanish names and abbreviations, to 1 to 12.
MONTHS = {
    name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()
}
#: Days of the week in the same languages; they say nothing that the date does not.
WEEKDAYS = frozenset(
    name
    for names in (
        "monday tuesday wednesday thursday friday saturday sunday",
        "mon tue tues wed thu thur thurs fri sat sun",
        "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag",
        "mo di mi do fr sa so",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "lun mar mer jeu ven sam dim",
        "lunes martes miercoles jueves viernes sabado domingo mie jue vie sab dom",
    )
    for name in names.split()
)
#: Seconds east of UTC of the zones whose name means one offset.
ZONES = {
    "z": 0, "utc": 0, "gmt": 0, "ut": 0, "wet": 0,
    "cet": 3600, "mez": 3600, "west": 3600,
    "cest": 7200, "mesz": 7200, "eet": 7200,
    "eest": 10800, "msk": 10800,
    "est": -18000, "edt": -14400, "cst": -21600, "cdt": -18000,
    "mst": -25200, "mdt": -21600, "pst": -28800, "pdt": -25200,
}  # fmt: skip
