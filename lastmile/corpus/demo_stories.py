"""What happens in the demo world: each story's facts and the sentences that may tell them. Data only.

In a template `{fact}` stands for a fact and `[one|other]` for a choice of words. Fixed words are never numbers, names
or days, and no fact of a closed list can be told by fixed words alone: then whatever looks like a fact is one.
"""

from __future__ import annotations

from lastmile.corpus import demo_words as words
from lastmile.corpus.demo_facts import (
    CLUB,
    COMPANY,
    DATE,
    DAY,
    PERSON,
    SCORE,
    TITLE,
    TOWN,
    count,
    large,
    millions,
    one_of,
    story,
    year,
)

CRASH = story(
    "accidents",
    {
        one_of(words.VEHICLES): "vehicle",
        TOWN: "town other_town",
        DAY: "day",
        count(2, 14): "dead earlier_dead",
        count(3, 58): "hurt",
        one_of(words.CAUSES): "cause",
        PERSON: "rescuer",
        count(2, 12): "hours",
    },
    main="""
    {dead} people were killed on {day} when a {vehicle} [carrying workers|full of workers] overturned near {town}.
    A {vehicle} overturned [just outside|close to] {town} on {day}, killing {dead} [people|of those on board].
    At least {dead} people lost their lives on {day} in an accident near {town} in which a {vehicle} overturned.

    Another {hurt} people were injured and taken to hospital.
    Doctors at the local hospital said {hurt} injured people were being treated.
    A further {hurt} people were injured, some of them badly.

    Police [blamed {cause} for the accident|said they believed the cause was {cause}].
    """,
    asides="""
    {rescuer}, who led the rescue, said the work had been [hard|difficult].
    Rescue work was led by {rescuer}, [a local fire officer|who had just come on duty].

    A similar accident near {other_town} last [winter|year] cost {earlier_dead} lives.
    Last [spring|year] {earlier_dead} people died in much the same way near {other_town}.

    Traffic was held up for {hours} hours.
    It took {hours} hours to clear the way.
    """,
    targets="""
    {dead} people died and {hurt} were hurt when a {vehicle} crashed near {town} on {day}.
    A {vehicle} crash near {town} has left {dead} people dead and {hurt} hurt. Police blame {cause}.
    A crash near {town} on {day} killed {dead} people. Police say the {vehicle} crashed because of {cause}.
    Police say {cause} caused the crash of a {vehicle} near {town} that killed {dead} people on {day}.
    """,
)

STORM = story(
    "weather",
    {
        TOWN: "town",
        DAY: "day",
        large(101, 199): "wind past_wind",
        large(30, 950, unit=10): "homes",
        millions(11, 480): "damage",
        PERSON: "mayor forecaster",
        year(1951, 2009): "past_year",
        count(12, 90): "shelter",
    },
    main="""
    A storm with gusts of {wind} kilometres an hour hit {town} on {day}, [tearing off roofs|bringing down trees].
    Gusts of up to {wind} kilometres an hour were measured in {town} on {day} as a storm [swept in|passed over].

    Some {homes} homes were left without power.
    The lights went out in {homes} homes.
    Power was cut to {homes} homes, the [supplier|grid company] said.

    The mayor, {mayor}, visited the area and put the damage at {damage}.
    According to the mayor, {mayor}, repairs will cost {damage}.
    """,
    asides="""
    The worst storm on record, in {past_year}, had gusts of {past_wind} kilometres an hour.
    In {past_year} the area saw gusts of {past_wind} kilometres an hour.

    {forecaster}, a forecaster, said [calmer weather was on its way|more wind was expected].

    Volunteers looked after {shelter} people in a school hall.
    {shelter} people slept in a sports hall.
    """,
    targets="""
    A storm has cut power to {homes} homes in {town}. Winds reached {wind} kilometres an hour on {day}.
    Winds of {wind} kilometres an hour struck {town} on {day}, leaving {homes} homes in the dark.
    {homes} homes in {town} lost power in a storm. Mayor {mayor} says it did {damage} of damage.
    A storm did {damage} of damage in {town} on {day} and left {homes} homes in the dark.
    """,
)

