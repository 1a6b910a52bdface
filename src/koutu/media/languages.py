"""The languages of QuickTime's tracks, which are numbers of a list; FFmpeg knows each by one of its names."""

# Names that mean one of the list but are not those FFmpeg looks for: it would leave the language out in silence.
_ALSO = {
    "deu": "ger", "fre": "fra", "nld": "dut", "swe": "sve", "nob": "nor", "ell": "gre", "isl": "ice", "zho": "chi",
    "cmn": "chi", "fas": "per", "sqi": "alb", "rum": "ron", "cze": "ces", "slo": "slk", "mkd": "mac", "hye": "arm",
    "kat": "geo", "bod": "tib", "mya": "bur", "msa": "may",
}  # fmt: skip
_LISTED = """
    eng fra ger ita dut sve spa dan por nor heb jpn ara fin gre ice mlt tur chi urd hin tha kor lit pol hun est lav
    rus per iri alb ron ces slk slv yid mac bul ukr bel uzb kaz aze arm geo mol kir tgk tuk mon pus kur kas snd tib
    nep san mar ben asm guj ori mal kan tam tel sin bur khm lao vie ind tgl may amh tir orm som swa kin run nya mlg
    epo wel baq cat lat que grn aym tat uig dzo jav
"""


def quicktime_language(code: str) -> str | None:
    """What to call the language `code` (ISO 639-2) in a .mov; None if that has no number for it."""
    name = _ALSO.get(code, code)
    return name if name in _LISTED.split() else None
