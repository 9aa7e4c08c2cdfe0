"""Word lists of the demo world. Data only; the first of several forms is the one that targets use."""

from __future__ import annotations


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _list(
    """Ada Adam Alma Anna Arno Boris Carla Carlo Cora Daria David Diego Dora Edith Elena Elias Emil Emma Erik Eva Felix
    Flora Frank Greta Hanna Hector Helen Henry Hugo Ida Igor Irene Ivan Jonas Julia Karen Karl Laura Lena Leo Linda
    Louis Lucy Magda Marco Maria Marta Max Milan Mona Nadia Nina Nora Oscar Otto Paula Pavel Peter Petra Ralph Rita
    Robin Rosa Ruth Sara Simon Sofia Stella Thea Theo Tina Tomas Vera Victor Walter Yara"""
)
# Surnames, towns and companies are a start and an end. No end is shared between the three, so no name is either.
SURNAME_STARTS = _list(
    """Bal Bar Bel Ber Bran Bren Cal Cas Cor Cran Dal Dar Del Don Dres Fal Far Fen Fer Gal Gar Ged Gor Hal Hel Hol
    Jan Jas Kal Kar Kel Kor Lam Lar Len Lor Mal Mel Mer Mil Mol Mor Nel Nes Nor Pal Par Pel Pet Pol Ral Ran Ren Ros
    Sal San Sel Ser Sol Tal Tar Tel Tor Val Var Vel Ver Vol Wal Wes Wil Zel"""
)
SURNAME_ENDS = _list(
    """bach bert bier bino cek cott dano deen dez dini dov gado gard gato kins kov lander lano leff linger lock man
    mann mino mont nack nell nick nolo quist rada rell rick ridge rino roth sen shaw son ster tano ter tino tov vani
    ventz vik vino witz zano"""
)
TOWN_STARTS = _list(
    """Alder Amber Ash Barn Beck Black Bram Bridge Brook Castle Clay Cold Coom Deep Dun East Elm Fern Frost Glen
    Grand Green Hart Haw Hazel High Holm Iron Kings Lake Lang Lin Long Maple March Mist Moor Mossy North Oak Orch Pine
    Queens Raven Red Ridge Rock Rush Salt Sand Silver South Spring Stan Stone Swan Thorn Water West White Wild Wind
    Wolf Wood"""
)
TOWN_ENDS = _list(
    """borough bury by cester dale den fell field fleet ford gate ham haven hurst ley mere mouth port stead thorpe ton
    wick"""
)
COMPANY_STARTS = _list(
    """Aero Alti Astra Axi Bio Brio Ceno Cira Cosmo Delta Duro Electra Equi Ferro Flexi Gala Geno Helio Hydra Indi Inno
    Lumi Luxa Magna Meta Mira Nova Octa Omni Opti Orbi Pano Pharma Plana Prima Quanta Rapi Regi Robo Senti Signa Sola
    Stera Stratu Syna Tecta Terra Titra Trina Ultra Unica Vecta Vera Viva Zeni"""
)
COMPANY_ENDS = _list("bex cast con corp dax dyne flow gen graph lex line lux max mex net plex sys tec tex trix vance")
BRANCHES = _list("Associates Brothers Enterprises Group Holdings Industries International Partners Products Systems")
CLUBS = _list("Albion Athletic City Rangers Rovers Town United Wanderers")
TITLE_ADJECTIVES = _list(
    """Bitter Blue Broken Crooked Distant Empty Fading Forgotten Frozen Gentle Golden Hidden Hollow Little Lonely Narrow
    Patient Drowsy Restless Scarlet Secret Silent Borrowed Velvet Wandering"""
)
TITLE_NOUNS = _list(
    """Archive Bell Candle Clock Companion Corridor Daughter Feather Ferry Fiddler Garden Guest Harbour Island Kitchen
    Ladder Lantern Lighthouse Map Meadow Mirror Neighbour Orchard Piano River Sailor Shadow Staircase Summer Swallow
    Tailor Traveller Umbrella Violin Window"""
)
ONES = _list(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen"""
)
TENS = _list("twenty thirty forty fifty sixty seventy eighty ninety")
DAYS = _list("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = _list("January February March April May June July August September October November December")

VEHICLES = (("bus",), ("coach",), ("minibus",), ("lorry", "truck"), ("van",))
CAUSES = (
    ("fog", "thick fog", "dense fog"),
    ("ice", "black ice", "a patch of ice"),
    ("bad brakes", "faulty brakes", "brakes that failed"),
    ("a burst tyre", "a tyre that burst", "a blown tyre"),
    ("a tired driver", "an exhausted driver", "a driver who had fallen asleep"),
    ("speeding", "excessive speed", "driving too fast"),
)
MOVES = (("rose", "climbed", "grew"), ("fell", "dropped", "slipped"))
GOODS = (
    ("toys",),
    ("shoes", "boots and shoes"),
    ("bicycles", "bikes"),
    ("furniture", "tables and chairs"),
    ("batteries",),
    ("tractors", "farm tractors"),
    ("cameras",),
    ("medicines", "drugs"),
    ("solar panels",),
    ("washing machines",),
)
PROMISES = (
    ("cut taxes", "lower taxes", "bring taxes down"),
    ("repair the roads", "mend the roads", "fix potholes"),
    ("build cheap flats", "put up affordable flats"),
    ("clean the river", "clean up the river"),
    ("hire more nurses", "employ extra nurses"),
    ("reopen the library", "open the closed library again"),
)
LOOT = (
    ("jewels", "jewellery"),
    ("paintings", "works of art"),
    ("gold coins", "coins made of gold"),
    ("watches", "luxury watches"),
    ("stamps", "rare stamps"),
    ("silver cutlery", "silverware"),
)
HABITS = (
    ("daily walks", "walking every day", "a walk each day"),
    ("green tea", "drinking green tea", "a cup of green tea"),
    ("eating nuts", "a handful of nuts"),
    ("afternoon naps", "napping after lunch"),
    ("choir singing", "singing in a choir"),
    ("weekly yoga", "yoga lessons"),
    ("eating oily fish", "meals of oily fish"),
)
ILLNESSES = (
    ("heart disease", "disease of the heart"),
    ("stroke", "suffering a stroke"),
    ("diabetes", "developing diabetes"),
    ("asthma", "asthma attacks"),
    ("depression", "becoming depressed"),
    ("dementia", "memory loss and dementia"),
)
WORKS = (
    ("still life",),
    ("seascape", "view of the sea"),
    ("self-portrait",),
    ("landscape", "painting of hills"),
    ("bronze horse", "horse in bronze"),
    ("marble bust", "bust carved in marble"),
)