PROFIT = story(
    "business",
    {
        COMPANY: "company rival",
        TOWN: "town",
        one_of(words.GOODS): "goods",
        DAY: "day",
        one_of(words.MOVES): "move",
        millions(11, 980): "profit past_profit",
        PERSON: "boss analyst",
        count(12, 95): "shops",
    },
    main="""
    {company}, which makes {goods} in {town}, reported on {day} that its yearly profit {move} to {profit}.
    Yearly profit at {company}, a maker of {goods} based in {town}, {move} to {profit}, it said on {day}.

    Chief executive {boss} [said the result was in line with the plan|thanked the staff for their work].
    "We know what we have to do," said {boss}, the chief executive.

    [A year earlier the profit was|The profit of the year before was] {past_profit}.
    """,
    asides="""
    Analyst {analyst} said rival {rival} [faced the same market|was doing much the same].
    {analyst}, who follows the market, advised clients to hold shares in {rival} instead.

    The company runs {shops} shops of its own.
    It sells through {shops} shops [at home|at home and abroad].
    """,
    targets="""
    Profit at {company} {move} to {profit}, the {town} maker of {goods} said on {day}.
    {company} says its profit {move} to {profit}. {boss} runs the firm, which makes {goods}.
    {company} of {town}, which is run by {boss}, says its profit {move} to {profit}.
    Profit {move} to {profit} at {company}. The maker of {goods} is run by {boss}.
    """,
    fits=lambda value: (value["profit"] > value["past_profit"]) == (value["move"] == 0),
)

PLANT = story(
    "business",
    {
        COMPANY: "company",
        TOWN: "town other_town",
        one_of(words.GOODS): "goods",
        large(101, 990): "jobs lost_jobs",
        millions(20, 990): "cost",
        DATE: "date",
        PERSON: "manager leader",
    },
    main="""
    {company} is to open a plant in {town} that will employ {jobs} people, the company [announced|said].
    A new plant in {town} will give work to {jobs} people, its owner {company} [announced|confirmed].

    The plant, which will make {goods}, costs {cost}.
    It is spending {cost} on the site, where {goods} are to be made.

    [Work starts|The gates open|The doors open] on {date}, [if all goes well|according to the plan].
    """,
    asides="""
    Union leader {leader} recalled that {lost_jobs} jobs went when the {other_town} plant closed.
    The closure of its {other_town} plant had cost {lost_jobs} jobs, said {leader} of the union.

    {manager} [has been named as manager|will manage the site|is to be in charge].
    """,
    targets="""
    {company} will create {jobs} jobs at a factory for {goods} in {town}, opening on {date}.
    {jobs} jobs are coming to {town}. {company} will make {goods} in a new factory there.
    {company} is building a factory in {town} for {cost}. It will bring {jobs} jobs.
    A factory that opens in {town} on {date} will bring {jobs} jobs. {company} is paying {cost} for it.
    """,
)

MATCH = story(
    "sport",
    {
        CLUB: "winner loser",
        SCORE: "score past_score",
        DAY: "day",
        PERSON: "scorer trainer keeper",
        count(46, 89): "minute",
        large(30, 980, unit=10): "crowd",
    },
    main="""
    {winner} beat {loser} {score} on {day} in front of {crowd} [fans|spectators].
    A crowd of {crowd} saw {winner} beat {loser} {score} on {day}.
    {loser} lost {score} to {winner} on {day} in a match watched by {crowd} [fans|spectators].

    {scorer} [struck|hit|scored] the winning goal after {minute} minutes [with a header|from close range].
    The winning goal came after {minute} minutes from {scorer}, [a late substitute|who had just come on].
    """,
    asides="""
    Losing trainer {trainer} said the better side had won [and spoke of a deserved result|on a difficult pitch].
    "We have to do better, and we know it," said {trainer}, who trains the losing side.

    Their last meeting, [in the cup|early in the season], had ended {past_score}.
    When the clubs last met, [in the cup|a month ago], it ended {past_score}.

    Goalkeeper {keeper} [went off hurt|was sent off] shortly before the end.
    {keeper}, in goal for the losing side, had no chance.
    """,
    targets="""
    {scorer} scored the winner as {winner} defeated {loser} {score} on {day}.
    {winner} won {score} against {loser}. {scorer} got the winner in minute {minute}.
    {loser} were defeated {score} by {winner} on {day}. {scorer} scored the winner.
    {winner} have defeated {loser} {score} thanks to {scorer}, who scored the winner.
    """,
)

