"""Closed lists of English words that the flags lean on. Data only; another language would bring its own."""

from __future__ import annotations

from lastmile.judge.rouge import stem


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


STOP_WORDS = word_set(
    """a about above across after again against ago ah all almost along already also although always am among an and
    another any anybody anymore anyone anything anyway anywhere apart are aren around as at away back be became because
    become becomes been before behind being below beside besides between beyond both but by came can cannot come could
    couldn d did didn do does doesn doing don done down due during each either else enough etc even ever every everybody
    everyone everything everywhere except far few first for from further get gets getting give given go goes going gone
    got had hadn has hasn have haven having he hello hence her here hers herself hey hi him himself his how however i if
    in indeed instead into is isn it its itself just keep kept last least less let like likely ll lot lots m made make
    makes making many may maybe me might mightn mine more most much must mustn my myself near need needn neither never
    nevertheless next no nobody none nor not nothing now nowhere of off often oh ok okay on once one ones only onto or
    other others otherwise ought our ours ourselves out over own per perhaps please put quite rather re really s said
    same say saying says second several shall shan she should shouldn since so some somebody someone something sometimes
    somewhere soon still such t take taken takes taking than that the their theirs them themselves then there therefore
    these they thing things this those though through throughout thus till to together too took toward towards under unk
    unless unlike until up upon us use used using usually ve very via was wasn way we well went were weren what whatever
    when whenever where whereas wherever whether which while who whoever whole whom whose why will with within without
    won would wouldn yes yet you your yours yourself yourselves"""
)

# A sentence never ends on one of these.
DANGLING = word_set(
    """a an and the of to for from with by or but that which who whose because if as than into onto at in on its their
    his her my our your is are was were be been has have had will would can could should may might very"""
)

# Neither names nor acronyms count these: `Bank of England`.
SMALL_WORDS = word_set("a an and at by de for in of on the to")

# Written around names, not part of them: `Mr` against `Mister` or nothing at all is no fault.
TITLES = word_set(
    """mr mrs ms miss mister dr doctor sir madam prof professor lord lady dame st saint rev reverend jr sr gen general
    president prime minister chief captain king queen prince princess"""
)

# Words that stand for each other: a word is supported where the document has another word of its family.
_FAMILIES = """
    arise arose arisen; awake awoke awoken; bear bore borne born birth; beat beaten; begin began begun beginning; bend
    bent; bet betting; bind bound; bite bit bitten; bleed bled blood; blow blew blown; break broke broken; breed bred;
    bring brought; build built; burn burnt; buy bought purchase; catch caught; choose chose chosen choice; cling clung;
    creep crept; deal dealt; dig dug; draw drew drawn; dream dreamt; drink drank drunk; drive drove driven; eat ate
    eaten; fall fell fallen; feed fed; feel felt; fight fought; find found; flee fled; fly flew flown flight; forbid
    forbade forbidden; forget forgot forgotten; forgive forgave forgiven; freeze froze frozen; grind ground; grow grew
    grown growth; hang hung; hear heard; hide hid hidden; hold held; keep kept; kneel knelt; know knew known knowledge;
    lay laid; lead led; lean leant; learn learnt; leave left; lend lent loan; lie lay lain; light lit; lose lost loss;
    mean meant; meet met; mislead misled; mistake mistook mistaken; misunderstand misunderstood; overcome overcame; pay
    paid payment; prove proven proof; ride rode ridden; ring rang rung; rise rose risen; run ran; see saw seen sight;
    seek sought; sell sold sale; send sent; sew sewn; shake shook shaken; shine shone; shoot shot; show showed shown;
    shrink shrank shrunk; sing sang sung song; sink sank sunk; sit sat; sleep slept asleep; slide slid; speak spoke
    spoken speech; speed sped; spend spent; spill spilt; spin spun; split splitting; spread spreading; spring sprang
    sprung; stand stood; steal stole stolen theft; stick stuck; sting stung; stink stank; strike struck stricken; strive
    strove striven; swear swore sworn; sweep swept; swim swam swum; swing swung; take took taken; teach taught; tear
    tore torn; tell told; think thought; throw threw thrown; understand understood; undertake undertook undertaken; wake
    woke woken; wear wore worn; weave wove woven; weep wept; win won winner victory; wind wound; withdraw withdrew
    withdrawn withdrawal; write wrote written; child children kid; man men; woman women; person people; foot feet; tooth
    teeth dental dentist; mouse mice; goose geese; life lives live alive; wife wives; knife knives; half halves; leaf
    leaves; thief thieves theft steal stolen; wolf wolves; good better best well; bad worse worst; far further farther;
    old elder elderly older; die died death dead; advise advice; believe belief; defend defence defense; complain
    complaint; decide decision; describe description; explain explanation; succeed success; fail failure; apply
    application; marry marriage wedding; permit permission; persuade persuasion; prefer preference; recommend
    recommendation; receive receipt reception; solve solution; suspect suspicion; hot heat; long length; strong
    strength; high height; wide width; deep depth; warm warmth; true truth; young youth; angry anger; hungry hunger;
    mother mom mum mommy mummy mama; father dad daddy papa; grandmother grandma granny; grandfather grandpa; telephone
    phone; television tv telly; photograph photo picture; refrigerator fridge; advertisement advert ad advertising;
    examination exam; laboratory lab; information info; mathematics maths math; gymnasium gym; application app;
    aeroplane airplane plane; automobile car; bicycle bike; motorcycle motorbike; doctor dr; percent percentage; colour
    color; favour favor favourite favorite; honour honor; labour labor; neighbour neighbor; centre center; theatre
    theater; programme program; organise organize organisation organization; realise realize; apologise apologize
    apology; cheque check; grey gray; licence license; practise practice; travelling traveling travelled traveled
    traveller traveler travel; metre meter; jewellery jewelry; pyjamas pajamas; tyre tire; january jan; february feb;
    march mar; april apr; august aug; september sep sept; october oct; november nov; december dec; monday mon; tuesday
    tue tues; wednesday wed; thursday thu thur thurs; friday fri; saturday sat; sunday sun; christmas xmas; us usa
    america american states; uk britain british briton; eu europe european; uae emirates emirati; france french
    frenchman; germany german; england english englishman; wales welsh; ireland irish; scotland scottish scot scots;
    netherlands holland dutch; spain spanish spaniard; denmark danish dane; sweden swedish swede; norway norwegian;
    finland finnish finn; poland polish pole; greece greek; switzerland swiss; turkey turkish turk; portugal portuguese;
    philippines filipino philippine; peru peruvian; cyprus cypriot; thailand thai; michael mike mick mickey; robert bob
    rob bobby robbie; william bill will billy willie; richard dick rick ricky; james jim jimmy jamie; john jack johnny
    jon jonathan; charles charlie chuck; edward ed eddie ted; theodore ted teddy; anthony tony; elizabeth liz beth
    lizzie betty eliza; katherine kate kathy catherine katie cathy; margaret maggie meg peggy; lawrence larry; andrew
    andy drew; stephen steven steve; alexander alex alexandra sandy; henry harry harold; samuel sam sammy samantha;
    rebecca becky; susan sue susie; dorothy dot; francis frank; gerald gerry jerry; geoffrey jeff jeffrey; david dave;
    kenneth ken kenny; joseph joe joey; joshua josh; matthew matt
"""


def _families() -> dict[str, frozenset[str]]:
    supporting: dict[str, set[str]] = {}
    for line in _FAMILIES.split(";"):
        stems = {stem(word) for word in line.split()}
        for word in line.split():
            supporting.setdefault(word, set()).update(stems)
            supporting.setdefault(stem(word), set()).update(stems)
    return {word: frozenset(stems) for word, stems in supporting.items()}


# Word or stem to the stems of the words that support it.
FAMILIES = _families()

NEGATIONS = word_set(
    """no not never none nobody nothing neither nor without cannot can't don't doesn't didn't won't isn't aren't wasn't
    weren't hasn't haven't hadn't couldn't wouldn't shouldn't don doesn didn won isn aren wasn weren hasn haven hadn
    couldn wouldn shouldn"""
)

# Before a number: it is meant roughly.
HEDGES = word_set(
    "about around almost approximately circa nearly roughly some over under up most least more less than estimated"
)

# After these words even `two` is a claim that the document must carry.
UNITS = word_set(
    """second seconds minute minutes hour hours day days night nights week weeks month months year years decade decades
    century centuries percent per cent dollar dollars pound pounds euro euros yuan cents pence times points goals mile
    miles metre metres meter meters kilometre kilometres kilometer kilometers kilo kilos grams kilograms tonnes tons
    degrees pm am hundred thousand million billion"""
)

# Function words by what they do.
PRONOUNS = word_set("he she it they his her its their him them")
POINTERS = PRONOUNS | word_set("this that these those")
ARTICLES = word_set("a an the this that these those its his her their")
PREPOSITIONS = word_set("of in on at by for from with to into over under after before between against during as")
AUXILIARIES = word_set("is are was were be been being has have had will would can could may might must do does did")

# What is left of `it's`, `don't`, `we've` where a tokenizer has cut them up.
CLITICS = word_set("s t d m ve re ll n't")