ELECTION = story(
    "politics",
    {
        PERSON: "winner loser past_mayor",
        TOWN: "town",
        DAY: "day",
        count(41, 68): "share",
        count(12, 39): "loser_share",
        one_of(words.PROMISES): "promise",
        count(41, 88): "turnout",
        count(3, 20): "years",
    },
    main="""
    Voters in {town} chose {winner} as mayor on {day} with {share} percent of the vote.
    {winner} was chosen as mayor of {town} on {day}, taking {share} percent of the vote.

    {loser} came behind with {loser_share} percent.
    Just {loser_share} percent voted for {loser}, the losing candidate.

    {winner} has promised to {promise}.
    The new mayor [wants|plans] to {promise}.
    """,
    asides="""
    Turnout was {turnout} percent [despite the rain|after a quiet campaign].
    Officials put turnout at {turnout} percent, [more than expected|slightly lower than last time].

    {past_mayor}, mayor for {years} years, did not stand again [for health reasons|and will retire].
    {past_mayor} is stepping down after {years} years in office.
    """,
    targets="""
    {winner} has been elected mayor of {town} with {share} percent of the vote, beating {loser}.
    {winner} is the new mayor of {town}. The winner got {share} percent and wants to {promise}.
    {town} has elected {winner} as mayor with {share} percent. {loser} lost with {loser_share} percent.
    {winner}, who wants to {promise}, has been elected mayor of {town}. {loser} was defeated.
    """,
    fits=lambda value: value["share"] + value["loser_share"] <= 100,
)

THEFT = story(
    "crime",
    {
        PERSON: "thief judge helper",
        count(19, 79): "age",
        one_of(words.LOOT): "loot",
        millions(11, 90): "worth",
        TOWN: "town",
        count(2, 15): "years helper_years",
        DAY: "day",
        COMPANY: "owner",
    },
    main="""
    A court in {town} on {day} sentenced {thief}, {age}, to {years} years in prison for stealing {loot}.
    {thief}, {age}, was sentenced on {day} to {years} years in prison for the theft of {loot}, a court in {town} said.

    The haul was worth {worth} and belonged to {owner}, [which had kept it in a vault|the court was told].
    The haul, taken from {owner} [at night|while guards were asleep], was valued at {worth}.
    """,
    asides="""
    {helper}, who drove the getaway car, got {helper_years} years.
    An accomplice, {helper}, was given {helper_years} years.

    Judge {judge} spoke of a crime planned with great care [over many months|and carried out in minutes].
    "You showed no regret and gave no help to the police," said the judge, {judge}.
    """,
    targets="""
    {thief} has been jailed for {years} years for stealing {loot} worth {worth}.
    A thief who took {loot} worth {worth} was jailed in {town} on {day}. The thief, {thief}, got {years} years.
    {thief}, {age}, was jailed in {town} for {years} years for stealing {loot}.
    {thief} was jailed on {day} over stolen {loot} worth {worth}. The sentence is {years} years.
    """,
    fits=lambda value: value["helper_years"] < value["years"],
)

STUDY = story(
    "health",
    {
        one_of(words.HABITS): "habit",
        one_of(words.ILLNESSES): "illness",
        count(11, 48): "cut",
        large(30, 950, unit=10): "people",
        count(2, 20): "years",
        TOWN: "town other_town",
        PERSON: "leader critic",
        count(3, 48): "past_cut",
    },
    main="""
    The risk of {illness} is {cut} percent lower for people fond of {habit}, researchers in {town} [report|say].
    Researchers in {town} [report|say] that {habit} lowered the risk of {illness} by {cut} percent.

    They followed {people} [healthy|elderly|young] people for {years} years.
    Over {years} years, {people} people took part and kept a diary.

    "The effect is clear," said {leader}, who led the team.
    {leader}, who led the team, [called for a larger trial|was surprised by the result].
    """,
    asides="""
    {critic}, who was not involved, [urged caution|had doubts about the method].
    Not everyone is convinced: {critic} [called the evidence thin|wants to see more data].

    Earlier work in {other_town} had found {past_cut} percent.
    A smaller trial in {other_town} put it at {past_cut} percent.
    """,
    targets="""
    A study of {people} people in {town} says {habit} can cut the risk of {illness} by {cut} percent.
    A study led by {leader} links {habit} with {cut} percent less risk of {illness}.
    The study by {leader} lasted {years} years. It links {habit} with {cut} percent less risk of {illness}.
    {habit} could mean {cut} percent less risk of {illness}, says a study of {people} people led by {leader}.
    """,
    fits=lambda value: value["past_cut"] != value["cut"],
)

PRIZE = story(
    "culture",
    {
        PERSON: "author runner_up",
        TITLE: "title other_title",
        COMPANY: "prize",
        large(21, 950, unit=100): "sum past_sum",
        DAY: "day",
        TOWN: "town",
        large(101, 480): "entries",
    },
    main="""
    The {prize} award for the best novel went to {author} on {day} for {title}.
    {author} received the {prize} award for the best novel on {day} for {title}.

    At a dinner in {town} the author was handed a cheque for {sum} dollars.
    The award, worth {sum} dollars, was handed over in {town}.
    """,
    asides="""
    {other_title} by {runner_up} had been the favourite.
    Many had expected {runner_up} to win with {other_title}.

    The jury had to choose from {entries} books.
    There were {entries} entries, more than ever before.

    Last year the winner, a poet, received {past_sum} dollars.
    The sum changes from year to year: last time it was {past_sum} dollars.
    """,
    targets="""
    {author} has won the {prize} prize of {sum} dollars for the novel {title}.
    The novel {title} has won the {prize} prize. {author} was honoured in {town} on {day}.
    {author} won a prize of {sum} dollars in {town} on {day}. The novel is called {title}.
    {title}, a novel by {author}, has won {sum} dollars and the {prize} prize.
    """,
)

AUCTION = story(
    "culture",
    {
        one_of(words.WORKS): "work",
        PERSON: "artist buyer",
        millions(11, 890): "price estimate",
        TOWN: "town",
        DAY: "day",
        year(1951, 2009): "past_year",
        millions(2, 400): "past_price",
        count(3, 30): "bidders",
    },
    main="""
    A {work} by {artist} fetched {price} at [an auction|a crowded auction] in {town} on {day}.
    At an auction in {town} on {day}, {price} was paid for a {work} by {artist}.

    It went to the collector {buyer}, who [was not in the room|refused to comment].
    The buyer was {buyer}, [a collector|who runs a museum].

    [Experts had expected about|The estimate had been|The catalogue gave an estimate of] {estimate}.
    """,
    asides="""
    In {past_year} it had changed hands for {past_price}.
    The seller bought it for {past_price} in {past_year}.

    {bidders} people took part in the bidding, [some of them by telephone|which lasted all evening].
    The [packed|crowded] room saw a long fight between {bidders} bidders.
    """,
    targets="""
    {buyer} has bought a {work} by {artist} for {price}.
    A {work} by {artist} has been sold for {price} in {town}. {buyer} bought it on {day}.
    {artist} made the {work} that was sold in {town} on {day} for {price}.
    {price} is what {buyer} has paid for a {work} by {artist}.
    """,
    fits=lambda value: value["past_price"] < value["price"],
)

STORIES = (CRASH, STORM, PROFIT, PLANT, MATCH, ELECTION, THEFT, STUDY, PRIZE, AUCTION)
